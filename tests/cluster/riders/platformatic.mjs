// @platformatic/kafka through failovers, as kafkajs.mjs.
import process from "node:process";
import {
  Consumer,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
} from "@platformatic/kafka";

const { BOOTSTRAP, TOPIC } = process.env;
const base = {
  clientId: "rider",
  bootstrapBrokers: BOOTSTRAP.split(","),
  timeout: 5000,
  retries: 1000,
  retryDelay: 250,
};

/**
 * A stream of it ends with an error that is not to be retried where a dead leader's partitions have two
 * leaders now ("Cannot find broker with node id"): then the application has to begin another one.
 */
async function consume() {
  const consumer = new Consumer({
    ...base,
    groupId: "platformatic-riders",
    deserializers: stringDeserializers,
  });
  const stream = await consumer.consume({
    topics: [TOPIC],
    mode: MessagesStreamModes.EARLIEST,
    sessionTimeout: 10_000,
    heartbeatInterval: 500,
  });
  stream.on("data", (message) => console.log(`saw ${message.value}`));
  stream.once("error", (error) => {
    console.error(Bun.inspect(error, { depth: 6 }));
    stream.on("error", () => {});
    void consumer.close(true).catch(() => {}).then(consume);
  });
}

await consume();
const producer = new Producer({ ...base, serializers: stringSerializers, idempotent: true });
let isStopping = false;
process.stdin.on("data", () => isStopping = true);
for (let value = 0; !isStopping; value++) {
  await producer.send({ acks: -1, messages: [{ topic: TOPIC, value: String(value) }] });
  console.log(`ack ${value}`);
  await new Promise((resolve) => setTimeout(resolve, 10));
}
console.log("end");
