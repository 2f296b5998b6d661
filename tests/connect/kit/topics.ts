/** The scenario's own ways into and out of topics. */
import { Consumer, Producer, stringSerde } from "../../../client/index.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunNetwork } from "../../../core/io/bun/network.ts";
import { bunRandom } from "../../../core/io/bun/random.ts";

const io = { clock: bunClock, network: bunNetwork, random: bunRandom };
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

/** Reads what is committed in a topic, more each time, until nothing comes for a moment. */
export class TopicReader {
  readonly values: string[] = [];
  #consumer: Consumer<string | null, string | null> | null = null;

  constructor(readonly bootstrap: string, readonly topic: string, readonly partitions: number) {}

  async readOn(): Promise<readonly string[]> {
    while (await this.readMore());
    return this.values;
  }

  /** Whether something more has come within a moment. */
  async readMore(): Promise<boolean> {
    const consumer = this.#consumer ??= await this.#open();
    const chunk = await consumer.nextChunk(AbortSignal.timeout(1000)).catch(() => null);
    if (chunk === null) return false;
    const decoder = new TextDecoder();
    for (const { value } of chunk.records()) {
      this.values.push(value === null ? "" : decoder.decode(value));
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
