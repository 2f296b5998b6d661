/**
 * Transactions while leaders and coordinators move by chance, and some brokers hear of it late: all of
 * a transaction counts or nothing, records and offsets alike, and what was acknowledged stays.
 */
import { expect, test } from "bun:test";
import { Consumer } from "../../client/consumer.ts";
import { KafkaError, TimeoutError } from "../../client/errors.ts";
import { Producer } from "../../client/producer.ts";
import { offsetFetch } from "../../core/protocol/09-offset-fetch.ts";
import { HandMadeCluster, type Layout, makeTrouble } from "./hand-made-cluster.test-helper.ts";

/** In CI so many; all that matters is that each is another story. */
const SEEDS = Number(process.env["KSTREAM_COORDINATOR_SEEDS"] ?? 3);
const PARTITIONS = 3;
const WORKERS = 2;
const TROUBLE_MS = 30_000;

const TOPICS: Readonly<Record<string, Layout>> = {
  t: [[1, 2, 3], [2, 3, 1], [3, 1, 2]],
  __transaction_state: [[3, 1, 2], [1, 2, 3]],
  __consumer_offsets: [[2, 1, 3], [3, 2, 1]],
};

type Fate = "committed" | "aborted" | "unknown";

class Story {
  readonly cluster: HandMadeCluster;
  readonly fates = new Map<string, Fate>();
  /** The numbers of transactions whose offsets may be those that count, by worker. */
  readonly last: number[][] = [];
  #isOver = false;

  constructor(seed: number, level: number) {
    this.cluster = new HandMadeCluster([1, 2, 3], TOPICS, {}, seed);
    this.cluster.tell([{ type: "feature", version: 1, name: "transaction.version", level }]);
  }

  run(): void {
    const { clock } = this.cluster;
    const working = Array.from({ length: WORKERS }, (_, worker) => this.#work(worker));
    makeTrouble(this.cluster, TOPICS, TROUBLE_MS);
    this.#isOver = true;
    clock.run(Promise.all(working));
    clock.advance(10_000);
  }

  #producer(worker: number): Producer {
    return new Producer(this.cluster.clientIo(), {
      brokers: this.cluster.brokers,
      transactionalId: `worker-${worker}`,
      apiTimeoutMs: 10_000,
      requestTimeoutMs: 2000,
    });
  }

  async #work(worker: number): Promise<void> {
    let producer: Producer | null = null;
    const last: number[] = this.last[worker] = [];
    for (let number = 1; !this.#isOver; number++) {
      producer ??= await this.#begin(worker);
      if (producer === null) continue;
      const fate = await this.#transaction(producer, worker, number);
      this.fates.set(`${worker}:${number}`, fate);
      if (fate === "committed") last.splice(0, last.length, number);
      if (fate === "unknown") {
        last.push(number);
        await close(producer);
        producer = null;
      }
    }
    if (producer !== null) await close(producer);
  }

  async #begin(worker: number): Promise<Producer | null> {
    const producer = this.#producer(worker);
    try {
      await producer.transactions.init();
      return producer;
    } catch (error) {
      rethrowBug(error);
      await close(producer);
      return null;
    }
  }

  async #transaction(producer: Producer, worker: number, number: number): Promise<Fate> {
    const { transactions } = producer;
    const { random } = this.cluster;
    const value = new TextEncoder().encode(`${worker}:${number}`);
    transactions.begin();
    let isCommitting = false;
    try {
      const sending = Array.from(
        { length: PARTITIONS },
        (_, partition) => producer.send({ topic: "t", partition, value }),
      );
      const sent = Promise.all(sending);
      sent.catch(() => {});
      await transactions.sendOffsets(
        [{ topic: "t", partition: worker, offset: BigInt(number) }],
        { groupId: `group-${worker}` },
      );
      await sent;
      if (random.below(4) > 0) {
        isCommitting = true;
        await transactions.commit();
        return "committed";
      }
    } catch (error) {
      rethrowBug(error);
      if (isCommitting) return "unknown";
    }
    try {
      await transactions.abort();
      return "aborted";
    } catch (error) {
      rethrowBug(error);
      // Nobody has committed it, and another producer of the id ends it.
      await close(producer);
      return "unknown";
    }
  }

  /** What readers of committed records see, by partition. */
  read(): string[][] {
    const { clock } = this.cluster;
    const consumer = new Consumer(this.cluster.clientIo(), {
      brokers: this.cluster.brokers,
      isolationLevel: "read_committed",
    });
    const values = Array.from({ length: PARTITIONS }, (): string[] => []);
    const starts = values.map((_, partition) => ({ topic: "t", partition, offset: 0n }));
    clock.run(consumer.assign(starts));
    const stop = new AbortController();
    const reading = (async () => {
      for await (const { partition, value } of consumer.records({ signal: stop.signal })) {
        values[partition]!.push(new TextDecoder().decode(value ?? undefined));
      }
    })().catch(() => {});
    clock.advance(5000);
    stop.abort();
    clock.run(reading);
    clock.run(consumer.close());
    return values;
  }

  offset(worker: number): number {
    const groupId = `group-${worker}`;
    const broker = this.cluster.coordinatorOf(groupId);
    const { groups } = this.cluster.ask(broker, offsetFetch, {
      groups: [{ groupId, topics: [{ name: "t", partitionIndexes: [worker] }] }],
      requireStable: true,
    }, 9);
    const [group] = groups;
    expect(group?.errorCode).toBe(0);
    expect(group!.topics[0]!.partitions[0]!.errorCode).toBe(0);
    return Number(group!.topics[0]!.partitions[0]!.committedOffset);
  }
}

async function close(producer: Producer): Promise<void> {
  await producer.close().catch(rethrowBug);
}

function rethrowBug(error: unknown): void {
  if (!(error instanceof KafkaError || error instanceof TimeoutError)) throw error;
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`transactions are whole, whoever coordinates them (seed ${seed})`, () => {
    const story = new Story(seed, 1 + seed % 2);
    story.run();
    const byPartition = story.read();
    const seen = new Set(byPartition[0]);
    for (const values of byPartition) {
      expect(values.length).toBe(seen.size);
      expect(new Set(values)).toEqual(seen);
    }
    for (const [value, fate] of story.fates) {
      if (fate !== "unknown") {
        expect([value, seen.has(value)]).toEqual([value, fate === "committed"]);
      }
    }
    const counts = [...story.fates.values()];
    expect(counts.filter((fate) => fate === "committed").length).toBeGreaterThan(10);
    for (const [worker, last] of story.last.entries()) {
      const offset = story.offset(worker);
      expect(last.includes(offset) || last.length === 0).toBe(true);
      expect([offset, seen.has(`${worker}:${offset}`)]).toEqual([offset, true]);
    }
    story.cluster.stop();
  }, 60_000);
}
