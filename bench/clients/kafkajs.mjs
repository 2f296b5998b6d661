// kafkajs: `sendBatch` and `eachBatch`, with LZ4 by the addon that ours uses.
import { Buffer } from "node:buffer";
import process from "node:process";
import kafkajs from "kafkajs";
import lz4 from "lz4-napi";
import { inWindows, serve } from "./load.mjs";

const { CompressionCodecs, CompressionTypes, Kafka, logLevel, Partitioners } = kafkajs;

CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: (bytes) => lz4.decompressFrame(Buffer.from(bytes)),
});

const brokers = [process.env.BOOTSTRAP];
const kafka = new Kafka({ clientId: "bench", brokers, logLevel: logLevel.ERROR });
let consumer = null;

await serve({
  async openProducer({ topic, compression }) {
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const send = inWindows((messages) =>
      producer.sendBatch({
        acks: -1,
        compression: compression === "lz4" ? CompressionTypes.LZ4 : CompressionTypes.None,
        topicMessages: [{ topic, messages }],
      })
    );
    return { send, close: () => producer.disconnect() };
  },
  async consume({ topic, groupId }, take) {
    consumer = kafka.consumer({ groupId, maxBytesPerPartition: 4 * 1024 * 1024 });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    let on = true;
    await consumer.run({
      autoCommitInterval: 1000,
      eachBatch({ batch: { messages } }) {
        let bytes = 0;
        for (const { value } of messages) bytes += value.length;
        if (on) on = take(messages.length, bytes);
        return Promise.resolve();
      },
    });
  },
  stopConsuming: () => consumer.disconnect(),
});
