// kafkajs through failovers: produces numbers until told to stop, consumes them in a group. Lines on
// standard output: "ack VALUE", "saw VALUE", "end" when no more is produced.
import process from "node:process";
import kafkajs from "kafkajs";

const { Kafka, logLevel } = kafkajs;
const { BOOTSTRAP, TOPIC } = process.env;
const kafka = new Kafka({
  clientId: "rider",
  brokers: BOOTSTRAP.split(","),
  logLevel: logLevel.NOTHING,
  requestTimeout: 5000,
  retry: { retries: 50, maxRetryTime: 1000 },
});
const consumer = kafka.consumer({ groupId: "kafkajs-riders", sessionTimeout: 6000 });
await consumer.connect();
await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
await consumer.run({
  eachMessage: ({ message }) => {
    console.log(`saw ${message.value}`);
    return Promise.resolve();
  },
});
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
await producer.connect();
let isStopping = false;
process.stdin.on("data", () => isStopping = true);
for (let value = 0; !isStopping; value++) {
  // With a key: without, kafkajs sends a retry to another partition, but keeps the number in the sequence
  // of the first one for the next record there, which the broker then takes for the retry.
  const message = { key: String(value), value: String(value) };
  await producer.send({ topic: TOPIC, acks: -1, messages: [message] });
  console.log(`ack ${value}`);
  await new Promise((resolve) => setTimeout(resolve, 10));
}
console.log("end");
