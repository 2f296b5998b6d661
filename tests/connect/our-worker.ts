/** A worker of ours in a process: `bun our-worker.ts BROKERS GROUP`; prints its URL. Its end: SIGTERM. */
import { bunCodecs } from "../../core/compression/bun.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunServeHttp } from "../../core/io/bun/http.ts";
import { bunNetwork } from "../../core/io/bun/network.ts";
import { bunRandom } from "../../core/io/bun/random.ts";
import { createLogger } from "../../core/logger.ts";
import type { Converter } from "../../connect/converters/converter.ts";
import { DEFAULT_RESTARTS } from "../../connect/herder/restarts.ts";
import { openGroupWorker } from "../../connect/open-worker.ts";
import { chainOf } from "../../connect/transforms/chain.ts";
import { LINE_PLUGINS } from "./rest-session/line-connectors.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** As Kafka's `StringConverter`. */
const text: Converter = {
  toBytes: (_topic, _schema, value) => value === null ? null : encoder.encode(String(value)),
  fromBytes: (_topic, bytes) => {
    return { schema: null, value: bytes === null ? null : decoder.decode(bytes) };
  },
};

const [brokers = "", groupId = "", attempts = "10"] = process.argv.slice(2);
const sessionTimeoutMs = 6000;
const worker = await openGroupWorker({
  io: { clock: bunClock, random: bunRandom, network: bunNetwork },
  client: { brokers: [brokers] },
  codecs: bunCodecs,
  logger: createLogger({
    level: "debug",
    format: "text",
    wallMs: () => bunClock.wallMs(),
    write: (line) => console.error(line),
  }),
  plugins: LINE_PLUGINS,
  hosts: null,
  secrets: {
    env: (name) => process.env[name],
    readFile: (path) => {
      throw new Error(`${path} is not for tests`);
    },
  },
  pipelineOf: (raw) => ({
    key: text,
    value: text,
    header: {
      toBytes: (topic, _name, schema, value) => text.toBytes(topic, schema, value),
      fromBytes: (topic, _name, bytes) => text.fromBytes(topic, bytes),
    },
    transform: chainOf(raw),
  }),
  group: {
    groupId,
    sessionTimeoutMs,
    heartbeatIntervalMs: 1000,
    rebalanceTimeoutMs: 20_000,
    rebalanceMaxDelayMs: 0,
  },
  topics: {
    config: { topic: "connect-configs", partitions: 1, replicationFactor: 1 },
    status: { topic: "connect-status", partitions: 5, replicationFactor: 1 },
    offset: { topic: "connect-offsets", partitions: 5, replicationFactor: 1 },
  },
  isExactlyOnce: process.argv.includes("--exactly-once"),
  offsetFlushIntervalMs: 500,
  taskShutdownTimeoutMs: 5000,
  restarts: { ...DEFAULT_RESTARTS, maxAttempts: Number(attempts) },
  rest: {
    serveHttp: bunServeHttp,
    at: { host: "127.0.0.1", port: 0 },
    tls: null,
    users: null,
    ask: fetch,
    advertised: null,
    version: "0.1.0",
    commit: "none",
  },
  onFatal: (error) => {
    console.error(error.message);
    process.exit(1);
  },
});
console.log(`http://127.0.0.1:${worker.address.port}`);
process.once("SIGTERM", () => void worker.close().then(() => process.exit(0)));
