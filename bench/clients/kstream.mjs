// Our own client, from its package. Without WAY=records: a `TopicWriter` and batches for a handler;
// with it lists of records for `sendAll`, as others have them, and a loop over single records.
import process from "node:process";
import { Consumer, Producer } from "kstream";
import { inWindows, serve } from "./load.mjs";

const CHECK_EVERY = 1000;
const brokers = [process.env.BOOTSTRAP];
const byRecords = process.env.WAY === "records";
let consumer = null;

async function append(producer, topic, { keys, values }, over) {
  const writer = await producer.topic(topic);
  let sent = 0;
  while (sent % CHECK_EVERY !== 0 || !over()) {
    const key = keys[sent % keys.length];
    const value = values[sent % values.length];
    if (writer.append(-1, Date.now(), key, value) < 0) await producer.room();
    else sent++;
  }
  await producer.flush();
  return sent;
}

await serve({
  openProducer({ topic, compression }) {
    const producer = new Producer({
      brokers,
      compression,
      onBatch({ error }) {
        if (error !== null) throw error;
      },
    });
    const send = byRecords
      ? inWindows((messages) => {
        for (const message of messages) message.topic = topic;
        return producer.sendAll(messages);
      })
      : (records, over) => append(producer, topic, records, over);
    return Promise.resolve({ send, close: () => producer.close() });
  },
  async consume({ topic, groupId }, take) {
    consumer = new Consumer({ brokers, groupId, autoCommitIntervalMs: 1000 });
    consumer.subscribe([topic]);
    if (byRecords) {
      for await (const { value } of consumer.records()) if (!take(1, value.length)) return;
      return;
    }
    let on = true;
    await consumer.run({
      eachBatch({ records }) {
        let bytes = 0;
        for (const { value } of records) bytes += value.length;
        if (on) on = take(records.length, bytes);
      },
    });
  },
  stopConsuming: () => consumer.close(),
});
