// kafkajs against the broker named in BOOTSTRAP: transactions, offsets in them, read_committed.
import assert from "node:assert/strict";
import process from "node:process";
import kafkajs from "kafkajs";

const { Kafka, logLevel } = kafkajs;
const kafka = new Kafka({
  clientId: "compat",
  brokers: [process.env.BOOTSTRAP],
  logLevel: logLevel.ERROR,
});
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic: "kafkajs-txn", numPartitions: 2 }] });

// This client does not ask again where a coordinator is still being set up.
await admin.fetchOffsets({ groupId: "kafkajs-txn", topics: ["kafkajs-txn"] });

const options = { transactionalId: "kafkajs", maxInFlightRequests: 1, idempotent: true };
const producer = kafka.producer(options);
await producer.connect();
const committed = [];
for (let round = 0; round < 20; round++) {
  const transaction = await producer.transaction();
  const messages = Array.from({ length: 20 }, (_, index) => ({ value: `${round} ${index}` }));
  await transaction.send({ topic: "kafkajs-txn", messages });
  const partitions = [{ partition: 0, offset: String(round) }];
  await transaction.sendOffsets({
    consumerGroupId: "kafkajs-txn",
    topics: [{ topic: "kafkajs-txn", partitions }],
  });
  if (round % 3 === 1) {
    await transaction.abort();
  } else {
    await transaction.commit();
    committed.push(...messages.map(({ value }) => value));
  }
}
const [{ partitions: [{ offset }] }] = await admin.fetchOffsets({
  groupId: "kafkajs-txn",
  topics: ["kafkajs-txn"],
});
assert.equal(offset, "18", "the offset of the last transaction that was committed");

// A second producer of the same id shuts the first one out.
const second = kafka.producer(options);
await second.connect();
const open = await producer.transaction();
await open.send({ topic: "kafkajs-txn", messages: [{ value: "fenced" }] });
const next = await second.transaction();
await assert.rejects(() => open.commit());
await next.send({ topic: "kafkajs-txn", messages: [{ value: "last" }] });
await next.commit();
committed.push("last");

const consumer = kafka.consumer({ groupId: "kafkajs-txn-reader", readUncommitted: false });
await consumer.connect();
await consumer.subscribe({ topic: "kafkajs-txn", fromBeginning: true });
const received = [];
await new Promise((resolve, reject) => {
  const timer = setTimeout(
    () => reject(new Error(`only ${received.length} of ${committed.length} records came`)),
    30_000,
  );
  consumer.run({
    eachMessage: ({ message }) => {
      received.push(message.value.toString());
      if (received.length === committed.length) {
        clearTimeout(timer);
        resolve();
      }
      return Promise.resolve();
    },
  }).catch(reject);
});
await consumer.disconnect();
assert.deepEqual([...received].sort(), [...committed].sort());
await Promise.allSettled([producer.disconnect(), second.disconnect(), admin.disconnect()]);
console.log(`${received.length} records`);
process.exit(0);
