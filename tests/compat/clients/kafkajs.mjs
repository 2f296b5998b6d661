// kafkajs against the broker named in BOOTSTRAP: admin, every built-in codec, headers, groups.
import assert from "node:assert/strict";
import process from "node:process";
import kafkajs from "kafkajs";

const { CompressionTypes, Kafka, logLevel } = kafkajs;
const kafka = new Kafka({
  clientId: "compat",
  brokers: [process.env.BOOTSTRAP],
  logLevel: logLevel.ERROR,
});

const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic: "kafkajs", numPartitions: 3 }] });
assert.ok((await admin.listTopics()).includes("kafkajs"));

const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
await producer.connect();
const sent = [];
for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
  const messages = Array.from({ length: 500 }, (_, index) => ({
    key: `key-${index % 17}`,
    value: index % 50 === 0 ? null : `value ${compression} ${index}`,
    headers: { first: "1", second: Buffer.from([0, 255]) },
  }));
  await producer.send({ topic: "kafkajs", compression, acks: -1, messages });
  sent.push(...messages.map((message) => `${message.key}=${message.value}`));
}
// A topic that nobody created: the broker makes it, and the client sees no error.
await producer.send({ topic: "kafkajs-auto", messages: [{ value: "hello" }] });
await producer.disconnect();

const consumer = kafka.consumer({ groupId: "kafkajs-group" });
await consumer.connect();
await consumer.subscribe({ topic: "kafkajs", fromBeginning: true });
const received = [];
await new Promise((resolve, reject) => {
  const timer = setTimeout(
    () => reject(new Error(`only ${received.length} of ${sent.length} records came`)),
    30_000,
  );
  consumer.run({
    eachMessage: ({ message }) => {
      assert.equal(message.headers.first.toString(), "1");
      assert.deepEqual([...message.headers.second], [0, 255]);
      received.push(`${message.key}=${message.value}`);
      if (received.length === sent.length) {
        clearTimeout(timer);
        resolve();
      }
      return Promise.resolve();
    },
  }).catch(reject);
});
await consumer.disconnect();
assert.deepEqual(received.toSorted?.() ?? [...received].sort(), [...sent].sort());

const offsets = await admin.fetchOffsets({ groupId: "kafkajs-group", topics: ["kafkajs"] });
const total = offsets[0].partitions.reduce((sum, { offset }) => sum + Number(offset), 0);
assert.equal(total, sent.length);
const { groups } = await admin.describeGroups(["kafkajs-group"]);
assert.equal(groups[0].state, "Empty");
await admin.deleteGroups(["kafkajs-group"]);
await admin.deleteTopics({ topics: ["kafkajs", "kafkajs-auto"] });
assert.deepEqual((await admin.listTopics()).filter((name) => name.startsWith("kafkajs")), []);
await admin.disconnect();
console.log(`${received.length} records`);
