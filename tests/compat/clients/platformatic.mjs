// @platformatic/kafka against the broker named in BOOTSTRAP: admin, codecs, headers, groups.
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
await admin.createTopics({ topics: ["platformatic"], partitions: 3, replicas: 1 });
assert.ok((await admin.listTopics()).includes("platformatic"));

const sent = [];
for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"]) {
  const producer = new Producer({
    ...base,
    serializers: stringSerializers,
    compression,
    idempotent: compression === "none",
    autocreateTopics: true,
  });
  const messages = Array.from({ length: 200 }, (_, index) => ({
    topic: "platformatic",
    key: `key-${index % 17}`,
    value: `value ${compression} ${index}`,
    headers: { first: "1" },
  }));
  await producer.send({ messages, acks: -1 });
  sent.push(...messages.map((message) => `${message.key}=${message.value}`));
  await producer.close();
}

const consumer = new Consumer({
  ...base,
  groupId: "platformatic-group",
  deserializers: stringDeserializers,
});
const stream = await consumer.consume({
  topics: ["platformatic"],
  mode: MessagesStreamModes.EARLIEST,
  autocommit: false,
  sessionTimeout: 10_000,
  heartbeatInterval: 500,
});
const timer = setTimeout(() => {
  console.error(`only ${received.length} of ${sent.length} records came`);
  process.exit(1);
}, 30_000);
const received = [];
for await (const message of stream) {
  assert.equal(message.headers.get("first"), "1");
  received.push(`${message.key}=${message.value}`);
  if (received.length === sent.length) {
    await message.commit();
    break;
  }
}
clearTimeout(timer);
await stream.close();
await consumer.close();
assert.deepEqual([...received].sort(), [...sent].sort());
const described = await admin.describeGroups({ groups: ["platformatic-group"] });
assert.equal(described.get("platformatic-group").state, "Empty");
await admin.deleteTopics({ topics: ["platformatic"] });
await admin.close();
console.log(`${received.length} records`);
process.exit(0);
