/** Records and handlers against a whole broker on virtual time. */
import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { fetch as fetchApi } from "../../core/protocol/01-fetch.ts";
import { metadata } from "../../core/protocol/03-metadata.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { ClientWorld } from "../../tests/sim/client-world.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { Consumer, type ConsumerOptions } from "../consumer.ts";
import { FakeBroker } from "../fake-broker.test-helper.ts";
import { int32Serde, jsonSerde, SerdeError, stringSerde } from "../serde.ts";

function setUp(partitions: number, options: Partial<ConsumerOptions> = {}) {
  const world = new ClientWorld(7, { t: partitions });
  const { clock, brokers } = world;
  const make = (more: Partial<ConsumerOptions> = {}) =>
    new Consumer(world.clientIo(), { brokers, value: stringSerde, ...options, ...more });
  const assign = (consumer: ReturnType<typeof make>) =>
    clock.run(consumer.assign(
      Array.from({ length: partitions }, (_, partition) => ({ topic: "t", partition, offset: 0n })),
    ));
  return { world, clock, make, assign };
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => String(from + i));

test("pausing and seeking amid a chunk take effect at the next record, and nothing is lost", () => {
  const { world, clock, make, assign } = setUp(1);
  clock.run(world.produce("t", 1, 0, 100));
  const consumer = make();
  assign(consumer);
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { value } of consumer.records()) {
      seen.push(value ?? "");
      expect(consumer.position("t", 0)).toBe(BigInt(Number(value) + 1));
      if (seen.length === 10) consumer.pause("t", 0);
      if (seen.length === 30) consumer.seek({ topic: "t", partition: 0, offset: 20n });
    }
  })();
  clock.advance(5000);
  expect(seen).toEqual(numbers(0, 10));
  consumer.resume("t", 0);
  clock.advance(5000);
  expect(seen).toEqual([...numbers(0, 30), ...numbers(20, 100)]);
  clock.run(consumer.close());
  clock.run(reading);
  world.stop();
});

for (const isBrief of [true, false]) {
  const how = isBrief ? "briefly hardly waits for" : "for long waits for";
  test(`a partition that is paused ${how} fetches of idle ones`, () => {
    const { world, clock, make, assign } = setUp(2, { maxWaitMs: 10_000, partitionMaxBytes: 1 });
    for (let at = 0; at < 20; at++) clock.run(world.produce("t", 1, at, 1));
    const consumer = make();
    assign(consumer);
    const startMs = clock.monotonicMs();
    clock.run((async () => {
      for (let count = 0; count < 20; count++) {
        await consumer.nextChunk();
        consumer.pause("t", 0, { isBrief });
        await sleep(clock, 100);
        consumer.resume("t", 0);
      }
    })());
    const tookMs = clock.monotonicMs() - startMs;
    if (isBrief) expect(tookMs).toBeLessThan(5000);
    else expect(tookMs).toBeGreaterThan(10_000);
    clock.run(consumer.close());
    world.stop();
  });
}

test("a loop over the consumer has records, one over its chunks has chunks, and goes on", () => {
  const { world, clock, make, assign } = setUp(1);
  clock.run(world.produce("t", 1, 0, 10));
  const consumer = make();
  assign(consumer);
  const values = clock.run((async () => {
    const seen: (string | null)[] = [];
    for await (const { value } of consumer) if (seen.push(value) === 4) break;
    return seen;
  })());
  expect(values).toEqual(numbers(0, 4));
  const late = new AbortController();
  const offsets: bigint[] = [];
  const reading = (async () => {
    for await (const chunk of consumer.chunks({ signal: late.signal })) {
      offsets.push(...chunk.records().map(({ offset }) => offset));
    }
  })();
  clock.advance(1000);
  expect(offsets).toEqual([4n, 5n, 6n, 7n, 8n, 9n]);
  late.abort(new Error("late"));
  expect(() => clock.run(reading)).toThrow("late");
  clock.run(consumer.close());
  world.stop();
});

test("many paused partitions neither stop the others nor lose what was fetched of them", () => {
  const { world, clock, make, assign } = setUp(8, { queuedBytes: 500 });
  clock.run(world.produce("t", 8, 0, 800));
  const consumer = make();
  assign(consumer);
  clock.advance(2000);
  for (let partition = 1; partition < 8; partition++) consumer.pause("t", partition);
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { value } of consumer.records()) seen.push(value ?? "");
  })();
  clock.advance(10_000);
  expect(seen.length).toBe(100);
  for (let partition = 1; partition < 8; partition++) consumer.resume("t", partition);
  clock.advance(20_000);
  expect(seen.map(Number).sort((a, b) => a - b).map(String)).toEqual(numbers(0, 800));
  clock.run(consumer.close());
  clock.run(reading);
  world.stop();
});

test("a loop that is left goes on behind the record at hand", () => {
  const { world, clock, make, assign } = setUp(1);
  clock.run(world.produce("t", 1, 0, 20));
  const consumer = make();
  assign(consumer);
  const readUntil = async (last: string) => {
    const seen: string[] = [];
    for await (const { value } of consumer.records()) {
      seen.push(value ?? "");
      if (value === last) break;
    }
    return seen;
  };
  expect(clock.run(readUntil("7"))).toEqual(numbers(0, 8));
  expect(clock.run(readUntil("19"))).toEqual(numbers(8, 20));
  clock.run(consumer.close());
  world.stop();
});

test("records asked for at once come in order, and an end that was asked for comes after them", () => {
  const { world, clock, make, assign } = setUp(1);
  const consumer = make();
  assign(consumer);
  const records = consumer.records();
  const asked = [records.next(), records.next(), records.return(), records.next()];
  clock.advance(2000);
  clock.run(world.produce("t", 1, 0, 10));
  const got = clock.run(Promise.all(asked));
  expect(got.map(({ value }) => value?.value ?? null)).toEqual(["0", "1", null, null]);
  expect(consumer.position("t", 0)).toBe(2n);
  const rest = consumer.records();
  expect(clock.run(rest.next()).value?.value).toBe("2");
  expect(() => clock.run(rest.throw(new Error("enough")))).toThrow("enough");
  expect(clock.run(rest.next()).done).toBe(true);
  clock.run(consumer.close());
  world.stop();
});

test("handlers work partitions side by side, each in its order; a slow one stops no other", () => {
  const { world, clock, make, assign } = setUp(4);
  clock.run(world.produce("t", 4, 0, 400));
  const consumer = make();
  assign(consumer);
  const seen = new Map<number, string[]>();
  let atWork = 0;
  let most = 0;
  const stop = new AbortController();
  const running = consumer.run({
    async eachRecord({ partition, value }) {
      most = Math.max(most, ++atWork);
      const waitMs = partition === 0 ? 1000 : 10;
      await new Promise<void>((resolve) => void clock.setTimer(waitMs, resolve));
      seen.set(partition, [...seen.get(partition) ?? [], value ?? ""]);
      atWork--;
    },
  }, { concurrency: 3, signal: stop.signal });
  clock.advance(10_000);
  expect(most).toBe(3);
  expect([1, 2, 3].map((partition) => seen.get(partition)?.length)).toEqual([100, 100, 100]);
  expect(seen.get(0)!.length).toBeLessThan(11);
  clock.advance(100_000);
  for (const [partition, values] of seen) {
    expect(values).toEqual(Array.from({ length: 100 }, (_, i) => String(i * 4 + partition)));
  }
  stop.abort();
  clock.run(running);
  clock.run(consumer.close());
  world.stop();
});

test("two handlers that find two chunks of one partition at once do not both take it", () => {
  const { world, clock, make, assign } = setUp(1, { partitionMaxBytes: 1 });
  for (const first of [0, 10, 20]) clock.run(world.produce("t", 1, first, 10));
  const consumer = make();
  assign(consumer);
  clock.advance(1000);
  const seen: string[] = [];
  const stop = new AbortController();
  const running = consumer.run({
    async eachRecord({ value }) {
      await new Promise<void>((resolve) => void clock.setTimer(10, resolve));
      seen.push(value ?? "");
    },
  }, { concurrency: 2, signal: stop.signal });
  clock.advance(10_000);
  expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => String(i)));
  stop.abort();
  clock.run(running);
  clock.run(consumer.close());
  world.stop();
});

test("what a handler has not worked off comes again; what it has is committed", () => {
  const { world, clock, make } = setUp(1, { groupId: "g", heartbeatIntervalMs: 500 });
  clock.run(world.produce("t", 1, 0, 50));
  const consumer = make();
  consumer.subscribe(["t"]);
  const sizes: number[] = [];
  const failing = consumer.run({
    eachBatch({ records }) {
      sizes.push(records.length);
      if (records.some(({ value }) => value === "35")) throw new Error("no 35");
    },
  }, { batchRecords: 10, commit: "batch" });
  expect(() => clock.run(failing)).toThrow("no 35");
  expect(sizes).toEqual([10, 10, 10, 10]);
  expect(consumer.position("t", 0)).toBe(30n);
  clock.run(consumer.close());
  const next = make();
  next.subscribe(["t"]);
  const first = clock.run(next.records().next());
  expect(first.value?.value).toBe("30");
  clock.run(next.close());
  world.stop();
});

test("commits without offsets cover what was handed out, by time what was worked off", () => {
  const { world, clock, make } = setUp(1, { groupId: "g", heartbeatIntervalMs: 500 });
  clock.run(world.produce("t", 1, 0, 10));
  const manual = make();
  manual.subscribe(["t"]);
  const records = manual.records();
  clock.run(records.next());
  clock.run(records.next());
  clock.run(manual.commit());
  clock.run(manual.close());
  const byTime = make({ autoCommitIntervalMs: 1000 });
  byTime.subscribe(["t"]);
  const more = byTime.records();
  expect(clock.run(more.next()).value?.value).toBe("2");
  expect(clock.run(more.next()).value?.value).toBe("3");
  clock.advance(5000);
  byTime.cluster.close();
  const last = make();
  last.subscribe(["t"]);
  clock.advance(60_000);
  expect(clock.run(last.records().next()).value?.value).toBe("3");
  clock.run(last.close());
  world.stop();
});

test("reading goes on at a time, at the start and at the end", () => {
  const { world, clock, make, assign } = setUp(1);
  clock.run(world.produce("t", 1, 0, 10));
  clock.advance(60_000);
  const betweenMs = clock.wallMs();
  clock.advance(60_000);
  clock.run(world.produce("t", 1, 10, 10));
  const consumer = make();
  assign(consumer);
  clock.run(consumer.seekTo(betweenMs));
  expect(clock.run(consumer.records().next()).value?.value).toBe("10");
  clock.run(consumer.seekTo("earliest"));
  expect(clock.run(consumer.records().next()).value?.value).toBe("0");
  clock.run(consumer.seekTo(clock.wallMs() + 1000));
  expect(consumer.position("t", 0)).toBe(20n);
  clock.run(consumer.close());
  world.stop();
});

test("serdes give types; what they cannot read is told with its place and can be passed over", () => {
  const { world, clock } = setUp(1);
  clock.run(world.produce("t", 1, 1, 2));
  clock.run(world.produce("t", 1, 0, 0));
  const { brokers } = world;
  const parse = (value: unknown) => {
    if (value === 1) throw new Error("one is not wanted");
    return { value };
  };
  const consumer = new Consumer(world.clientIo(), {
    brokers,
    key: int32Serde,
    value: jsonSerde(parse),
  });
  clock.run(consumer.assign([{ topic: "t", partition: 0, offset: 0n }]));
  const failure = (() => {
    try {
      return clock.run(consumer.records().next());
    } catch (error) {
      return error;
    }
  })();
  expect(failure).toBeInstanceOf(SerdeError);
  expect(failure).toMatchObject({ topic: "t", partition: 0, offset: 0n, part: "value" });
  expect(() => clock.run(consumer.records().next())).toThrow("one is not wanted");
  consumer.seek({ topic: "t", partition: 0, offset: 1n });
  const record = clock.run(consumer.records().next()).value;
  expect([record?.key, record?.value]).toEqual([null, { value: 2 }]);
  clock.run(consumer.close());
  world.stop();
});

test("the closest replica is read from; when it fails, the leader", () => {
  const clock = new SimClock(1_700_000_000_000);
  const broker = new FakeBroker(clock);
  const nodes = [1, 2].map((nodeId) => ({ nodeId, host: `broker-${nodeId}`, port: 9092 }));
  broker.on(metadata, () => ({
    brokers: nodes,
    topics: [{
      name: "t",
      partitions: [{ partitionIndex: 0, leaderId: 1, replicaNodes: [1, 2], isrNodes: [1, 2] }],
    }],
  }));
  const asked: string[] = [];
  let isFollowerGood = true;
  broker.on(fetchApi, ({ topics, rackId }, _version, { host }) => {
    const offset = Number(topics[0]?.partitions[0]?.fetchOffset);
    asked.push(`${host} ${rackId} ${offset}`);
    const fromLeader = host === "broker-1";
    const builder = new BatchBuilder({ baseOffset: offset });
    builder.append(0, null, new TextEncoder().encode(String(offset)));
    const sent = !fromLeader || !isFollowerGood;
    const errorCode = !fromLeader && !isFollowerGood ? 1 : 0;
    return {
      responses: [{
        topic: "t",
        partitions: [{
          partitionIndex: 0,
          errorCode,
          highWatermark: 100n,
          preferredReadReplica: fromLeader && isFollowerGood ? 2 : -1,
          records: sent && errorCode === 0 ? builder.build() : null,
        }],
      }],
    };
  });
  const consumer = new Consumer({ clock, random: new SimRandom(1), network: broker }, {
    brokers: [{ host: "broker-1", port: 9092 }],
    rackId: "r2",
    value: stringSerde,
    autoOffsetReset: "none",
  });
  clock.run(consumer.assign([{ topic: "t", partition: 0, offset: 0n }]));
  const records = consumer.records();
  for (let i = 0; i < 3; i++) expect(clock.run(records.next()).value?.value).toBe(String(i));
  expect(asked.slice(0, 4)).toEqual([
    "broker-1 r2 0",
    "broker-2 r2 0",
    "broker-2 r2 1",
    "broker-2 r2 2",
  ]);
  isFollowerGood = false;
  const before = asked.length;
  for (let i = 3; i < 12; i++) expect(clock.run(records.next()).value?.value).toBe(String(i));
  // What the follower calls out of range is for the leader to judge.
  const failed = asked.slice(before).findIndex((each) => each.startsWith("broker-2"));
  expect(asked[before + failed + 1]).toBe(asked[before + failed]!.replace("-2", "-1"));
  clock.run(consumer.close());
});
