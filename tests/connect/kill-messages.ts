/**
 * `bun tests/connect/kill-messages.ts [--rounds 20] [--seed 1]`: Redis and MQTT through topics, with
 * kills.
 *
 *     MQTT  ── mqtt-source ──▶ topic m ── redis-sink ──▶ stream m-out of Redis
 *     stream in of Redis ── redis-source ──▶ topic r ── mqtt-sink ──▶ MQTT out
 *
 * In each round messages and entries are added, and the process that runs all four connectors, or
 * Redis, is killed (kill -9), or the MQTT broker stands still for a while. In the end nothing is
 * missing; what Redis is read to and written of is there once, in its order.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { run } from "../harness/process.ts";
import { freshDir, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import { MosquittoServer, needMosquitto } from "./servers/mosquitto.ts";
import { needRedis, RedisServer } from "./servers/redis.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
  },
});
const ROUNDS = Number(flags.rounds);
const PER_ROUND = 500;
const PATIENCE_MS = 120_000;

const missing = await needRedis() ?? await needMosquitto();
if (missing !== null) throw new Error(missing);
const dir = freshDir("kill-messages");
const broker = await startBrokerProcess({ args: ["--topic", "m:1", "--topic", "r:1"] });
const redis = await RedisServer.start();
const mqtt = await MosquittoServer.start();
const heardFile = join(dir, "heard");
const listener = mqtt.listen(heardFile, "-t", "out");
let worker: Bun.Subprocess | null = null;
let isOver = false;
let state = Number(flags.seed);

/** From 0 to below `end`. */
function random(end: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor(state / 2 ** 32 * end);
}

const redisConfig = { ...redis.config, "redis.timeout.ms": "1000" };
const mqttConfig = { ...mqtt.config, "mqtt.connect.timeout.seconds": "2" };
const CONFIGS = [
  { name: "a", connector: "mqtt-source", ...mqttConfig, "mqtt.topics": "in", "kafka.topic": "m" },
  { name: "b", connector: "redis-sink", ...redisConfig, topics: "m", "redis.key": "m-out" },
  {
    name: "c",
    connector: "redis-source",
    ...redisConfig,
    "redis.stream.name": "in",
    topic: "r",
    "value.field": "n",
    "exactly.once.support": "required",
  },
  { name: "d", connector: "mqtt-sink", ...mqttConfig, topics: "r", "mqtt.topic": "out" },
];
const file = join(dir, "connectors.yaml");
await Bun.write(file, CONFIGS.map((config) => JSON.stringify(config)).join("\n---\n"));

/** Begun again whenever it ends, as by whoever watches over services. */
async function superviseWorker(): Promise<void> {
  for (let number = 0; !isOver; number++) {
    worker = Bun.spawn(
      [KSTREAM, "connect", "run", file, "-b", broker.bootstrap, "--restarts", "1000"],
      { stdin: "ignore", stdout: "inherit", stderr: Bun.file(join(dir, `worker-${number}.log`)) },
    );
    await worker.exited;
    await Bun.sleep(200);
  }
}

function killWorker(): void {
  worker?.kill("SIGKILL");
}

async function trouble(): Promise<string> {
  await Bun.sleep(random(1500));
  const what = ["worker", "worker", "redis", "mqtt"][random(4)]!;
  if (what === "worker") {
    killWorker();
  } else if (what === "redis") {
    await redis.down();
    await Bun.sleep(random(1000));
    await redis.up();
  } else {
    mqtt.freeze();
    await Bun.sleep(random(4000));
    mqtt.thaw();
  }
  return what;
}

async function add(from: number): Promise<void> {
  const numbers = Array.from({ length: PER_ROUND }, (_, i) => String(from + i));
  // Told again, it does nothing again: an answer may be lost with the server.
  const script = `if redis.call('GET', 'added') == ARGV[2] then return 'there' end
    for n = ARGV[1], ARGV[2] - 1 do redis.call('XADD', 'in', '*', 'n', n) end
    redis.call('SET', 'added', ARGV[2]) return 'there'`;
  const ends = [String(from), String(from + PER_ROUND)];
  while ((await redis.cli("EVAL", script, "0", ...ends))[0] !== "there") await Bun.sleep(50);
  await mqtt.publish("in", numbers);
}

async function topic(name: string): Promise<number[]> {
  const all = ["-e", "--isolation", "read_committed", "-b", broker.bootstrap];
  const { stdout } = await run([KSTREAM, "consume", name, ...all]);
  return stdout.trimEnd().split("\n").filter(Boolean).map((line) => Number(JSON.parse(line)));
}

async function stream(name: string): Promise<number[]> {
  const lines = await redis.cli("XRANGE", name, "-", "+");
  return lines.filter((_line, i) => i % 3 === 2).map(Number);
}

/** Waits until this many different numbers are there. */
async function whole(
  what: string,
  read: () => Promise<number[]>,
  count: number,
): Promise<number[]> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await read();
    const distinct = new Set(found).size;
    if (distinct === count) return found;
    if (Date.now() > deadline) throw new Error(`${what} has ${distinct} of ${count}; see ${dir}`);
    await Bun.sleep(500);
  }
}

function requireSame(what: string, found: readonly number[], expected: readonly number[]): void {
  const at = expected.findIndex((number, i) => found[i] !== number);
  if (at < 0 && found.length === expected.length) return;
  throw new Error(
    `${what}: ${found.length} for ${expected.length}, others from ${at} on; see ${dir}`,
  );
}

let supervised = Promise.resolve();
try {
  supervised = superviseWorker();
  // Until it has subscribed, what is published goes to nobody.
  const isThere = async () => {
    await mqtt.publish("in", ["-1"]);
    return (await topic("m")).length > 0;
  };
  while (!await isThere()) await Bun.sleep(200);
  const troubles: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round++) {
    const [, what] = await Promise.all([add(round * PER_ROUND), trouble()]);
    troubles[what] = (troubles[what] ?? 0) + 1;
  }
  const total = ROUNDS * PER_ROUND;
  const expected = Array.from({ length: total }, (_, n) => n);
  const r = await whole("topic r", () => topic("r"), total);
  requireSame("redis-source, once and in order", r, expected);
  const m = await whole("topic m", () => topic("m"), total + 1);
  const out = await whole("stream m-out", () => stream("m-out"), total + 1);
  requireSame("redis-sink, as the topic", out, m);
  const heard = await whole("MQTT out", async () => {
    const lines = (await Bun.file(heardFile).text()).trimEnd().split("\n");
    return lines.filter(Boolean).map(Number);
  }, total);
  const tests = m.filter((number) => number === -1).length;
  console.log(
    `${ROUNDS} rounds (${JSON.stringify(troubles)}), ${total} messages each way: redis-source ` +
      `${r.length} once in order, redis-sink ${out.length} as the topic, mqtt-source ` +
      `${m.length - tests - total} doubled, mqtt-sink ${
        heard.length - total
      } doubled, none missing`,
  );
} finally {
  isOver = true;
  killWorker();
  listener.kill();
  await supervised;
  await Promise.all([redis.stop(), mqtt.stop(), broker.stop()]);
}
