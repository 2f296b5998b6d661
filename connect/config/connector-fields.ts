/** Settings that every connector has, whatever it connects: Kafka's names, meanings and defaults. */
import { boolean, choice, int, list, long, string } from "./fields.ts";
import type { ConfigOf } from "./fields.ts";

const MINUTE_MS = 60_000;

/** Of sources and sinks. Converters and transforms read theirs themselves. */
export const CONNECTOR_FIELDS = {
  name: string().importance("HIGH").doc("Name of the connector, the only one of its group."),
  "connector.class": string().importance("HIGH").doc("Which connector it is: see `plugins`."),
  "tasks.max": int({ min: 1 }).default(1).importance("HIGH")
    .doc("At most so many tasks share the work."),
  "tasks.max.enforce": boolean().default(true).importance("LOW")
    .doc("Refuse a connector that makes more tasks than `tasks.max`."),
  "errors.tolerance": choice("none", "all").optional().group("Error Handling")
    .doc(
      "`none`: a record that cannot be converted, transformed or taken fails the task; `all`: it is " +
        "left out. Not given: `all` where there is a topic for dead letters, else `none`.",
    ),
  "errors.retry.timeout": long({ min: -1 }).default(0).group("Error Handling")
    .doc("For how many milliseconds a record that fails for a while is tried again; -1: for ever."),
  "errors.retry.delay.max.ms": long({ min: 1 }).default(MINUTE_MS).group("Error Handling")
    .doc("Pauses between attempts grow up to so many milliseconds."),
  "errors.log.enable": boolean().default(false).group("Error Handling")
    .doc("Log every record that is left out; failures of tasks are logged anyway."),
  "errors.log.include.messages": boolean().default(false).group("Error Handling")
    .doc("With where it lies: topic, partition, offset. Never with what is in it."),
  "errors.deadletterqueue.topic.name": string().default("").group("Error Handling")
    .doc("Topic that records go to which are left out; empty: none."),
  "errors.deadletterqueue.topic.replication.factor": int({ min: -1 }).default(3).group(
    "Error Handling",
  ).doc("Replicas of that topic where it has to be made; -1: what brokers take by default."),
  "errors.deadletterqueue.context.headers.enable": boolean().default(true).group("Error Handling")
    .doc(
      "Headers `__connect.errors.…` of a dead letter say where it comes from and why (KIP-298).",
    ),
  "rate.records.max": int({ min: 0 }).default(0).importance("LOW")
    .doc("At most so many records a second per task; 0: no limit."),
} as const;

export type CommonConfig = ConfigOf<typeof CONNECTOR_FIELDS>;

/** Of sources besides. */
export const SOURCE_FIELDS = {
  "exactly.once.support": choice("requested", "required").default("requested")
    .doc("`required`: refuse to begin unless records come exactly once (KIP-618)."),
  "transaction.boundary": choice("poll", "interval").default("poll")
    .doc("A transaction is a batch of the source, or what comes in an interval."),
  "transaction.boundary.interval.ms": long({ min: 1 }).optional()
    .doc("Length of such an interval; not given: `offset.flush.interval.ms`."),
  "offsets.storage.topic": string()
    .check((topic) => topic.trim() === "" ? "is empty: name a topic, or leave it out" : null)
    .optional()
    .doc(
      "Topic of its own for this connector's offsets, made where it is missing, for brokers that " +
        "should not share them; not given: that of the worker, which is looked into also for " +
        "offsets that its own lacks.",
    ),
  "topic.creation.groups": list().default([]).group("Topic Creation")
    .doc("Groups of topics that the connector makes with settings of their own (KIP-158)."),
  "topic.creation.default.partitions": int({ min: -1 }).default(-1).group("Topic Creation")
    .doc("Partitions of topics that the connector makes; -1: what brokers take by default."),
  "topic.creation.default.replication.factor": int({ min: -1 }).default(-1).group("Topic Creation")
    .doc("Replicas of topics that the connector makes; -1: what brokers take by default."),
} as const;

export type SourceConfig = ConfigOf<typeof SOURCE_FIELDS>;

/** Of sinks besides. */
export const SINK_FIELDS = {
  topics: list().default([]).importance("HIGH").doc("Topics to read."),
  "topics.regex": string().default("").importance("HIGH")
    .doc("Or: topics whose names match this as a whole."),
} as const;

/** Keys that others read, by how they begin. */
export const OTHERS_KEYS: readonly string[] = [
  "key.converter",
  "value.converter",
  "header.converter",
  "topic.creation.",
  "producer.override.",
  "consumer.override.",
  "admin.override.",
  "config.action.reload",
];
