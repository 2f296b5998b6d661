/**
 * `bun tests/stream/kill-streams.ts [--kills 50] [--records 1000000] [--members 2] [--apache]`:
 * members of an application are killed (kill -9) again and again while records come in. In the end
 * every count follows the one before it, each window has its records, and each record was joined once.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Admin } from "../../client/admin.ts";
import { Consumer } from "../../client/consumer.ts";
import { Producer } from "../../client/producer.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunNetwork } from "../../core/io/bun/network.ts";
import { bunRandom } from "../../core/io/bun/random.ts";
import { startApacheBroker } from "../compat/apache-broker.ts";
import { freshDir, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "50" },
    records: { type: "string", default: "1000000" },
    members: { type: "string", default: "2" },
    apache: { type: "boolean", default: false },
  },
});
const [KILLS, RECORDS, MEMBERS] = [values.kills, values.records, values.members].map(Number) as [
  number,
  number,
  number,
];
const io = { clock: bunClock, network: bunNetwork, random: bunRandom };
const PARTITIONS = 4;
const WORDS = Array.from({ length: 97 }, (_, i) => `w${i.toString(2)}`);
const TOPICS = ["words", "names", "totals", "windows", "joined"];
const PATIENCE_MS = 180_000;
const WINDOW_MS = 1000;
/** Records are of today: brokers would delete those of long ago. */
const BEGUN_MS = Date.now();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Counts of all time and of seconds, and a join with a table. */
const APP = `
import { safeLong, string, timeWindowed, TopologyBuilder, tumbling } from "kstream/stream";
export const config = { "application.id": "kill", "statestore.cache.max.bytes": 0 };
const builder = new TopologyBuilder();
const words = builder.stream("words", { value: string() });
words.groupByKey().count("counts").toStream().to("totals", { value: safeLong() });
words.groupBy("by-length", (_value, key) => String(key.length))
  .windowedBy(tumbling({ sizeMs: 1000, graceMs: 7 * 86_400_000 }))
  .count("lengths")
  .toStream()
  .to("windows", { key: timeWindowed(string(), 1000), value: safeLong() });
const names = builder.table("names", "names", { value: string() });
words.joinTable(names, (value, name) => name + " " + value).to("joined", { value: string() });
export default builder;
`;

const dir = freshDir("kill-streams");
writeFileSync(join(dir, "app.ts"), APP);
const { bootstrap, end } = await startCluster();
/** Ours, or Apache Kafka. */
async function startCluster(): Promise<{ bootstrap: string; end: () => Promise<unknown> }> {
  if (values.apache) return await startApacheBroker();
  const broker = await startBrokerProcess();
  return { bootstrap: broker.bootstrap, end: () => broker.stop() };
}

const clientOptions = { brokers: [bootstrap] };
const members = new Map<number, Bun.Subprocess>();

let starts = 0;

function startMember(at: number): void {
  const log = Bun.file(join(dir, `member-${at}-${starts++}.log`));
  members.set(
    at,
    Bun.spawn([
      ...[KSTREAM, "stream", "run", join(dir, "app.ts"), "-b", bootstrap],
      ...["--set", `state.dir=${join(dir, `state-${at}`)}`, "--set", "session.timeout.ms=6000"],
      ...["--set", "heartbeat.interval.ms=1000"],
    ], { stdin: "ignore", stdout: "ignore", stderr: log }),
  );
}

async function kill(at: number): Promise<void> {
  const victim = members.get(at)!;
  if (victim.exitCode !== null) {
    throw new Error(`member ${at} has ended by itself with ${victim.exitCode}; see ${dir}`);
  }
  victim.kill("SIGKILL");
  await victim.exited;
}

/** What is to be in the topics in the end. */
const perWord = new Map<string, number>();
const perWindow = new Map<string, number>();

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

async function write(from: number, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => {
    const word = WORDS[(from + i) % WORDS.length]!;
    const timestampMs = BEGUN_MS + from + i;
    add(perWord, word);
    add(perWindow, `${word.length} ${Math.floor(timestampMs / WINDOW_MS) * WINDOW_MS}`);
    return {
      topic: "words",
      key: encoder.encode(word),
      value: encoder.encode(String(from + i)),
      timestampMs,
    };
  });
  await producer.sendAll(records);
}

interface Found {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What is committed in a topic, until there are so many. */
async function read(topic: string, count: number): Promise<Found[]> {
  const consumer = new Consumer(io, { ...clientOptions, isolationLevel: "read_committed" });
  const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  await consumer.assign(all.map((partition) => ({ topic, partition, offset: 0n })));
  const found: Found[] = [];
  const isLate = AbortSignal.timeout(PATIENCE_MS);
  while (found.length < count) {
    const chunk = await consumer.nextChunk(isLate).catch(() => {
      throw new Error(`${topic} has ${found.length} records of ${count}, in ${dir}`);
    });
    for (const { key, value } of chunk?.records() ?? []) found.push({ key: key!, value: value! });
  }
  await consumer.close();
  return found;
}

function requireInTurn(topic: string, found: readonly Found[], keyOf: (key: Uint8Array) => string) {
  const last = new Map<string, number>();
  for (const { key, value } of found) {
    const [name, count] = [keyOf(key), Number(Buffer.from(value).readBigInt64BE())];
    const before = last.get(name) ?? 0;
    if (count !== before + 1) throw new Error(`${topic}: ${name} is ${count} after ${before}`);
    last.set(name, count);
  }
  return last;
}

function requireSame(topic: string, wanted: Map<string, number>, found: Map<string, number>): void {
  for (const [key, count] of wanted) {
    if (found.get(key) === count) continue;
    throw new Error(`${topic}: ${key} is ${found.get(key)}, not ${count}`);
  }
}

async function check(written: number): Promise<void> {
  const totals = requireInTurn("totals", await read("totals", written), (key) => {
    return decoder.decode(key);
  });
  requireSame("totals", perWord, totals);
  const windows = requireInTurn("windows", await read("windows", written), (key) => {
    const bytes = Buffer.from(key);
    return `${bytes.subarray(0, -8).toString()} ${bytes.readBigInt64BE(bytes.length - 8)}`;
  });
  requireSame("windows", perWindow, windows);
  const joined = new Set((await read("joined", written)).map(({ value }) => decoder.decode(value)));
  if (joined.size !== written) throw new Error(`joined: ${joined.size} are not ${written}`);
}

const admin = new Admin(io, clientOptions);
for (
  const { error } of await admin.createTopics(
    TOPICS.map((name) => ({ name, partitions: PARTITIONS, replicationFactor: 1 })),
  )
) if (error !== null) throw error;
const producer = new Producer(io, clientOptions);
try {
  await producer.sendAll(WORDS.map((word) => ({
    ...{ topic: "names", key: encoder.encode(word), value: encoder.encode(word.toUpperCase()) },
    timestampMs: 1,
  })));
  for (let at = 0; at < MEMBERS; at++) startMember(at);
  let written = 0;
  const beganMs = performance.now();
  for (let round = 0; round < KILLS; round++) {
    const count = Math.floor((RECORDS - written) / (KILLS - round));
    const half = Math.floor(count / 2);
    await write(written, half);
    await Bun.sleep(500 + Math.random() * 2500);
    const at = round % MEMBERS;
    await kill(at);
    await write(written + half, count - half);
    written += count;
    startMember(at);
    await Bun.sleep(Math.random() * 1500);
  }
  await check(written);
  const seconds = Math.round((performance.now() - beganMs) / 1000);
  console.log(
    `${written} records counted, windowed and joined once each, ${KILLS} kills, ${seconds} s`,
  );
} finally {
  for (const child of members.values()) child.kill("SIGKILL");
  await producer.close();
  admin.close();
  await end();
}
process.exit(0);
