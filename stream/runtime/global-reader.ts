/**
 * Fills the global stores of an application, each from its whole topic, and keeps on (Kafka's
 * `GlobalStreamThread`). Tasks begin once it has what was there at the start.
 */
import type { Admin } from "../../client/admin.ts";
import { Consumer, type ConsumerOptions, type FetchedChunk } from "../../client/consumer.ts";
import { isRetriableError, TimeoutError } from "../../client/errors.ts";
import { partitionKey } from "../../client/group-protocol.ts";
import type { ClientIo } from "../../client/options.ts";
import { asError } from "../../core/as-error.ts";
import { deferred } from "../../core/deferred.ts";
import type { Logger } from "../../core/logger.ts";
import type { GlobalTask } from "../task/global-task.ts";

/** See the head of the file. */
export class GlobalReader {
  readonly #consumer: Consumer;
  readonly #filled = deferred<void>();
  /** By partition: where it ended at the start; those that have been read so far are not in it. */
  readonly #ends = new Map<string, number>();
  #pumping: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(
    io: ClientIo,
    private readonly admin: Admin,
    options: ConsumerOptions,
    private readonly task: GlobalTask,
    private readonly logger: Logger,
    /** It can read no more. */
    private readonly onFailed: (error: Error) => void,
  ) {
    this.#consumer = new Consumer(io, { ...options, autoOffsetReset: "earliest" });
    this.#filled.promise.catch(() => {});
  }

  /** Resolves when the stores have what was in the topics; reads on then. */
  async start(): Promise<void> {
    const all = (await Promise.all(this.task.topics.map(async (topic) => {
      const { partitions } = await this.admin.cluster.topic(topic);
      return partitions.map(({ partition }) => ({ topic, partition }));
    }))).flat();
    const list = async (at: "earliest" | "latest") => {
      const answers = await this.admin.listOffsets(all.map((each) => ({ ...each, at })));
      for (const { error } of answers) if (error !== null) throw error;
      return answers;
    };
    const [starts, ends] = [await list("earliest"), await list("latest")];
    ends.forEach(({ topic, partition, offset }, i) => {
      if (offset > starts[i]!.offset) {
        this.#ends.set(partitionKey(topic, partition), Number(offset));
      }
    });
    if (this.#ends.size === 0) this.#filled.resolve();
    await this.#consumer.assign(starts);
    this.#pumping = this.#pump();
    await this.#filled.promise;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#filled.resolve();
    await this.#consumer.close();
    await this.#pumping;
    this.task.close();
  }

  async #pump(): Promise<void> {
    for (;;) {
      try {
        const chunk = await this.#consumer.nextChunk();
        if (chunk === null || this.#isClosed) return;
        this.#take(chunk);
      } catch (error) {
        if (this.#isClosed) return;
        const isPassing = isRetriableError(error) || error instanceof TimeoutError;
        if (!isPassing) {
          this.#filled.reject(asError(error));
          return this.onFailed(asError(error));
        }
        this.logger.warn("global topics cannot be read now", { error: asError(error).message });
      }
    }
  }

  #take(chunk: FetchedChunk): void {
    const { topic, partition } = chunk;
    this.task.add(topic, chunk.records());
    const key = partitionKey(topic, partition);
    if (chunk.nextOffset < (this.#ends.get(key) ?? Infinity)) return;
    this.#ends.delete(key);
    if (this.#ends.size === 0) this.#filled.resolve();
  }
}
