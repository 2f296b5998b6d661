/**
 * A share group while leaders of its records and coordinators of its state move by chance, and some
 * brokers hear of it late: what was acknowledged never comes again, and all is acknowledged at last.
 */
import { expect, test } from "bun:test";
import { KafkaError, TimeoutError } from "../../client/errors.ts";
import { Producer } from "../../client/producer.ts";
import { ShareConsumer } from "../../client/share-consumer.ts";
import { ConnectionError } from "../../core/connection.ts";
import { sleep } from "../../core/io.ts";
import { describeShareGroupOffsets } from "../../core/protocol/90-describe-share-group-offsets.ts";
import { HandMadeCluster, type Layout, makeTrouble } from "./hand-made-cluster.test-helper.ts";

const SEEDS = Number(process.env["KSTREAM_COORDINATOR_SEEDS"] ?? 3);
const TROUBLE_MS = 30_000;
const GROUP = "g";
const TOPICS: Readonly<Record<string, Layout>> = {
  t: [[1, 2, 3], [2, 3, 1]],
  __share_group_state: [[3, 1, 2], [1, 2, 3], [2, 3, 1]],
  __consumer_offsets: [[2, 1, 3]],
};

class Story {
  readonly cluster: HandMadeCluster;
  /** Values that were acknowledged, and that brokers said they had taken. */
  readonly done = new Set<string>();
  readonly produced = new Set<string>();
  readonly wrongs: string[] = [];
  #isOver = false;

  constructor(seed: number) {
    this.cluster = new HandMadeCluster([1, 2, 3], TOPICS, {
      "group.share.min.record.lock.duration.ms": "1000",
      "group.share.record.lock.duration.ms": "5000",
      "group.share.max.delivery.count.limit": "25",
      "group.share.delivery.count.limit": "10",
    }, seed);
    const config = { type: "config", version: 1, resourceType: "group" } as const;
    const reset = { resourceName: GROUP, name: "share.auto.offset.reset", value: "earliest" };
    this.cluster.tell([{ ...config, ...reset }]);
  }

  run(): void {
    const { clock } = this.cluster;
    const producing = this.#produce();
    const stop = new AbortController();
    const consuming = [1, 2].map(() => this.#consume(stop.signal));
    makeTrouble(this.cluster, TOPICS, TROUBLE_MS);
    this.#isOver = true;
    clock.run(producing);
    // Locks of members that lost their leader run out.
    for (let round = 0; round < 60 && this.done.size < this.produced.size; round++) {
      clock.advance(2000);
    }
    // Where an answer was lost, the record is done and nobody knows.
    clock.advance(20_000);
    stop.abort();
    clock.run(Promise.all(consuming));
  }

  async #produce(): Promise<void> {
    const { brokers, clock, random } = this.cluster;
    const producer = new Producer(this.cluster.clientIo(), { brokers });
    for (let number = 0; !this.#isOver; number++) {
      const value = String(number);
      const partition = random.below(2);
      await producer.send({ topic: "t", partition, value: new TextEncoder().encode(value) });
      this.produced.add(value);
      await sleep(clock, random.below(200));
    }
    await producer.close();
  }

  async #consume(signal: AbortSignal): Promise<void> {
    const { brokers, clock, random } = this.cluster;
    const consumer = new ShareConsumer(this.cluster.clientIo(), {
      brokers,
      groupId: GROUP,
      acknowledgement: "explicit",
      maxRecords: 1,
      // So that a member hears of another leader while the one before has not.
      metadataMaxAgeMs: 200 + random.below(500),
      strictMaxRecords: true,
    });
    consumer.subscribe(["t"]);
    while (!signal.aborted) {
      try {
        const record = await consumer.next(signal);
        if (record === null) break;
        const value = new TextDecoder().decode(record.value ?? undefined);
        if (this.done.has(value)) this.wrongs.push(`${value} comes again`);
        await sleep(clock, random.below(300));
        if (!consumer.acknowledgeIfHeld(record)) continue;
        const failures = await consumer.commit(signal);
        const isTaken = !failures.some(({ partition, offsets }) =>
          partition === record.partition && offsets.includes(Number(record.offset))
        );
        if (isTaken) this.done.add(value);
      } catch (error) {
        if (signal.aborted) break;
        const isPassing = error instanceof KafkaError || error instanceof TimeoutError ||
          error instanceof ConnectionError;
        if (!isPassing) throw error;
      }
    }
    await consumer.close();
  }

  /** How far the group is, by partition. */
  starts(): { readonly startOffset: number; readonly endOffset: number }[] {
    const { groups } = this.cluster.ask(
      this.cluster.coordinatorOf(GROUP),
      describeShareGroupOffsets,
      { groups: [{ groupId: GROUP, topics: null }] },
    );
    return groups[0]!.topics[0]!.partitions.map(({ partitionIndex, startOffset, errorCode }) => {
      expect(errorCode).toBe(0);
      const [leader] = [1, 2, 3].map((id) => this.cluster.partition(id, "t", partitionIndex))
        .filter(({ isLeader }) => isLeader)
        .toSorted((a, b) => b.leaderEpoch - a.leaderEpoch);
      return { startOffset: Number(startOffset), endOffset: leader!.highWatermark };
    });
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`what a share group has acknowledged is done, whoever keeps it (seed ${seed})`, () => {
    const story = new Story(seed);
    story.run();
    expect(story.wrongs).toEqual([]);
    expect(story.produced.size).toBeGreaterThan(50);
    for (const { startOffset, endOffset } of story.starts()) expect(startOffset).toBe(endOffset);
    story.cluster.stop();
  }, 60_000);
}
