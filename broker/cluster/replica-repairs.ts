/**
 * Mends damaged batches of this broker's replicas with what others in the ISR have at the same offsets:
 * below the high watermark logs are equal byte for byte. One partition at a time.
 */
import { errorName, Errors } from "../../core/errors.ts";
import type { Clock } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import type { Damage } from "../../storage/partition-log.ts";
import type { Partition } from "../partition.ts";
import type { Peers } from "./peers.ts";

/** What it is built from. */
export interface ReplicaRepairsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeId: number;
  readonly peers: Pick<Peers, "connect">;
}

/** The name of the connections. */
const USE = "repair";
const TIMEOUT_MS = 10_000;
/** A damage that nobody could mend is left alone for so long. */
const REST_MS = 30_000;
/** What is fetched beyond the size of the damage: batches come whole. */
const SLACK_BYTES = 1 << 20;

/** See the head of the file. `close` it. */
export class ReplicaRepairs {
  readonly #waiting = new Map<Partition, number>();
  readonly #restingUntilMs = new WeakMap<Partition, number>();
  readonly #closed = new AbortController();
  #running: Promise<void> | null = null;

  constructor(private readonly options: ReplicaRepairsOptions) {}

  /** The batch that holds `offset` cannot be read. */
  submit(partition: Partition, offset: number): void {
    const restingUntilMs = this.#restingUntilMs.get(partition) ?? 0;
    if (this.#closed.signal.aborted || restingUntilMs > this.options.clock.monotonicMs()) return;
    this.#waiting.set(partition, offset);
    this.#running ??= this.#run().finally(() => this.#running = null);
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error("the broker stops"));
    await this.#running;
  }

  async #run(): Promise<void> {
    for (const [partition, offset] of this.#waiting) {
      if (this.#closed.signal.aborted) return;
      const { topic, index, log } = partition;
      const fields = { topic, partition: index, offset };
      try {
        const damage = await log.findDamage(offset);
        const from = damage === null ? null : await this.#mend(partition, damage);
        if (from !== null) {
          this.options.logger.warn("a damaged batch was mended from another replica", {
            ...fields,
            broker: from,
          });
        }
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.options.logger.error("a damaged batch stays", { ...fields, reason });
        this.#restingUntilMs.set(partition, this.options.clock.monotonicMs() + REST_MS);
      }
      this.#waiting.delete(partition);
    }
  }

  /** The broker that had it. Throws where none has. */
  async #mend(partition: Partition, damage: Damage): Promise<number> {
    const { log, leadership: { leaderId }, isr } = partition;
    const others = isr.filter((id) => id !== this.options.nodeId)
      .sort((a, b) => Number(b === leaderId) - Number(a === leaderId));
    const reasons: string[] = [];
    for (const brokerId of others) {
      try {
        const records = await this.#fetch(brokerId, partition, damage);
        if (partition.closed || partition.log !== log) throw new Error("the replica has changed");
        if (await log.mend(damage, records)) return brokerId;
        reasons.push(`what broker ${brokerId} has does not fit`);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        reasons.push(`broker ${brokerId}: ${reason}`);
      }
    }
    throw new Error(reasons.length > 0 ? reasons.join("; ") : "no other replica is in sync");
  }

  /** As a consumer does, so that it says nothing of what this broker has. */
  async #fetch(brokerId: number, partition: Partition, damage: Damage): Promise<Uint8Array> {
    const { signal } = this.#closed;
    const connection = await this.options.peers.connect(brokerId, USE, signal);
    const maxBytes = damage.sizeBytes + SLACK_BYTES;
    const response = await connection.request(fetch, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes,
      topics: [{
        topic: partition.topic,
        topicId: partition.topicId,
        partitions: [{
          partition: partition.index,
          fetchOffset: BigInt(damage.offset),
          partitionMaxBytes: maxBytes,
        }],
      }],
      forgottenTopicsData: [],
      rackId: "",
    }, { timeoutMs: TIMEOUT_MS, signal });
    const answer = response.responses[0]?.partitions[0];
    const error = answer?.errorCode ?? response.errorCode;
    if (error !== Errors.NONE) throw new Error(errorName(error));
    return answer?.records ?? new Uint8Array(0);
  }
}
