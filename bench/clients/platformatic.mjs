// @platformatic/kafka: `send` of many messages, and the events of its stream. Its default of 50 MB for
// a fetch makes it six times as slow as this one.
import process from "node:process";
import { Consumer, MessagesStreamModes, Producer } from "@platformatic/kafka";
import { inWindows, serve } from "./load.mjs";

const base = { clientId: "bench", bootstrapBrokers: [process.env.BOOTSTRAP] };
const maxBytes = 1024 * 1024;
let consumer = null;

await serve({
  openProducer({ topic, compression }) {
    const producer = new Producer({ ...base, compression, acks: -1 });
    const send = inWindows((messages) => {
      for (const message of messages) message.topic = topic;
      return producer.send({ messages });
    });
    return Promise.resolve({ send, close: () => producer.close() });
  },
  async consume({ topic, groupId }, take) {
    consumer = new Consumer({ ...base, groupId, maxBytes, autocommit: 1000 });
    const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST });
    stream.on("data", ({ value }) => {
      if (!take(1, value.length)) stream.removeAllListeners("data");
    });
  },
  stopConsuming: () => consumer.close(true),
});
