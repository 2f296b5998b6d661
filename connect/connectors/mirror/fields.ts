/** Settings of mirrors, by MM2's names (KIP-382). */
import { boolean, choice, FieldError, int, list, long, string } from "../../index.ts";
import type { ConfigOf } from "../../index.ts";
import { sourceClusterFields, targetClusterFields } from "./cluster-fields.ts";
import { patterns } from "./name-filter.ts";
import { Policy } from "./policy.ts";

const replicas = (what: string) =>
  int({ min: -1 }).default(-1).doc(`Replicas of ${what}; -1: what brokers take by default.`);
const seconds = (value: number, what: string) =>
  long({ min: 1 }).default(value).doc(`How often ${what}, in seconds.`);

const policyClass = () =>
  string().default("default").check((name) =>
    policyKind(name) === null ? "must be default or identity, or one of Kafka's two classes" : null
  );

function policyKind(name: string): "default" | "identity" | null {
  if (name === "default" || name.endsWith("DefaultReplicationPolicy")) return "default";
  return name === "identity" || name.endsWith("IdentityReplicationPolicy") ? "identity" : null;
}

/** Of all of them. */
export const baseFields = {
  ...sourceClusterFields,
  ...targetClusterFields,
  "source.cluster.alias": string().default("source").importance("HIGH")
    .doc("The source's name: copies of its topics begin with it."),
  "target.cluster.alias": string().default("target").importance("HIGH")
    .doc("The target's name: topics that have come from it are not copied back to it."),
  enabled: boolean().default(true).doc("Whether anything is done."),
  "replication.policy.class": policyClass().doc(
    "How copies of topics are called: default (ALIAS.TOPIC) or identity (as the topic). With identity " +
      "nothing keeps two mirrors from copying back and forth.",
  ),
  "replication.policy.separator": string().default(".")
    .doc("What is between alias and name of a topic."),
  "replication.policy.internal.topic.separator.enabled": boolean().default(true)
    .doc("Whether it is in names of internal topics as well, or a dot whatever it is."),
  "admin.timeout.ms": long({ min: 1 }).default(60_000)
    .doc("How long clusters are asked something before it is given up for now."),
};

export type BaseConfig = ConfigOf<typeof baseFields>;

const topics = {
  topics: patterns().default([".*"]).importance("HIGH")
    .doc("Topics of the source, by names and patterns."),
  "topics.exclude": patterns().default([".*[\\-\\.]internal", ".*\\.replica", "__.*"])
    .importance("HIGH").doc("Topics that are not copied, by names and patterns."),
};

const offsetSyncs = {
  "offset-syncs.topic.location": choice("source", "target").default("source").doc(
    "Which cluster has the topic that says where copies of records are. With target nothing is " +
      "written to the source.",
  ),
  "offset-syncs.topic.replication.factor": replicas("that topic"),
  "emit.offset-syncs.enabled": boolean().default(true)
    .doc("Whether it is said where copies are; checkpoints are made of it."),
};

export const sourceFields = {
  ...baseFields,
  ...topics,
  ...offsetSyncs,
  "offset.lag.max": long({ min: 0 }).default(100)
    .doc("How many records later it is said again where copies of a partition are."),
  "replication.factor": replicas("copies of topics"),
  "heartbeats.replication.enabled": boolean().default(true)
    .doc("Whether heartbeats of the source are copied whatever topics are."),
  "refresh.topics.enabled": boolean().default(true)
    .doc("Whether new topics and partitions of the source are looked for."),
  "refresh.topics.interval.seconds": seconds(60, "topics of the source are looked at"),
  "sync.topic.configs.enabled": boolean().default(true)
    .doc("Whether copies are configured as the topics that they are copies of."),
  "sync.topic.configs.interval.seconds": seconds(600, "configs are copied"),
  "config.properties.exclude": patterns().default([
    "follower\\.replication\\.throttled\\.replicas",
    "leader\\.replication\\.throttled\\.replicas",
    "message\\.timestamp\\.difference\\.max\\.ms",
    "message\\.timestamp\\.type",
    "unclean\\.leader\\.election\\.enable",
    "min\\.insync\\.replicas",
  ]).doc("Configs of topics that are not copied, by names and patterns."),
  "use.defaults.from": choice("source", "target").default("target")
    .doc("Whose defaults a copy has where its topic has a default."),
  "sync.topic.acls.enabled": boolean().default(true).doc(
    "Whether who may read a topic of the source may read the copy; nobody may write to it.",
  ),
  "sync.topic.acls.interval.seconds": seconds(600, "ACLs are copied"),
  "consumer.poll.timeout.ms": long({ min: 1 }).default(1000)
    .doc("How long brokers of the source wait for records before they answer that there are none."),
  "source.consumer.isolation.level": choice("read_committed", "read_uncommitted")
    .default("read_committed").doc(
      "Whether records of transactions are copied once they are committed, or whatever becomes of " +
        "them. Exactly once needs read_committed.",
    ),
  "source.consumer.auto.offset.reset": choice("earliest", "latest").default("earliest")
    .doc(
      "Where a partition begins that nothing was copied of, and where it goes on if records are gone.",
    ),
  "source.consumer.max.partition.fetch.bytes": int({ min: 1024 }).default(4 * 1024 * 1024)
    .doc("Bytes of a partition in one answer of a broker."),
  "source.consumer.client.rack": string().default("")
    .doc("Where the worker is, so that the closest replica is asked."),
  "exactly.once.support": choice("requested", "required").default("requested")
    .doc("`required`: refuse to begin unless records come exactly once (KIP-618)."),
  "task.assigned.partitions": list().default([])
    .doc("Partitions of a task, as TOPIC-N; the connector fills it in."),
};

export type SourceConfig = ConfigOf<typeof sourceFields>;

export const checkpointFields = {
  ...baseFields,
  ...topics,
  ...offsetSyncs,
  groups: patterns().default([".*"]).importance("HIGH")
    .doc("Groups of the source, by names and patterns."),
  "groups.exclude": patterns().default(["console-consumer-.*", "connect-.*", "__.*"])
    .doc("Groups that are passed over, by names and patterns."),
  "refresh.groups.enabled": boolean().default(true)
    .doc("Whether new groups of the source are looked for."),
  "refresh.groups.interval.seconds": seconds(60, "groups of the source are looked at"),
  "emit.checkpoints.enabled": boolean().default(true)
    .doc("Whether it is written where groups of the source would go on in the target."),
  "emit.checkpoints.interval.seconds": seconds(60, "that is written"),
  "checkpoints.topic.replication.factor": replicas("the topic that it is written to"),
  "sync.group.offsets.enabled": boolean().default(false).importance("HIGH").doc(
    "Whether groups of the target that have no members get these offsets: so consumers may go from " +
      "one cluster to the other. They never go back.",
  ),
  "sync.group.offsets.interval.seconds": seconds(60, "groups of the target get offsets"),
  "task.assigned.groups": list().default([]).doc("Groups of a task; the connector fills it in."),
};

export type CheckpointConfig = ConfigOf<typeof checkpointFields>;

export const heartbeatFields = {
  ...baseFields,
  "emit.heartbeats.enabled": boolean().default(true).doc("Whether heartbeats are written."),
  "emit.heartbeats.interval.seconds": seconds(1, "a heartbeat is written"),
  "heartbeats.topic.replication.factor": replicas("the topic of heartbeats"),
};

export type HeartbeatConfig = ConfigOf<typeof heartbeatFields>;

export function policyOf(config: BaseConfig): Policy {
  const kind = policyKind(config["replication.policy.class"]);
  if (kind === null) throw new FieldError("no such policy");
  return new Policy({
    kind,
    separator: config["replication.policy.separator"],
    hasSeparatorInside: config["replication.policy.internal.topic.separator.enabled"],
    sourceAlias: config["source.cluster.alias"],
  });
}

/** The topic of offset syncs, and whose it is. */
export function offsetSyncsTopic(
  config: BaseConfig & Pick<SourceConfig, "offset-syncs.topic.location">,
): { readonly side: "source" | "target"; readonly topic: string } {
  const side = config["offset-syncs.topic.location"];
  const alias = config[side === "source" ? "target.cluster.alias" : "source.cluster.alias"];
  return { side, topic: policyOf(config).offsetSyncs(alias) };
}
