// kafkajs, as an instrumented program: a record of a sampled trace, one of a trace that is not.
import process from "node:process";
import kafkajs from "kafkajs";

const { CompressionTypes, Kafka, logLevel } = kafkajs;
const kafka = new Kafka({
  clientId: "shop",
  brokers: [process.env.BOOTSTRAP],
  logLevel: logLevel.ERROR,
});
const producer = kafka.producer();
await producer.connect();
const [sampled, other] = process.env.TRACEPARENTS.split(",");
for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
  await producer.send({
    topic: "traced",
    compression,
    messages: [
      { value: "plain" },
      { value: "of a trace", headers: { traceparent: sampled } },
      { value: "not sampled", headers: { traceparent: other } },
    ],
  });
}
await producer.disconnect();
