// node-rdkafka: `produce` until its queue is full, and `consume` of many messages at once.
import { once } from "node:events";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import rdkafka from "node-rdkafka";
import { serve } from "./load.mjs";

const { ERR__QUEUE_FULL } = rdkafka.CODES.ERRORS;
const base = { "client.id": "bench", "metadata.broker.list": process.env.BOOTSTRAP };
const CHECK_EVERY = 1000;
const CONSUMED_AT_ONCE = 1000;
let consumer = null;

async function send(producer, topic, { keys, values }, over) {
  let sent = 0;
  while (sent % CHECK_EVERY !== 0 || !over()) {
    try {
      producer.produce(topic, null, values[sent % values.length], keys[sent % keys.length]);
      sent++;
      // Without it what was delivered stays in the queue.
      if (sent % CHECK_EVERY === 0) producer.poll();
    } catch (error) {
      if (error.code !== ERR__QUEUE_FULL) throw error;
      await pause(1);
      producer.poll();
    }
  }
  await new Promise((resolve, reject) =>
    producer.flush(60_000, (error) => error ? reject(error) : resolve())
  );
  return sent;
}

function consumeSome() {
  return new Promise((resolve, reject) =>
    consumer.consume(CONSUMED_AT_ONCE, (error, some) => error ? reject(error) : resolve(some))
  );
}

await serve({
  async openProducer({ topic, compression }) {
    const settings = { ...base, "compression.codec": compression };
    const producer = new rdkafka.Producer(settings, { acks: -1, partitioner: "murmur2_random" });
    producer.connect();
    await once(producer, "ready");
    return {
      send: (records, over) => send(producer, topic, records, over),
      async close() {
        producer.disconnect();
        await once(producer, "disconnected");
      },
    };
  },
  async consume({ topic, groupId }, take) {
    consumer = new rdkafka.KafkaConsumer(
      { ...base, "group.id": groupId, "auto.commit.interval.ms": 1000 },
      { "auto.offset.reset": "earliest" },
    );
    consumer.connect();
    await once(consumer, "ready");
    consumer.setDefaultConsumeTimeout(10);
    consumer.subscribe([topic]);
    for (let on = true; on;) {
      const messages = await consumeSome();
      let bytes = 0;
      for (const { value } of messages) bytes += value.length;
      if (messages.length > 0) on = take(messages.length, bytes);
    }
  },
  async stopConsuming() {
    consumer.disconnect();
    await once(consumer, "disconnected");
  },
});
