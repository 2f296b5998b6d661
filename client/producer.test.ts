import { expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import { produce } from "../core/protocol/00-produce.ts";
import { initProducerId } from "../core/protocol/22-init-producer-id.ts";
import { int32Serde, jsonSerde, SerdeError } from "./serde.ts";
import { SimClock } from "../tests/sim/sim-clock.ts";
import { SimRandom } from "../tests/sim/sim-random.ts";
import { FakeBroker } from "./fake-broker.test-helper.ts";
import type { Fate } from "./fake-broker.test-helper.ts";
import { FakeLog } from "./fake-log.test-helper.ts";
import { KafkaError, TimeoutError } from "./errors.ts";
import { partitionOfKey } from "../core/murmur2.ts";
import { Producer } from "./producer.ts";
import type { BatchReport, ProducerOptions } from "./producer.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** What happens to one Produce request: before or after its batches are appended. */
type Trouble = { readonly before?: Fate | number; readonly after?: Fate | number } | null;

class World {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random: SimRandom;
  readonly broker: FakeBroker;
  readonly logs = new Map<string, FakeLog>();
  readonly reports: BatchReport[] = [];
  /** Sizes of the requests, in batches. */
  readonly requests: number[] = [];
  trouble: () => Trouble = () => null;

  constructor(seed = 1, topics: Record<string, number> = { t: 1 }) {
    this.random = new SimRandom(seed);
    this.broker = new FakeBroker(this.clock, topics);
    this.broker.on(initProducerId, () => ({ producerId: 7n, producerEpoch: 0 }));
    this.broker.on(produce, ({ topicData, acks }) => {
      const trouble = this.trouble();
      this.requests.push(topicData.reduce((sum, each) => sum + each.partitionData.length, 0));
      if (typeof trouble?.before === "string") return trouble.before;
      const responses = topicData.map(({ name, partitionData }) => ({
        name,
        partitionResponses: partitionData.map(({ index, records }) => {
          if (typeof trouble?.before === "number") return { index, errorCode: trouble.before };
          const answer = this.log(name, index).append(records ?? new Uint8Array(0));
          if (typeof trouble?.after === "number") return { index, errorCode: trouble.after };
          return { index, ...answer };
        }),
      }));
      if (typeof trouble?.after === "string") return trouble.after;
      return acks === 0 ? "none" : { responses };
    });
  }

  log(topic: string, partition: number): FakeLog {
    const key = `${topic}/${partition}`;
    const log = this.logs.get(key) ?? new FakeLog();
    this.logs.set(key, log);
    return log;
  }

  producer(options: Partial<ProducerOptions> = {}): Producer {
    return new Producer({ clock: this.clock, random: this.random, network: this.broker }, {
      brokers: [this.broker.address],
      onBatch: (report) => this.reports.push(report),
      ...options,
    });
  }

  count(acknowledged: boolean): number {
    return this.reports
      .filter(({ error }) => (error === null) === acknowledged)
      .reduce((sum, { recordCount }) => sum + recordCount, 0);
  }
}

test("a record is acknowledged with its place", () => {
  const world = new World();
  const producer = world.producer();
  const send = (value: string) => producer.send({ topic: "t", value: encode(value) });
  const [first, second] = world.clock.run(Promise.all([send("a"), send("b")]));
  expect(first).toMatchObject({ topic: "t", partition: 0, offset: 0n });
  expect(first?.timestampMs).toBeGreaterThanOrEqual(1_700_000_000_000);
  expect(second?.offset).toBe(1n);
  expect(world.log("t", 0).values).toEqual(["a", "b"]);
  expect(world.requests).toEqual([1]);
});

test("serdes make bytes of typed keys and values; what they cannot say is not sent", () => {
  const world = new World();
  const io = { clock: world.clock, random: world.random, network: world.broker };
  const order = jsonSerde((value) => value as { total: number | bigint });
  const options = { brokers: [world.broker.address], key: int32Serde, value: order };
  const producer = new Producer<number, { total: number | bigint }>(io, options);
  world.clock.run(producer.send({ topic: "t", key: 7, value: { total: 12.5 } }));
  world.clock.run(producer.send({ topic: "t", value: null }));
  expect(world.log("t", 0).values).toEqual(['{"total":12.5}', "null"]);
  const refused = (key: number, total: number | bigint) =>
    world.clock.run(producer.send({ topic: "t", key, value: { total } }).catch((error) => error));
  for (const [error, part] of [[refused(2 ** 40, 1), "key"], [refused(1, 1n), "value"]] as const) {
    expect(error).toBeInstanceOf(SerdeError);
    expect(error.message).toStartWith(`the ${part} of a record for t: `);
  }
  expect(world.log("t", 0).values.length).toBe(2);
});

test("a batch leaves when it is full, else when it is old", () => {
  const world = new World();
  const producer = world.producer({ batchBytes: 1000, lingerMs: 50 });
  const writer = world.clock.run(producer.topic("t"));
  for (let i = 0; i < 30; i++) writer.append(0, 0, null, new Uint8Array(100));
  world.clock.advance(30);
  expect(world.requests.length).toBe(3);
  expect(world.count(true)).toBeLessThan(30);
  world.clock.advance(60);
  expect(world.count(true)).toBe(30);
});

test("what comes while a leader is silent waits in one batch", () => {
  const world = new World();
  const producer = world.producer({ lingerMs: 5 });
  world.trouble = () => ({ before: Errors.NOT_LEADER_OR_FOLLOWER });
  const sent: Promise<unknown>[] = [];
  for (let i = 0; i < 100; i++) {
    sent.push(producer.send({ topic: "t", value: encode(`value ${i}`) }));
    world.clock.advance(10);
  }
  world.trouble = () => null;
  world.clock.run(Promise.all(sent));
  expect(world.log("t", 0).values).toEqual(sent.map((_, i) => `value ${i}`));
  expect(world.reports.length).toBeLessThan(10);
});

test("a flush sends what has lingered and what has not", () => {
  const world = new World();
  const producer = world.producer({ lingerMs: 1000 });
  const sent = [producer.send({ topic: "t", value: encode("a") })];
  world.clock.advance(5);
  world.clock.run(producer.flush());
  expect(world.count(true)).toBe(1);
  sent.push(producer.send({ topic: "t", value: encode("b") }));
  world.clock.run(Promise.all(sent));
  expect(world.log("t", 0).values).toEqual(["a", "b"]);
});

test("a leader that was named in a refusal is asked at once, the same one after a pause", () => {
  for (const [leaderEpoch, leastMs, mostMs] of [[5, 0, 100], [-1, 5000, 20_000]] as const) {
    const world = new World();
    const producer = world.producer({ retryBackoffMs: 10_000, retryBackoffMaxMs: 10_000 });
    let asked = 0;
    world.broker.on(produce, ({ topicData }) => ({
      responses: topicData.map(({ name }) => ({
        name,
        partitionResponses: [
          asked++ === 0
            ? {
              index: 0,
              errorCode: Errors.NOT_LEADER_OR_FOLLOWER,
              currentLeader: { leaderId: 1, leaderEpoch },
            }
            : { index: 0, errorCode: Errors.NONE, baseOffset: 0n },
        ],
      })),
    }));
    const beganMs = world.clock.monotonicMs();
    world.clock.run(producer.send({ topic: "t", value: encode("a") }));
    const tookMs = world.clock.monotonicMs() - beganMs;
    expect([asked, tookMs >= leastMs, tookMs <= mostMs]).toEqual([2, true, true]);
  }
});

test("keys go where Java puts them; without a key every partition gets its share", () => {
  const world = new World(1, { t: 5 });
  const producer = world.producer({ batchBytes: 500 });
  const writer = world.clock.run(producer.topic("t"));
  for (const key of ["a", "b", "c", "order-17"]) {
    expect(writer.append(-1, 0, encode(key), null)).toBe(partitionOfKey(5, encode(key)));
  }
  for (let i = 0; i < 1000; i++) writer.append(-1, 0, null, encode(`value ${i}`));
  world.clock.run(producer.flush());
  for (let partition = 0; partition < 5; partition++) {
    expect(world.log("t", partition).values.length).toBeGreaterThan(100);
  }
  expect(() => writer.append(5, 0, null, null)).toThrow("no partition 5");
});

test("a topic that has grown is seen after a while", () => {
  const topics = { t: 1 };
  const world = new World(1, topics);
  const producer = world.producer({ metadataMaxAgeMs: 60_000 });
  const writer = world.clock.run(producer.topic("t"));
  topics.t = 4;
  world.clock.run(producer.send({ topic: "t", value: null }));
  expect(writer.partitionCount).toBe(1);
  world.clock.advance(61_000);
  world.clock.run(producer.send({ topic: "t", value: null }));
  world.clock.advance(10);
  expect(writer.partitionCount).toBe(4);
});

test("a full buffer says no, and has room again once records are acknowledged", () => {
  const world = new World();
  const producer = world.producer({ batchBytes: 1000, bufferBytes: 5000 });
  const writer = world.clock.run(producer.topic("t"));
  let taken = 0;
  while (writer.append(0, 0, null, new Uint8Array(100)) >= 0) taken++;
  expect(taken).toBeGreaterThan(40);
  expect(taken).toBeLessThan(60);
  world.clock.run(producer.room());
  expect(producer.bufferedBytes).toBeLessThan(5000);
  expect(writer.append(0, 0, null, new Uint8Array(100))).toBe(0);
});

test("buffers that wait to be filled again do not go beyond the bound", () => {
  const MB = 1024 * 1024;
  const world = new World();
  world.broker.on(produce, ({ topicData }) => ({
    responses: topicData.map(({ name }) => ({
      name,
      partitionResponses: [{ index: 0, errorCode: Errors.NONE, baseOffset: 0n }],
    })),
  }));
  const producer = world.producer({ batchBytes: MB, bufferBytes: 2 * MB });
  const writer = world.clock.run(producer.topic("t"));
  const value = new Uint8Array(1000);
  const write = () => {
    // More than half of a batch: its buffer has grown to the size of a full one.
    for (let n = 0; n < 600; n++) expect(writer.append(0, 0, null, value)).toBe(0);
    world.clock.run(producer.flush());
  };
  write();
  Bun.gc(true);
  const before = process.memoryUsage().arrayBuffers;
  for (let batch = 0; batch < 50; batch++) write();
  Bun.gc(true);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * MB);
  world.clock.run(producer.close());
});

test("of a batch that is too large only the culprit fails", () => {
  const world = new World();
  world.log("t", 0).maxBatchBytes = 2000;
  const producer = world.producer();
  const writer = world.clock.run(producer.topic("t"));
  const outcomes: string[] = [];
  for (let i = 0; i < 50; i++) {
    const value = i === 20 ? "x".repeat(3000) : `value ${i}`;
    writer.append(0, 0, null, encode(value), [], (error, offset) => {
      outcomes[i] = error === null ? String(offset) : (error as KafkaError).codeName;
    });
  }
  world.clock.run(producer.flush());
  const wanted = Array.from({ length: 50 }, (_, i) => {
    return i === 20 ? "MESSAGE_TOO_LARGE" : String(i < 20 ? i : i - 1);
  });
  expect(outcomes).toEqual(wanted);
  expect([world.count(true), world.count(false)]).toEqual([49, 1]);
});

test("records in flight behind a refused batch are not lost", () => {
  const world = new World();
  world.log("t", 0).poison.add("poison");
  const producer = world.producer({ batchBytes: 200 });
  const writer = world.clock.run(producer.topic("t"));
  const sent = Array.from({ length: 100 }, (_, i) => i === 30 ? "poison" : `value ${i}`);
  for (const value of sent) writer.append(0, 0, null, encode(value));
  world.clock.run(producer.flush());
  const lost = world.count(false);
  expect(lost).toBeGreaterThan(0);
  expect(lost).toBeLessThan(15);
  const { values } = world.log("t", 0);
  expect(values.length).toBe(100 - lost);
  expect(values).toEqual(sent.filter((value) => values.includes(value)));
});

test("a broker that has forgotten the producer makes it begin a new epoch", () => {
  const world = new World();
  const producer = world.producer();
  world.clock.run(producer.send({ topic: "t", value: encode("a") }));
  world.log("t", 0).forgetProducers();
  world.clock.run(producer.send({ topic: "t", value: encode("b") }));
  world.clock.run(producer.send({ topic: "t", value: encode("c") }));
  expect(world.log("t", 0).values).toEqual(["a", "b", "c"]);
});

test("a record that finds no broker fails when its time is over", () => {
  const world = new World();
  const producer = world.producer({ deliveryTimeoutMs: 5000, requestTimeoutMs: 1000 });
  world.clock.run(producer.topic("t"));
  world.broker.refusing = true;
  world.broker.hangUpAll();
  const startMs = world.clock.monotonicMs();
  const send = producer.send({ topic: "t", value: encode("a") });
  expect(() => world.clock.run(send)).toThrow(TimeoutError);
  const tookMs = world.clock.monotonicMs() - startMs;
  expect(tookMs).toBeGreaterThanOrEqual(5000);
  expect(tookMs).toBeLessThan(8000);
});

test("after records of unknown fate the next ones begin a new epoch, without duplicates", () => {
  const world = new World();
  const producer = world.producer({ deliveryTimeoutMs: 3000, requestTimeoutMs: 1000 });
  world.clock.run(producer.send({ topic: "t", value: encode("a") }));
  world.trouble = () => ({ after: "silence" });
  const lost = producer.send({ topic: "t", value: encode("b") });
  expect(() => world.clock.run(lost)).toThrow(TimeoutError);
  world.trouble = () => null;
  world.clock.run(producer.send({ topic: "t", value: encode("c") }));
  expect(world.log("t", 0).values).toEqual(["a", "b", "c"]);
});

test("a batch in doubt that is refused as out of order fails, and is not sent under a new number", () => {
  const world = new World();
  const producer = world.producer({ requestTimeoutMs: 1000 });
  const send = (text: string) => producer.send({ topic: "t", value: encode(text) });
  world.clock.run(send("a"));
  world.trouble = () => ({ before: "silence" });
  const doubtful = send("b").catch((error) => error);
  world.clock.advance(3000);
  // As a leader that does not have what was acknowledged: where the first copy is it cannot know.
  world.log("t", 0).forgetProducers();
  world.trouble = () => null;
  expect(world.clock.run(doubtful)).toMatchObject({ codeName: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
  world.clock.run(send("c"));
  expect(world.log("t", 0).values).toEqual(["a", "c"]);
  // One that was answered each time is stored nowhere: it goes on in a new epoch.
  world.log("t", 0).forgetProducers();
  world.clock.run(send("d"));
  expect(world.log("t", 0).values).toEqual(["a", "c", "d"]);
});

test("acks=0 counts what was sent, acks=1 what the leader has", () => {
  for (const acks of [0, 1] as const) {
    const world = new World();
    const producer = world.producer({ acks });
    const writer = world.clock.run(producer.topic("t"));
    for (let i = 0; i < 10; i++) writer.append(0, 0, null, encode(`${i}`));
    world.clock.run(producer.close());
    world.clock.advance(10);
    expect(world.count(true)).toBe(10);
    expect(world.log("t", 0).values.length).toBe(10);
  }
});

test("none that is sent overtakes another, whatever it has to wait for", () => {
  const world = new World();
  const producer = world.producer({ bufferBytes: 1000, batchBytes: 500 });
  const sent: Promise<unknown>[] = [];
  const send = (value: number) => {
    const record = { topic: "t", value: encode(String(value).padStart(100, "0")) };
    sent.push(producer.send(record));
  };
  // The first wait for the topic, later ones for room, and some are sent as room comes.
  for (let i = 0; i < 50; i++) send(i);
  void sent[0]?.then(() => {
    for (let i = 50; i < 100; i++) send(i);
  });
  void producer.topic("t").then(() => send(1000));
  world.clock.run(Promise.all(sent));
  world.clock.run(Promise.all(sent));
  const values = world.log("t", 0).values.map(Number).filter((value) => value < 1000);
  expect(values).toEqual([...Array(100).keys()]);
});

test("records sent together are settled together, each with its place", () => {
  const world = new World(1, { t: 2, u: 1 });
  const producer = world.producer({ bufferBytes: 1000, batchBytes: 500 });
  const text = (i: number) => String(i).padStart(100, "0");
  const records = Array.from({ length: 60 }, (_, i) => ({
    topic: i % 3 === 2 ? "u" : "t",
    ...(i % 3 === 2 ? {} : { partition: i % 3 }),
    value: encode(text(i)),
  }));
  const stored = world.clock.run(producer.sendAll(records));
  expect(stored.length).toBe(60);
  stored.forEach(({ topic, partition, offset }, i) => {
    expect([topic, partition, world.log(topic, partition).values[Number(offset)]])
      .toEqual([records[i]!.topic, i % 3 === 2 ? 0 : i % 3, text(i)]);
  });
  expect(world.clock.run(producer.sendAll([]))).toEqual([]);
});

test("of records sent together one that fails fails them all, once the others are stored", () => {
  const world = new World();
  const producer = world.producer();
  const records = [0, 7, 0].map((partition) => ({ topic: "t", partition, value: encode("v") }));
  const failed = producer.sendAll(records).catch(String);
  expect(world.clock.run(failed)).toContain("no partition 7");
  expect(world.log("t", 0).values).toEqual(["v", "v"]);
});

test("close delivers what was sent; abort fails it", () => {
  const world = new World();
  const closing = world.producer();
  const sent = closing.send({ topic: "t", value: encode("a") });
  world.clock.run(closing.topic("t").then(() => closing.close()));
  expect(world.clock.run(sent).offset).toBe(0n);
  const aborting = world.producer();
  world.clock.run(aborting.topic("t"));
  const lost = aborting.send({ topic: "t", value: encode("b") }).catch(String);
  world.clock.advance(1);
  aborting.abort(new Error("no more"));
  expect(world.clock.run(lost)).toBe("Error: no more");
});

/** NOT_LEADER, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS, COORDINATOR…: all may pass. */
const PASSING = [6, 7, 19, 56];

test("through any passing trouble every record is stored once and in order", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const world = new World(seed, { t: 2 });
    const { random } = world;
    world.trouble = () => {
      if (!random.chance(35)) return null;
      const fate = random.pick<Fate | number>(["hang-up", "hang-up", "silence", ...PASSING]);
      return random.chance(50) ? { before: fate } : { after: fate };
    };
    for (const partition of [0, 1]) world.log("t", partition).maxBatchBytes = 400;
    const producer = world.producer({
      batchBytes: random.between(100, 600),
      lingerMs: random.below(10),
      requestTimeoutMs: 1000,
      deliveryTimeoutMs: 3_600_000,
      maxInFlight: random.between(1, 5),
    });
    const writer = world.clock.run(producer.topic("t"));
    const wanted: string[][] = [[], []];
    for (let i = 0; i < 100; i++) {
      const partition = random.below(2);
      wanted[partition]!.push(`value ${i}`);
      writer.append(partition, 0, null, encode(`value ${i}`));
      if (random.chance(10)) world.clock.advance(random.below(20));
    }
    world.clock.run(producer.flush(), 3_600_000);
    const got = [0, 1].map((partition) => world.log("t", partition).values);
    expect({ seed, got }).toEqual({ seed, got: wanted });
    expect({ seed, failed: world.count(false) }).toEqual({ seed, failed: 0 });
  }
});

test("with records refused or given up, the acknowledged ones are stored once and in order", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const world = new World(seed);
    const { random } = world;
    world.trouble = () => {
      if (!random.chance(40)) return null;
      const fate = random.pick<Fate | number>(["hang-up", "silence", ...PASSING]);
      return random.chance(50) ? { before: fate } : { after: fate };
    };
    const log = world.log("t", 0);
    log.maxBatchBytes = 400;
    const producer = world.producer({
      batchBytes: random.between(100, 600),
      requestTimeoutMs: 1000,
      deliveryTimeoutMs: random.between(500, 10_000),
    });
    const writer = world.clock.run(producer.topic("t"));
    const acknowledged = new Map<number, string>();
    let settled = 0;
    for (let i = 0; i < 150; i++) {
      const value = `value ${i}`;
      if (random.chance(4)) log.poison.add(value);
      writer.append(0, 0, null, encode(value), [], (error) => {
        settled++;
        if (error === null) acknowledged.set(i, value);
      });
      if (random.chance(20)) world.clock.advance(random.below(300));
    }
    world.clock.run(producer.flush(), 3_600_000);
    expect({ seed, settled }).toEqual({ seed, settled: 150 });
    const wanted = [...acknowledged].sort(([a], [b]) => a - b).map(([, value]) => value);
    const stored = log.values.filter((value) => wanted.includes(value));
    expect({ seed, stored }).toEqual({ seed, stored: wanted });
    expect({ seed, distinct: new Set(log.values).size }).toEqual({
      seed,
      distinct: log.values.length,
    });
  }
});
