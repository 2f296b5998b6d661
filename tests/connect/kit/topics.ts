/** The scenario's own ways into and out of topics. */
import { Consumer, Producer, stringSerde } from "../../../client/index.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunNetwork } from "../../../core/io/bun/network.ts";
import { bunRandom } from "../../../core/io/bun/random.ts";

/** Of clients. */
export const io = { clock: bunClock, network: bunNetwork, random: bunRandom };
/** Longer than any broker is away. */
const PATIENCE_MS = 120_000;

/** Writes every record once, through crashes of brokers. */
export class TopicFeed {
  readonly #producer: Producer<string, string>;

  constructor(bootstrap: string, readonly topic: string) {
    this.#producer = new Producer(io, {
      brokers: [bootstrap],
      key: stringSerde,
      value: stringSerde,
      deliveryTimeoutMs: PATIENCE_MS,
    });
  }

  async send(
    records: readonly {
      readonly key: string;
      readonly value: string;
      readonly partition?: number;
    }[],
  ): Promise<void> {
    await this.#producer.sendAll(records.map((record) => ({ topic: this.topic, ...record })));
  }

  close(): Promise<void> {
    return this.#producer.close();
  }
}

/** A record as it is in a topic. */
export interface TopicRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
  /** `partition:offset` */
  readonly at: string;
}

/** Of a topic that more comes into all the time. */
const READ_MS_MAX = 5000;

/** Reads what is committed in a topic, more each time. */
export class TopicReader {
  readonly #records: TopicRecord[] = [];
  #consumer: Consumer<string | null, string | null> | null = null;

  constructor(readonly bootstrap: string, readonly topic: string, readonly partitions: number) {}

  /** All so far: until nothing comes for a moment, or for some seconds, as there are endless ones. */
  async readOn(): Promise<readonly TopicRecord[]> {
    const untilMs = performance.now() + READ_MS_MAX;
    while (await this.readMore() && performance.now() < untilMs);
    return this.#records;
  }

  /** Whether something more has come within a moment. */
  async readMore(): Promise<boolean> {
    const consumer = this.#consumer ??= await this.#open();
    const chunk = await consumer.nextChunk(AbortSignal.timeout(1000)).catch(() => null);
    if (chunk === null) return false;
    for (const { key, value, timestampMs, partition, offset } of chunk.records()) {
      this.#records.push({
        key: key?.slice() ?? null,
        value: value?.slice() ?? null,
        timestampMs,
        at: `${partition}:${offset}`,
      });
    }
    return true;
  }

  async #open(): Promise<Consumer<string | null, string | null>> {
    const consumer = new Consumer<string | null, string | null>(io, {
      brokers: [this.bootstrap],
      isolationLevel: "read_committed",
    });
    const { topic } = this;
    const all = Array.from({ length: this.partitions }, (_, partition) => partition);
    await consumer.assign(all.map((partition) => ({ topic, partition, offset: 0n })));
    return consumer;
  }

  async close(): Promise<void> {
    await this.#consumer?.close();
  }
}
