/** `producer.override.…` and `consumer.override.…` of connectors, by Kafka's names of client settings. */
import type { ConsumerOptions } from "../../client/consumer/options.ts";
import type { ProducerOptions } from "../../client/producer/options.ts";
import { choice, int, string } from "../config/fields.ts";
import { parseConfig } from "../config/parse.ts";
import type { RawConfig } from "../config/parse.ts";

/** Settings of producers that can be given. */
export const PRODUCER_FIELDS = {
  "compression.type": choice("none", "gzip", "snappy", "lz4", "zstd").default("none")
    .doc("How batches are compressed."),
  "linger.ms": int({ min: 0 }).default(5).doc("A batch waits so long for more records."),
  "batch.size": int({ min: 0 }).default(512 * 1024).doc(
    "A batch is sent when it has so many bytes.",
  ),
  "max.request.size": int({ min: 1 }).default(1024 * 1024).doc("Bytes of a request at most."),
  "buffer.memory": int({ min: 1 }).default(32 * 1024 * 1024)
    .doc("Bytes of records that are not acknowledged yet, at most."),
  "delivery.timeout.ms": int({ min: 1 }).default(2 ** 31 - 1)
    .doc("A record is given up after it, and the task fails."),
  "request.timeout.ms": int({ min: 1 }).default(30_000).doc("How long an answer is waited for."),
} as const;

/** Fetched and not yet taken, of each sink task: a worker has many, and no sink is as quick as a broker. */
const QUEUED_BYTES = 8 * 1024 * 1024;

/** Settings of consumers that can be given. */
export const CONSUMER_FIELDS = {
  "group.id": string().default("").doc("Group of the sink; not given: `connect-` and its name."),
  "auto.offset.reset": choice("earliest", "latest", "none").default("earliest")
    .doc("Where to begin without a committed offset."),
  "isolation.level": choice("read_uncommitted", "read_committed").default("read_uncommitted")
    .doc("Whether records of open and aborted transactions are seen."),
  "max.poll.records": int({ min: 1 }).default(2000).doc("Records that a sink is given at a time."),
  "fetch.min.bytes": int({ min: 1 }).default(1).doc("A broker waits for so much."),
  "fetch.max.wait.ms": int({ min: 0 }).default(500).doc("But no longer than this."),
  "max.partition.fetch.bytes": int({ min: 1 }).default(2 * 1024 * 1024)
    .doc("Bytes of a partition in one answer, at most; a larger batch comes nevertheless."),
  "session.timeout.ms": int({ min: 1 }).default(10_000)
    .doc("A task that is not heard of for so long loses its partitions."),
} as const;

/** As consumers have it, where the session is long enough for several. */
const HEARTBEAT_MS_MAX = 3000;

/** The settings behind a prefix. */
export function settingsOf(raw: RawConfig, prefix: string): RawConfig {
  return Object.fromEntries(
    Object.entries(raw).flatMap(([key, value]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : []
    ),
  );
}

/** Throws `ConfigError`. */
export function producerOverrides(raw: RawConfig): Partial<ProducerOptions> {
  const config = parseConfig(PRODUCER_FIELDS, settingsOf(raw, "producer.override."));
  return {
    compression: config["compression.type"],
    lingerMs: config["linger.ms"],
    batchBytes: config["batch.size"],
    maxRequestBytes: config["max.request.size"],
    bufferBytes: config["buffer.memory"],
    deliveryTimeoutMs: config["delivery.timeout.ms"],
    requestTimeoutMs: config["request.timeout.ms"],
  };
}

/** Throws `ConfigError`. */
export function consumerOverrides(
  raw: RawConfig,
): {
  readonly options: Partial<ConsumerOptions>;
  readonly maxPollRecords: number;
  readonly groupId: string | null;
} {
  const config = parseConfig(CONSUMER_FIELDS, settingsOf(raw, "consumer.override."));
  return {
    groupId: config["group.id"] || null,
    maxPollRecords: config["max.poll.records"],
    options: {
      autoOffsetReset: config["auto.offset.reset"],
      isolationLevel: config["isolation.level"],
      minBytes: config["fetch.min.bytes"],
      maxWaitMs: config["fetch.max.wait.ms"],
      partitionMaxBytes: config["max.partition.fetch.bytes"],
      queuedBytes: QUEUED_BYTES,
      sessionTimeoutMs: config["session.timeout.ms"],
      heartbeatIntervalMs: Math.min(HEARTBEAT_MS_MAX, Math.ceil(config["session.timeout.ms"] / 4)),
    },
  };
}
