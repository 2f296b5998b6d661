/** Share consumers against a whole broker on virtual time. */
import { expect, test } from "bun:test";
import { ClientWorld } from "../tests/sim/client-world.ts";
import { Admin } from "./admin.ts";
import { SerdeError, stringSerde } from "./serde.ts";
import { acquiredRecords } from "./share/acquired.ts";
import { ShareConsumer, type ShareConsumerOptions, type ShareRecord } from "./share-consumer.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { NO_CODECS } from "../core/compression/codec.ts";

type Options = Partial<ShareConsumerOptions>;

function setUp(partitions = 2, configs: Record<string, string> = {}) {
  const world = new ClientWorld(1, { t: partitions });
  const { clock, brokers } = world;
  const admin = new Admin(world.clientIo(), { brokers });
  const changes = Object.entries({ "share.auto.offset.reset": "earliest", ...configs })
    .map(([name, value]) => ({ name, operation: "set" as const, value }));
  clock.run(admin.incrementalAlterConfigs({ type: "group", name: "g" }, changes));
  admin.close();
  const join = (options: Options = {}) => {
    const io = world.clientIo();
    const consumer = new ShareConsumer(io, {
      brokers,
      groupId: "g",
      key: stringSerde,
      value: stringSerde,
      ...options,
    });
    consumer.subscribe(["t"]);
    return { consumer, io, values: [] as string[] };
  };
  /** What the member gets within this time, while it says nothing by itself. */
  const take = (consumer: ShareConsumer<string, string>, forMs: number) => {
    const records: ShareRecord<string, string>[] = [];
    const stop = new AbortController();
    const taking = (async () => {
      for (;;) {
        const record = await consumer.next(stop.signal);
        if (record === null) return;
        records.push(record);
      }
    })().catch(() => {});
    clock.advance(forMs);
    stop.abort();
    clock.run(taking);
    return records;
  };
  return { world, clock, join, take };
}

const offsetsOf = (records: readonly ShareRecord<string, string>[]) =>
  records.map(({ partition, offset }) => `${partition}/${offset}`).sort();

test("members share the records of the same partitions, each record comes once", () => {
  const { world, clock, join } = setUp();
  const members = [join(), join(), join()];
  const working = members.map(async ({ consumer, values }) => {
    for await (const { value } of consumer.records()) values.push(value ?? "");
  });
  clock.advance(10_000);
  for (let round = 0; round < 20; round++) {
    clock.run(world.produce("t", 2, round * 50, 50));
    clock.advance(700);
  }
  clock.advance(5000);
  const all = members.flatMap(({ values }) => values).map(Number).sort((a, b) => a - b);
  expect(all).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  expect(members.filter(({ values }) => values.length > 0).length).toBeGreaterThan(1);
  for (const { consumer } of members) expect(clock.run(consumer.close())).toEqual([]);
  clock.run(Promise.all(working));
  world.stop();
});

test("accepted is done, rejected too, released and forgotten records come again", () => {
  const { world, clock, join, take } = setUp(1);
  clock.run(world.produce("t", 1, 0, 6));
  const { consumer } = join({ acknowledgement: "explicit" });
  const first = take(consumer, 10_000);
  expect(first.map(({ deliveryCount }) => deliveryCount)).toEqual([1, 1, 1, 1, 1, 1]);
  expect(consumer.lockTimeoutMs).toBe(30_000);
  consumer.acknowledge(first[0]!, "accept");
  consumer.acknowledge(first[1]!, "reject");
  consumer.acknowledge(first[2]!, "release");
  consumer.acknowledge(first[4]!);
  expect(clock.run(consumer.commit())).toEqual([]);
  expect(() => consumer.acknowledge(first[0]!)).toThrow("not in hand");
  const again = take(consumer, 3000);
  expect(offsetsOf(again)).toEqual(["0/2"]);
  expect(again[0]!.deliveryCount).toBe(2);
  clock.run(consumer.close());
  const other = join();
  expect(offsetsOf(take(other.consumer, 10_000))).toEqual(["0/2", "0/3", "0/5"]);
  clock.run(other.consumer.close());
  world.stop();
});

test("a lock that is renewed lasts, one that is not is another's, and a late word is reported", () => {
  const { world, clock, join, take } = setUp(1, { "share.record.lock.duration.ms": "15000" });
  clock.run(world.produce("t", 1, 0, 2));
  const slow = join({ acknowledgement: "explicit" });
  const [kept, lost] = take(slow.consumer, 5000);
  clock.advance(7000);
  slow.consumer.acknowledge(kept!, "renew");
  expect(clock.run(slow.consumer.commit())).toEqual([]);
  const quick = join();
  const taken = take(quick.consumer, 12_000);
  expect(offsetsOf(taken)).toEqual(["0/1"]);
  slow.consumer.acknowledge(kept!);
  slow.consumer.acknowledge(lost!);
  const failures = clock.run(slow.consumer.commit());
  expect(failures.map(({ error }) => error.message)).toEqual([
    "acknowledge records: INVALID_RECORD_STATE",
  ]);
  clock.run(slow.consumer.close());
  clock.run(quick.consumer.close());
  world.stop();
});

test("a loop that is left gives back what was at hand", () => {
  const { world, clock, join, take } = setUp(1);
  clock.run(world.produce("t", 1, 0, 5));
  const { consumer } = join();
  const seen: string[] = [];
  clock.run((async () => {
    for await (const { value } of consumer.records()) {
      seen.push(value ?? "");
      if (value === "2") break;
    }
  })());
  expect(seen).toEqual(["0", "1", "2"]);
  clock.run(consumer.close());
  const other = join();
  expect(take(other.consumer, 10_000).map(({ value }) => value)).toEqual(["2", "3", "4"]);
  clock.run(other.consumer.close());
  world.stop();
});

test("broken connections and a lost session lose no record", () => {
  const { world, clock, join } = setUp();
  const members = [join(), join()];
  const working = members.map(async ({ consumer, values }) => {
    for await (const { value } of consumer.records()) values.push(value ?? "");
  });
  for (let round = 0; round < 15; round++) {
    clock.run(world.produce("t", 2, round * 20, 20));
    world.random.pick(members).io.network.breakAll();
    clock.advance(world.random.below(3000));
  }
  clock.advance(60_000);
  const all = new Set(members.flatMap(({ values }) => values).map(Number));
  expect(all.size).toBe(300);
  for (const { consumer } of members) clock.run(consumer.close());
  clock.run(Promise.all(working));
  world.stop();
});

test("a value that its serde cannot read is told with its place, and given to others", () => {
  const { world, clock, join } = setUp(1);
  clock.run(world.produce("t", 1, 0, 2));
  const picky = {
    serialize: () => new Uint8Array(0),
    deserialize: (bytes: Uint8Array) => {
      if (bytes[0] === 0x30) throw new Error("zero is not wanted");
      return bytes;
    },
  };
  const { brokers } = world;
  const consumer = new ShareConsumer(world.clientIo(), { brokers, groupId: "g", value: picky });
  consumer.subscribe(["t"]);
  expect(() => clock.run(consumer.next())).toThrow(SerdeError);
  expect(clock.run(consumer.next())?.offset).toBe(1n);
  clock.run(consumer.close());
  const other = join();
  expect(clock.run(other.consumer.next())?.value).toBe("0");
  clock.run(other.consumer.close());
  world.stop();
});

test("offsets without records in what was acquired are gaps, others' records are left alone", () => {
  const builder = new BatchBuilder({ baseOffset: 10 });
  for (let i = 0; i < 5; i++) builder.append(0, null, null);
  const later = new BatchBuilder({ baseOffset: 17 });
  later.append(0, null, null);
  const bytes = Buffer.concat([builder.build(), later.build()]);
  const { records, gaps } = acquiredRecords(
    { topicId: "id", topic: "t", partition: 0 },
    bytes,
    [
      { firstOffset: 11n, lastOffset: 12n, deliveryCount: 1 },
      { firstOffset: 14n, lastOffset: 19n, deliveryCount: 3 },
    ],
    NO_CODECS,
  );
  expect(records.map(({ offset, deliveryCount }) => [offset, deliveryCount]))
    .toEqual([[11, 1], [12, 1], [14, 3], [17, 3]]);
  expect(gaps).toEqual([15, 16, 18, 19]);
});
