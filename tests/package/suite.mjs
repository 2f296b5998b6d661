// The npm package as its users have it, on Node, Deno and Bun, against the broker of BOOTSTRAP.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import {
  Admin,
  ConnectionError,
  Consumer,
  int64Serde,
  jsonSerde,
  KafkaError,
  Producer,
  SerdeError,
  ShareConsumer,
  stringSerde,
} from "kstream";

const brokers = [process.env.BOOTSTRAP ?? "localhost:9092"];
const name = `package-${process.env.RUN ?? "0"}`;
const strings = { key: stringSerde, value: stringSerde };

/** Reads so many records of a topic, without a group. */
async function read(topic, partitions, count) {
  const consumer = new Consumer({ brokers, ...strings });
  await consumer.assign(
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0n })),
  );
  const records = [];
  for await (const record of consumer) {
    if (records.push(record) === count) break;
  }
  await consumer.close();
  return records;
}

void test("every codec, both ways, with keys, headers and tombstones", async () => {
  const admin = new Admin({ brokers });
  const topic = `${name}-codecs`;
  const [created] = await admin.createTopics([{ name: topic, partitions: 3 }]);
  assert.equal(created.error, null);
  const sent = [];
  for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"]) {
    const producer = new Producer({ brokers, compression });
    const records = Array.from({ length: 300 }, (_, index) => ({
      topic,
      key: `key ${index % 7}`,
      value: index % 50 === 0 ? null : `${compression} ${index} ${"x".repeat(index)}`,
      headers: [["h", new Uint8Array([index & 255])], ["h", null]],
    }));
    const stored = await Promise.all(records.map((record) => producer.send(record)));
    assert.ok(stored.every(({ offset }) => offset >= 0n));
    sent.push(...records.map(({ key, value }) => `${key}=${value}`));
    await producer.close();
  }
  const received = await read(topic, 3, sent.length);
  assert.deepEqual(received.map(({ key, value }) => `${key}=${value}`).sort(), sent.sort());
  for (const { headers } of received) {
    assert.deepEqual(headers.map(([name, value]) => [name, value?.length ?? null]), [
      ["h", 1],
      ["h", null],
    ]);
  }
  const perKey = new Map();
  for (const { key, partition } of received) {
    perKey.set(key, new Set([...(perKey.get(key) ?? []), partition]));
  }
  assert.ok([...perKey.values()].every((partitions) => partitions.size === 1));
  await admin.deleteTopics([topic]);
  admin.close();
});

void test("typed keys and values, both ways", async () => {
  const topic = `${name}-typed`;
  const typed = { key: int64Serde, value: jsonSerde() };
  const producer = new Producer({ brokers, ...typed });
  await producer.send({ topic, key: 7n, value: { total: 12.5 } });
  await assert.rejects(producer.send({ topic, key: 1n << 70n, value: null }), SerdeError);
  await producer.close();
  const consumer = new Consumer({ brokers, ...typed });
  await consumer.assign([{ topic, partition: 0, offset: 0n }]);
  for await (const { key, value } of consumer.records()) {
    assert.deepEqual([key, value], [7n, { total: 12.5 }]);
    break;
  }
  await consumer.close();
});

for (const groupProtocol of ["classic", "consumer"]) {
  void test(`a group goes on where it was (${groupProtocol})`, async () => {
    const admin = new Admin({ brokers });
    const topic = `${name}-${groupProtocol}`;
    await admin.createTopics([{ name: topic, partitions: 2 }]);
    const producer = new Producer({ brokers });
    for (let i = 0; i < 100; i++) {
      await producer.send({ topic, partition: i % 2, value: `${i}` });
    }
    await producer.close();
    const seen = [];
    for (const count of [30, 70]) {
      const consumer = new Consumer({
        brokers,
        groupId: topic,
        groupProtocol,
        heartbeatIntervalMs: 500,
        ...strings,
      });
      consumer.subscribe([topic]);
      let left = count;
      for await (const { value } of consumer.records()) {
        seen.push(Number(value));
        if (--left === 0) break;
        if (left === 1) await consumer.commit();
      }
      await consumer.commit();
      await consumer.close();
    }
    assert.deepEqual(new Set(seen).size, 100);
    await admin.groups.delete([topic]);
    await admin.deleteTopics([topic]);
    admin.close();
  });
}

void test("a transaction is all or nothing", async () => {
  const topic = `${name}-transaction`;
  const producer = new Producer({ brokers, transactionalId: topic });
  await producer.transactions.init();
  for (const outcome of ["abort", "commit"]) {
    producer.transactions.begin();
    for (let i = 0; i < 10; i++) await producer.send({ topic, value: `${outcome} ${i}` });
    await producer.transactions[outcome]();
  }
  await producer.close();
  const consumer = new Consumer({ brokers, isolationLevel: "read_committed", ...strings });
  await consumer.assign([{ topic, partition: 0, offset: 0n }]);
  const values = [];
  for await (const { value } of consumer.records()) {
    if (values.push(value) === 10) break;
  }
  await consumer.close();
  assert.deepEqual(values, Array.from({ length: 10 }, (_, i) => `commit ${i}`));
});

void test(
  "a share group gives each record to somebody",
  { skip: ShareConsumer === undefined },
  async () => {
    const topic = `${name}-share`;
    const admin = new Admin({ brokers });
    await admin.createTopics([{ name: topic, partitions: 1 }]);
    await admin.incrementalAlterConfigs({ type: "group", name: topic }, [
      { name: "share.auto.offset.reset", operation: "set", value: "earliest" },
    ]);
    const producer = new Producer({ brokers });
    for (let i = 0; i < 20; i++) await producer.send({ topic, value: `${i}` });
    await producer.close();
    const consumer = new ShareConsumer({ brokers, groupId: topic, ...strings });
    consumer.subscribe([topic]);
    const values = new Set();
    for await (const { value } of consumer.records()) {
      if (values.add(value).size === 20) break;
    }
    await consumer.close();
    assert.equal(values.size, 20);
    admin.close();
  },
);

void test("errors are of their classes, in one line", async () => {
  const admin = new Admin({ brokers });
  const [twice] = await admin.createTopics([{ name: "not a name" }]);
  assert.ok(twice.error instanceof KafkaError);
  assert.equal(twice.error.codeName, "INVALID_TOPIC_EXCEPTION");
  admin.close();
  const nobody = new Admin({ brokers: ["127.0.0.1:1"], apiTimeoutMs: 1000 });
  await assert.rejects(nobody.describeCluster(), (error) => {
    assert.ok(error instanceof ConnectionError);
    assert.equal(error.failure, "refused");
    assert.ok(!error.message.includes("\n"));
    return true;
  });
  nobody.close();
  const tls = new Admin({ brokers, tls: true, apiTimeoutMs: 3000 });
  await assert.rejects(tls.describeCluster(), /no TLS with .*: it does not seem to speak TLS/);
  tls.close();
  assert.throws(() => new Admin({ brokers: ["a:b"] }), TypeError);
});
