// kafkajs in transactions against the broker named in BOOTSTRAP: records and offsets together.
import assert from "node:assert/strict";
import process from "node:process";
import kafkajs from "kafkajs";

const { Kafka, logLevel } = kafkajs;
const kafka = new Kafka({
  clientId: "compat",
  brokers: [process.env.BOOTSTRAP],
  logLevel: logLevel.ERROR,
});
const ROUNDS = 20;
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic: "txn", numPartitions: 3 }] });

const producer = kafka.producer({ transactionalId: "t", idempotent: true, maxInFlightRequests: 1 });
await producer.connect();
for (let round = 0; round < ROUNDS; round++) {
  const transaction = await producer.transaction();
  const messages = [{ key: `${round}`, value: `a${round}` }, { value: `b${round}` }];
  await transaction.send({ topic: "txn", messages });
  await transaction.sendOffsets({
    consumerGroupId: "txn-group",
    topics: [{ topic: "txn", partitions: [{ partition: 0, offset: String(round) }] }],
  });
  if (round % 2 === 1) await transaction.abort();
  else await transaction.commit();
}
await producer.disconnect();

const consumer = kafka.consumer({ groupId: "readers", readUncommitted: false });
await consumer.connect();
await consumer.subscribe({ topic: "txn", fromBeginning: true });
const received = [];
await new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error(`only ${received.length} came`)), 30_000);
  consumer.run({
    eachMessage: ({ message }) => {
      received.push(message.value.toString());
      if (received.length === ROUNDS) {
        clearTimeout(timer);
        resolve();
      }
      return Promise.resolve();
    },
  }).catch(reject);
});
await consumer.disconnect();
const committed = Array.from({ length: ROUNDS / 2 }, (_, half) => half * 2);
assert.deepEqual(
  [...received].sort(),
  committed.flatMap((round) => [`a${round}`, `b${round}`]).sort(),
);
const [offsets] = await admin.fetchOffsets({ groupId: "txn-group", topics: ["txn"] });
assert.equal(offsets.partitions.find(({ partition }) => partition === 0).offset, `${ROUNDS - 2}`);
await admin.disconnect();
console.log(`${ROUNDS} transactions`);
