/** Incremental fetches against a broker that keeps the book as Kafka does, and forgets now and then. */
import { expect, test } from "bun:test";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { fetch as fetchApi } from "../../core/protocol/01-fetch.ts";
import { metadata } from "../../core/protocol/03-metadata.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { ClientWorld } from "../../tests/sim/client-world.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { Consumer } from "../consumer.ts";
import { FakeBroker } from "../fake-broker.test-helper.ts";
import { stringSerde } from "../serde.ts";

const PARTITIONS = 50;
const RECORDS = 40;
const IDS = ["AAAAAAAAAAAAAAAAAAAAAQ", "AAAAAAAAAAAAAAAAAAAAAg"] as const;

type FetchRequest = RequestOf<typeof fetchApi>;

/** Sessions as a broker has them, over partitions with one record in each batch. */
class SessionBroker {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly broker = new FakeBroker(this.clock, { t: PARTITIONS });
  readonly random: SimRandom;
  /** How many partitions each request named, and forgot. */
  readonly named: number[] = [];
  readonly forgotten: number[] = [];
  /** Of 100 requests, how many meet with trouble. */
  troublePercent = 0;
  ends = new Array<number>(PARTITIONS).fill(0);
  topicId: string = IDS[0];
  #session: { id: number; epoch: number; offsets: Map<string, number> } | null = null;
  #lastId = 0;

  constructor(seed: number) {
    this.random = new SimRandom(seed);
    this.broker.on(fetchApi, (request) => {
      if (this.random.below(100) < this.troublePercent) {
        if (this.random.below(2) === 0) return "hang-up";
        this.#session = null;
      }
      return this.#fetch(request);
    });
    this.broker.on(metadata, () => ({
      brokers: [{ nodeId: 1, ...this.broker.address }],
      topics: [{
        name: "t",
        topicId: this.topicId,
        partitions: this.ends.map((_, partitionIndex) => ({ partitionIndex, leaderId: 1 })),
      }],
    }));
  }

  consumer() {
    const io = { clock: this.clock, random: this.random, network: this.broker };
    const options = { brokers: [this.broker.address], value: stringSerde };
    return new Consumer<Uint8Array, string>(io, { ...options, metadataMaxAgeMs: 5000 });
  }

  #fetch(request: FetchRequest): EncodableResponse<typeof fetchApi> {
    const { sessionId, sessionEpoch, topics, forgottenTopicsData } = request;
    this.named.push(topics.reduce((sum, { partitions }) => sum + partitions.length, 0));
    this.forgotten.push(forgottenTopicsData.reduce((sum, each) => sum + each.partitions.length, 0));
    if (sessionEpoch === 0) {
      this.#session = { id: ++this.#lastId, epoch: 0, offsets: new Map() };
    } else if (this.#session === null || this.#session.id !== sessionId) {
      return { errorCode: Errors.FETCH_SESSION_ID_NOT_FOUND };
    } else if (this.#session.epoch !== sessionEpoch) {
      return { errorCode: Errors.INVALID_FETCH_SESSION_EPOCH };
    }
    const session = this.#session!;
    session.epoch++;
    for (const { topicId, partitions } of topics) {
      for (const { partition, fetchOffset } of partitions) {
        session.offsets.set(`${topicId}/${partition}`, Number(fetchOffset));
      }
    }
    for (const { topicId, partitions } of forgottenTopicsData) {
      for (const partition of partitions) session.offsets.delete(`${topicId}/${partition}`);
    }
    const partitions = [...session.offsets].flatMap(([key, offset]) => {
      const [topicId, index] = key.split("/");
      const partitionIndex = Number(index);
      const isGone = topicId !== this.topicId;
      const end = this.ends[partitionIndex] ?? 0;
      if (!isGone && offset >= end) return [];
      const builder = new BatchBuilder({ baseOffset: offset });
      builder.append(0, null, stringSerde.serialize(`${offset}`, { topic: "t", part: "value" }));
      const errorCode = isGone ? Errors.UNKNOWN_TOPIC_ID : Errors.NONE;
      const records = isGone ? null : builder.build();
      return [{
        topicId,
        answer: { partitionIndex, errorCode, highWatermark: BigInt(end), records },
      }];
    });
    return {
      sessionId: session.id,
      responses: IDS.map((topicId) => ({
        topicId,
        partitions: partitions.filter((each) => each.topicId === topicId).map((each) =>
          each.answer
        ),
      })).filter((topic) => topic.partitions.length > 0),
    };
  }
}

const everywhere = Array.from(
  { length: PARTITIONS },
  (_, partition) => ({ topic: "t", partition, offset: 0n }),
);

function reading(consumer: Consumer<Uint8Array, string>) {
  const seen = Array.from({ length: PARTITIONS }, (): string[] => []);
  const done = (async () => {
    for await (const { partition, value } of consumer.records()) seen[partition]!.push(value ?? "");
  })();
  return { seen, done };
}

const values = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

test("only what has changed is asked for", () => {
  const world = new SessionBroker(1);
  const consumer = world.consumer();
  world.clock.run(consumer.assign(everywhere));
  const { seen, done } = reading(consumer);
  world.clock.advance(5000);
  expect(world.named[0]).toBe(PARTITIONS);
  expect(new Set(world.named.slice(1))).toEqual(new Set([0]));
  world.ends[7] = 3;
  world.clock.advance(5000);
  expect(seen[7]).toEqual(values(3));
  expect(Math.max(...world.named.slice(1))).toBe(1);
  consumer.pause("t", 7);
  world.clock.advance(5000);
  expect(world.forgotten.filter((count) => count > 0)).toEqual([1]);
  consumer.resume("t", 7);
  world.ends[7] = 5;
  world.clock.advance(5000);
  expect(seen[7]).toEqual(values(5));
  world.clock.run(consumer.close());
  world.clock.run(done);
});

for (const seed of [1, 2, 3, 4, 5]) {
  test(`sessions that are lost, and answers too, lose and double nothing (seed ${seed})`, () => {
    const world = new SessionBroker(seed);
    world.troublePercent = 20;
    const consumer = world.consumer();
    world.clock.run(consumer.assign(everywhere));
    const { seen, done } = reading(consumer);
    for (let round = 0; round < RECORDS; round++) {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        if (world.random.below(3) > 0) world.ends[partition]!++;
      }
      const paused = world.random.below(PARTITIONS);
      consumer.pause("t", paused);
      world.clock.advance(world.random.below(1000));
      consumer.resume("t", paused);
    }
    world.clock.advance(60_000);
    expect(seen).toEqual(world.ends.map(values));
    world.clock.run(consumer.close());
    world.clock.run(done);
  });
}

test("a topic that is deleted and made again takes the place of the old one in the session", () => {
  const world = new SessionBroker(1);
  world.ends.fill(2);
  const consumer = world.consumer();
  world.clock.run(consumer.assign(everywhere));
  const { seen, done } = reading(consumer);
  world.clock.advance(5000);
  world.topicId = IDS[1];
  world.ends.fill(4);
  world.clock.advance(20_000);
  expect(seen).toEqual(world.ends.map(values));
  world.clock.run(consumer.close());
  world.clock.run(done);
});

for (const slots of ["0", "1000"]) {
  test(`a whole broker with ${slots} sessions, and connections that break`, () => {
    const world = new ClientWorld(3, { t: PARTITIONS }, {
      "max.incremental.fetch.session.cache.slots": slots,
    });
    const io = world.clientIo();
    const consumer = new Consumer(io, { brokers: world.brokers, value: stringSerde });
    world.clock.run(consumer.assign(everywhere));
    const { seen, done } = reading(consumer);
    for (let round = 0; round < 10; round++) {
      world.clock.run(world.produce("t", PARTITIONS, round * 200, 200));
      io.network.breakAll();
      world.clock.advance(3000);
    }
    const all = Array.from(
      { length: PARTITIONS },
      (_, partition) => Array.from({ length: 40 }, (_, i) => `${partition + i * PARTITIONS}`),
    );
    expect(seen).toEqual(all);
    world.clock.run(consumer.close());
    world.clock.run(done);
    world.stop();
  });
}

/** Reads one partition of a whole broker until its session is there. */
function readingWorld() {
  const world = new ClientWorld(5, { t: 2 });
  const io = world.clientIo();
  const consumer = new Consumer(io, { brokers: world.brokers, value: stringSerde });
  world.clock.run(consumer.assign([{ topic: "t", partition: 0, offset: 0n }]));
  return { world, consumer, network: io.network, sessions: world.broker.broker.fetchSessions };
}

for (const state of ["opening it", "waiting for records", "between two fetches"]) {
  test(`a consumer that closes while ${state} leaves no session behind`, () => {
    const { world, consumer, sessions } = readingWorld();
    world.clock.advance(state === "opening it" ? 10 : 2000);
    if (state === "between two fetches") {
      consumer.pause("t", 0);
      world.clock.advance(2000);
    }
    expect(sessions.size).toBe(state === "opening it" ? 0 : 1);
    const beganMs = world.clock.monotonicMs();
    world.clock.run(consumer.close());
    expect(world.clock.monotonicMs() - beganMs).toBeLessThan(50);
    world.clock.advance(2000);
    expect(sessions.size).toBe(0);
    world.stop();
  });
}

for (const trouble of ["is gone", "does not answer"]) {
  test(`a consumer closes soon where the broker ${trouble}`, () => {
    const { world, consumer, network } = readingWorld();
    world.clock.advance(2000);
    if (trouble === "is gone") world.stop();
    else network.isolate();
    const beganMs = world.clock.monotonicMs();
    world.clock.run(consumer.close());
    expect(world.clock.monotonicMs() - beganMs).toBeLessThan(501);
    if (trouble !== "is gone") world.stop();
  });
}

test("the end of a partition that is assigned again is known, though the broker does not tell it again", () => {
  const world = new ClientWorld(5, { t: 1 });
  try {
    world.clock.run((async () => {
      const consumer = new Consumer(world.clientIo(), { brokers: world.brokers });
      const position = { topic: "t", partition: 0, offset: 0n };
      await consumer.assign([position]);
      const known = async () => {
        for (let i = 0; i < 1000; i++) {
          if (consumer.endOffset("t", 0) !== null) return consumer.endOffset("t", 0);
          await sleep(world.clock, 10);
        }
        return null;
      };
      expect(await known()).toBe(0);
      // Between the answer of one fetch and the next.
      for (let round = 0; round < 20; round++) {
        consumer.unassign([position]);
        const assigning = consumer.assign([position]);
        expect(consumer.endOffset("t", 0)).toBeNull();
        await assigning;
        expect(await known()).toBe(0);
      }
      await consumer.close();
    })());
  } finally {
    world.stop();
  }
});
