// What the programs of all clients share: they read one round a line from standard input, do it, and
// print what it gave as a line of JSON. A round lasts as long as it is told or until a topic is read.
import { Buffer } from "node:buffer";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { createInterface } from "node:readline";

const KEYS = 10_000;
const VALUES = 1000;
const BATCH_RECORDS = 2000;
const BATCHES_AT_ONCE = 5;

/** Text that packs to about a third, as logs and JSON do. */
function text(bytes, seed) {
  let state = seed * 7919 + 1;
  let made = "";
  while (made.length < bytes) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    made += `{"item":${state % 100_000},"state":"delivered","region":"eu-${state % 7}"},`;
  }
  return made.slice(0, bytes);
}

/** The keys and values that are sent, over and over. */
export function records(valueBytes) {
  const keys = Array.from({ length: KEYS }, (_, i) => Buffer.from(`customer-${i * 7}`));
  const values = Array.from({ length: VALUES }, (_, i) => Buffer.from(text(valueBytes, i)));
  return { keys, values };
}

/** Runs until `over` says so; all that is asked for meanwhile is counted. */
function stopwatch(seconds) {
  let startMs = 0;
  let cpu = process.cpuUsage();
  return {
    start() {
      startMs = performance.now();
      cpu = process.cpuUsage();
    },
    over: () => performance.now() - startMs >= seconds * 1000,
    stop() {
      const { user, system } = process.cpuUsage(cpu);
      const wallSeconds = (performance.now() - startMs) / 1000;
      return { seconds: wallSeconds, cpuSeconds: (user + system) / 1e6 };
    },
  };
}

async function produceRound(client, { topic, valueBytes, seconds, ...options }) {
  const watch = stopwatch(seconds);
  const producer = await client.openProducer({ topic, ...options });
  watch.start();
  const sent = await producer.send(records(valueBytes), watch.over);
  const result = { records: sent, bytes: sent * valueBytes, ...watch.stop() };
  await producer.close();
  return result;
}

/** The clock runs from the first records on, which do not count: before them is the group's join. */
async function consumeRound(client, { records: there, seconds, ...options }) {
  const watch = stopwatch(seconds);
  let first = 0;
  let count = 0;
  let bytes = 0;
  const result = await new Promise((resolve, reject) => {
    /** Takes some records; false once there are enough. */
    const take = (records, valueBytes) => {
      if (first === 0) {
        first = records;
        watch.start();
        return true;
      }
      count += records;
      bytes += valueBytes;
      if (first + count < there && !watch.over()) return true;
      resolve({ records: count, bytes, ...watch.stop() });
      return false;
    };
    client.consume({ groupId: `g-${process.pid}-${performance.now()}`, ...options }, take)
      .catch(reject);
  });
  await client.stopConsuming();
  return result;
}

/** Serves rounds until the input ends. */
export async function serve(client) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { kind, ...options } = JSON.parse(line);
    const result = await (kind === "produce" ? produceRound : consumeRound)(client, options);
    process.stdout.write(JSON.stringify(result) + "\n");
  }
  process.exit(0);
}

/**
 * Sends batches of records, several of them without an answer. The sizes were the best of those
 * tried (100 to 10,000 and 1 to 10) for each client that sends so.
 */
export function inWindows(sendBatch) {
  return async ({ keys, values }, over) => {
    let sent = 0;
    const lane = async () => {
      while (!over()) {
        const from = sent;
        sent += BATCH_RECORDS;
        const messages = Array.from({ length: BATCH_RECORDS }, (_, i) => ({
          key: keys[(from + i) % KEYS],
          value: values[(from + i) % VALUES],
        }));
        await sendBatch(messages);
      }
    };
    await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, lane));
    return sent;
  };
}
