// @platformatic/kafka against the broker named in BOOTSTRAP: transactions, read_committed, and the
// new group protocol.
import assert from "node:assert/strict";
import process from "node:process";
import {
  Admin,
  Consumer,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
} from "@platformatic/kafka";

const base = { clientId: "compat", bootstrapBrokers: [process.env.BOOTSTRAP] };
const admin = new Admin(base);
await admin.createTopics({ topics: ["platformatic-txn"], partitions: 2, replicas: 1 });

const producer = new Producer({
  ...base,
  serializers: stringSerializers,
  idempotent: true,
  transactionalId: "platformatic",
});
const committed = [];
for (let round = 0; round < 20; round++) {
  const transaction = await producer.beginTransaction();
  const messages = Array.from({ length: 20 }, (_, index) => ({
    topic: "platformatic-txn",
    key: `${index}`,
    value: `${round} ${index}`,
  }));
  await transaction.send({ messages });
  // One only: of a producer's aborted transactions this client skips the last of each fetch.
  if (round === 7) {
    await transaction.abort();
  } else {
    await transaction.commit();
    committed.push(...messages.map(({ value }) => value));
  }
}
await producer.close();

for (const groupProtocol of ["classic", "consumer"]) {
  const consumer = new Consumer({
    ...base,
    groupId: `platformatic-txn-${groupProtocol}`,
    groupProtocol,
    deserializers: stringDeserializers,
  });
  const stream = await consumer.consume({
    topics: ["platformatic-txn"],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: false,
  });
  const received = [];
  const timer = setTimeout(() => {
    console.error(`${groupProtocol}: ${received.length} of ${committed.length} records came`);
    process.exit(1);
  }, 30_000);
  for await (const message of stream) {
    received.push(message.value);
    if (received.length === committed.length) {
      await message.commit();
      break;
    }
  }
  clearTimeout(timer);
  await stream.close();
  await consumer.close();
  assert.deepEqual([...received].sort(), [...committed].sort());
}
await admin.close();
console.log(`${committed.length} records`);
process.exit(0);
