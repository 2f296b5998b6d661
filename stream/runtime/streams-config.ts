/** How an application is run: Kafka's names (`StreamsConfig`), parsed and bounded. */
import { didYouMean } from "../../core/did-you-mean.ts";
import { OperatorError } from "../../core/operator-error.ts";

/** What becomes of what fails: the task, the record, or it goes to the dead letters. */
export type OnFailure = "fail" | "continue" | "dlq";

/** What becomes of the application when a task has failed (`StreamsUncaughtExceptionHandler`). */
export type OnTaskFailure = "replace" | "shutdown-client" | "shutdown-application";

/** A value as it may be given. */
export type ConfigValue = string | number | boolean;

/** See the head of the file. */
export interface StreamsConfig {
  readonly applicationId: string;
  /** Null: whoever runs the application knows. */
  readonly bootstrapServers: string | null;
  readonly isExactlyOnce: boolean;
  /** Each is a member of the group of its own. */
  readonly threads: number;
  readonly commitIntervalMs: number;
  /** −1: a task never waits for a partition that has nothing. */
  readonly maxTaskIdleMs: number;
  readonly standbyReplicas: number;
  /** How often is looked for topics that match patterns. */
  readonly metadataMaxAgeMs: number;
  /** In records. */
  readonly acceptableRecoveryLag: number;
  readonly maxWarmupReplicas: number;
  readonly probingRebalanceIntervalMs: number;
  readonly rackTags: readonly string[];
  readonly clientTags: Readonly<Record<string, string>>;
  readonly cacheBytesMax: number;
  /** Per partition. */
  readonly bufferedRecords: number;
  readonly onUnreadable: OnFailure;
  readonly onProcessingError: OnFailure;
  readonly onProductionError: OnFailure;
  readonly deadLetterTopic: string | null;
  readonly onTaskFailure: OnTaskFailure;
  /** How often in a row a task that fails begins again, before the application ends. */
  readonly taskRestartsMax: number;
  /** Of internal topics; −1: the brokers'. */
  readonly replicationFactor: number;
  readonly windowChangelogExtraMs: number;
  /** Of all internal topics. */
  readonly topicConfigs: Readonly<Record<string, string>>;
  readonly repartitionPurgeIntervalMs: number;
  readonly stateDir: string;
  /** How long state of tasks that are others' now is kept. */
  readonly stateCleanupDelayMs: number;
  /** Where copies of stores are, for machines that have none; null: nowhere. */
  readonly snapshotDir: string | null;
  readonly snapshotIntervalMs: number;
  /** Stores are not on disk; all of them are restored when a task begins. */
  readonly isStateInMemory: boolean;
  /** Who shares tasks out: the members, or the brokers (KIP-1071). */
  readonly groupProtocol: "classic" | "streams";
  /** Of what is set: what brokers decide with this protocol, and where that is set. */
  readonly unheeded: ReadonlyMap<string, string>;
  readonly groupInstanceId: string | null;
  readonly autoOffsetReset: "earliest" | "latest" | "none";
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly maxPollIntervalMs: number;
  readonly transactionTimeoutMs: number;
}

interface Field<T> {
  readonly about: string;
  readonly fallback: string;
  parse(text: string): T | null;
  /** What it can be. */
  readonly wants: string;
}

const INT_MAX = 2_147_483_647;
const DAY_MS = 86_400_000;

function whole(about: string, fallback: number, min: number, max: number = INT_MAX): Field<number> {
  return {
    about,
    fallback: String(fallback),
    wants: `a whole number from ${min} to ${max}`,
    parse: (text) => {
      const value = /^-?\d{1,15}$/.test(text) ? Number(text) : NaN;
      return value >= min && value <= max ? value : null;
    },
  };
}

function choice<const T extends string>(
  about: string,
  fallback: NoInfer<T>,
  choices: readonly T[],
): Field<T> {
  return {
    about,
    fallback,
    wants: choices.join(" or "),
    parse: (text) => choices.find((each) => each === text) ?? null,
  };
}

function text(about: string, fallback: string, pattern: RegExp, wants: string): Field<string> {
  return { about, fallback, wants, parse: (value) => pattern.test(value) ? value : null };
}

const ON_FAILURE = ["fail", "continue", "dlq"] as const;
const TOPIC = /^[A-Za-z0-9._-]{0,249}$/;

const FIELDS = {
  "application.id": text(
    "name of the group, and of the topics that the application makes",
    "",
    /^[A-Za-z0-9._-]{1,200}$/,
    'letters, digits, ".", "_" and "-", 200 at most',
  ),
  "bootstrap.servers": text("where the cluster is", "", /^.*$/, "host:port,…"),
  "processing.guarantee": choice("what a failure may cost", "exactly_once_v2", [
    "exactly_once_v2",
    "at_least_once",
  ]),
  "num.stream.threads": whole("threads that process, each with tasks of its own", 1, 1, 256),
  "commit.interval.ms": whole("how often is committed; 100 with exactly-once, else 30000", -1, -1),
  "max.task.idle.ms": whole("how long a task waits for partitions that have nothing", 0, -1),
  "num.standby.replicas": whole("further copies of each store", 0, 0, 100),
  "acceptable.recovery.lag": whole("records that a member may miss to take a task over", 10_000, 0),
  "max.warmup.replicas": whole("copies that are built up before tasks move", 2, 1, 1000),
  "metadata.max.age.ms": whole("how often is looked for topics that match patterns", 300_000, 1),
  "probing.rebalance.interval.ms": whole("how often is looked whether they are", 600_000, 60_000),
  "rack.aware.assignment.tags": text("by what copies are kept apart", "", /^.*$/, "names,…"),
  "statestore.cache.max.bytes": whole(
    "what caches hold together",
    10 * 1024 * 1024,
    0,
    2 ** 40,
  ),
  "buffered.records.per.partition": whole("records that wait in memory", 1000, 1, 1_000_000),
  "deserialization.exception.handler": choice("for records nobody can read", "fail", ON_FAILURE),
  "processing.exception.handler": choice("for records that a step fails with", "fail", ON_FAILURE),
  "production.exception.handler": choice("for records brokers refuse", "fail", ON_FAILURE),
  "errors.dead.letter.queue.topic.name": text("topic for dlq", "", TOPIC, "a name of a topic"),
  "uncaught.exception.handler": choice("when a task fails", "replace", [
    "replace",
    "shutdown-client",
    "shutdown-application",
  ]),
  "task.restarts.max": whole("in a row, before the application ends", 10, 0),
  "replication.factor": whole("of topics that the application makes", -1, -1, 32_767),
  "windowstore.changelog.additional.retention.ms": whole("of logs of windows", DAY_MS, 0, 2 ** 50),
  "repartition.purge.interval.ms": whole("how often what is processed is deleted", 30_000, 1),
  "state.dir": text("where stores are", "kstream-state", /^.+$/, "a folder"),
  "state.cleanup.delay.ms": whole("how long state of others' tasks is kept", 600_000, 1000),
  "state.snapshot.dir": text(
    "where copies of stores are, for other machines",
    "",
    /^.*$/,
    "a folder, or s3://BUCKET/PREFIX",
  ),
  "state.snapshot.interval.ms": whole("how often such a copy is made", 600_000, 1000),
  "default.dsl.store": choice("where stores are kept", "persistent", ["persistent", "in_memory"]),
  "group.protocol": choice("who shares tasks out: members or brokers", "classic", [
    "classic",
    "streams",
  ]),
  "group.instance.id": text("a name that stays over restarts", "", TOPIC, "a name"),
  "auto.offset.reset": choice("where to begin in topics without offsets", "earliest", [
    "earliest",
    "latest",
    "none",
  ]),
  "session.timeout.ms": whole("after it a silent member is gone", 45_000, 1000, 1_800_000),
  "heartbeat.interval.ms": whole("how often it says that it is there", 3000, 100, 600_000),
  "max.poll.interval.ms": whole("how long a rebalance waits for members", 300_000, 1000),
  "transaction.timeout.ms": whole("after it brokers abort what is open", 10_000, 1000),
} satisfies Record<string, Field<unknown>>;

type Values = {
  readonly [K in keyof typeof FIELDS]: NonNullable<ReturnType<typeof FIELDS[K]["parse"]>>;
};

/** What can be set, with what each is about. */
export const STREAMS_CONFIG_NAMES: ReadonlyMap<string, { about: string; fallback: string }> =
  new Map(Object.entries(FIELDS).map(([name, { about, fallback }]) => [name, { about, fallback }]));

const EOS_COMMIT_MS = 100;
const COMMIT_MS = 30_000;
/** What brokers decide that share tasks out, and where that is set; null: nowhere yet. */
const OF_BROKERS: Readonly<Record<string, string | null>> = {
  "num.standby.replicas": "streams.num.standby.replicas",
  "heartbeat.interval.ms": "streams.heartbeat.interval.ms",
  "acceptable.recovery.lag": null,
  "max.warmup.replicas": null,
  "probing.rebalance.interval.ms": null,
  "rack.aware.assignment.tags": null,
};
/** Kafka's: whatever stands behind is a config of internal topics, or a tag. */
const TOPIC_PREFIX = "topic.";
const TAG_PREFIX = "client.tag.";

/** Throws `OperatorError` for what cannot be, with the nearest name. */
export function parseStreamsConfig(given: Readonly<Record<string, ConfigValue>>): StreamsConfig {
  const values = valuesOf(given);
  const isExactlyOnce = values["processing.guarantee"] === "exactly_once_v2";
  const commitIntervalMs = values["commit.interval.ms"];
  const config: StreamsConfig = {
    applicationId: values["application.id"],
    bootstrapServers: values["bootstrap.servers"] || null,
    isExactlyOnce,
    threads: values["num.stream.threads"],
    commitIntervalMs: commitIntervalMs >= 0
      ? commitIntervalMs
      : isExactlyOnce
      ? EOS_COMMIT_MS
      : COMMIT_MS,
    maxTaskIdleMs: values["max.task.idle.ms"],
    standbyReplicas: values["num.standby.replicas"],
    acceptableRecoveryLag: values["acceptable.recovery.lag"],
    maxWarmupReplicas: values["max.warmup.replicas"],
    metadataMaxAgeMs: values["metadata.max.age.ms"],
    probingRebalanceIntervalMs: values["probing.rebalance.interval.ms"],
    rackTags: values["rack.aware.assignment.tags"].split(",").filter((tag) => tag !== ""),
    clientTags: withPrefix(given, TAG_PREFIX),
    cacheBytesMax: values["statestore.cache.max.bytes"],
    bufferedRecords: values["buffered.records.per.partition"],
    onUnreadable: values["deserialization.exception.handler"],
    onProcessingError: values["processing.exception.handler"],
    onProductionError: values["production.exception.handler"],
    deadLetterTopic: values["errors.dead.letter.queue.topic.name"] || null,
    onTaskFailure: values["uncaught.exception.handler"],
    taskRestartsMax: values["task.restarts.max"],
    replicationFactor: values["replication.factor"],
    windowChangelogExtraMs: values["windowstore.changelog.additional.retention.ms"],
    topicConfigs: withPrefix(given, TOPIC_PREFIX),
    repartitionPurgeIntervalMs: values["repartition.purge.interval.ms"],
    stateDir: values["state.dir"],
    stateCleanupDelayMs: values["state.cleanup.delay.ms"],
    snapshotDir: values["state.snapshot.dir"] || null,
    snapshotIntervalMs: values["state.snapshot.interval.ms"],
    isStateInMemory: values["default.dsl.store"] === "in_memory",
    groupProtocol: values["group.protocol"],
    unheeded: unheededOf(given, values["group.protocol"]),
    groupInstanceId: values["group.instance.id"] || null,
    autoOffsetReset: values["auto.offset.reset"],
    sessionTimeoutMs: values["session.timeout.ms"],
    heartbeatIntervalMs: values["heartbeat.interval.ms"],
    maxPollIntervalMs: values["max.poll.interval.ms"],
    transactionTimeoutMs: values["transaction.timeout.ms"],
  };
  requireSense(config);
  return config;
}

/**
 * What one of the threads goes by: its part of the caches and, as in Kafka, an instance id of its own.
 * `thread` is from 1 on.
 */
export function threadConfig(config: StreamsConfig, thread: number): StreamsConfig {
  const { threads, cacheBytesMax, groupInstanceId } = config;
  if (threads === 1) return config;
  return {
    ...config,
    cacheBytesMax: Math.floor(cacheBytesMax / threads),
    groupInstanceId: groupInstanceId === null ? null : `${groupInstanceId}-${thread}`,
  };
}

function requireSense(config: StreamsConfig): void {
  const { isExactlyOnce, commitIntervalMs, transactionTimeoutMs } = config;
  if (isExactlyOnce && commitIntervalMs >= transactionTimeoutMs) {
    throw refused(
      `commit.interval.ms is ${commitIntervalMs}`,
      `brokers abort a transaction after transaction.timeout.ms, ${transactionTimeoutMs}`,
      "commit more often, or allow transactions more time",
    );
  }
  if (config.heartbeatIntervalMs * 2 > config.sessionTimeoutMs) {
    throw refused(
      `heartbeat.interval.ms is ${config.heartbeatIntervalMs}`,
      `a member is gone after session.timeout.ms, ${config.sessionTimeoutMs}`,
      "let it beat twice in a session at least",
    );
  }
  if (config.groupProtocol === "streams" && config.groupInstanceId !== null) {
    throw refused(
      "group.instance.id is set",
      "group.protocol=streams has no static members",
      "leave it out, or set group.protocol=classic",
    );
  }
  const wantsLetters = [config.onUnreadable, config.onProcessingError, config.onProductionError];
  if (config.deadLetterTopic === null && wantsLetters.includes("dlq")) {
    throw refused(
      "there is no topic for dead letters",
      "an exception handler is set to dlq",
      "name one: errors.dead.letter.queue.topic.name",
    );
  }
}

function unheededOf(
  given: Readonly<Record<string, ConfigValue>>,
  protocol: StreamsConfig["groupProtocol"],
): ReadonlyMap<string, string> {
  const names = protocol === "classic"
    ? []
    : Object.keys(given).filter((name) => name in OF_BROKERS);
  return new Map(names.map((name) => {
    const config = OF_BROKERS[name];
    return [name, config == null ? "brokers do without it" : `it is config ${config} of the group`];
  }));
}

/** A setting of applications, for people. */
export interface StreamsSetting {
  readonly name: string;
  /** Null: it has none. */
  readonly default: string | null;
  readonly about: string;
  readonly wants: string;
}

/** All of them, by their names; of those that are prefixes `…` stands for the rest. */
export function streamsSettings(): StreamsSetting[] {
  const own = Object.entries<Field<unknown>>(FIELDS).map(([name, { fallback, about, wants }]) => {
    return { name, default: fallback === "" ? null : fallback, about, wants };
  });
  const prefixed = [
    [TOPIC_PREFIX, "a config of the topics that the application makes", "what the topic takes"],
    [TAG_PREFIX, "a tag of this member, for rack.aware.assignment.tags", "a text"],
  ] as const;
  const more = prefixed.map(([prefix, about, wants]) => {
    return { name: `${prefix}…`, default: null, about, wants };
  });
  return [...own, ...more].sort((a, b) => a.name < b.name ? -1 : 1);
}

function valuesOf(given: Readonly<Record<string, ConfigValue>>): Values {
  for (const name of Object.keys(given)) {
    if (name in FIELDS || name.startsWith(TOPIC_PREFIX) || name.startsWith(TAG_PREFIX)) continue;
    const near = didYouMean(name, Object.keys(FIELDS));
    const whatToDo = near === null ? "see kstream stream settings" : `did you mean "${near}"?`;
    throw refused(`there is no setting "${name}"`, "", whatToDo);
  }
  const parsed = Object.entries<Field<unknown>>(FIELDS).map(([name, field]) => {
    const raw = given[name];
    if (raw === undefined && field.fallback !== "") return [name, field.parse(field.fallback)];
    const value = field.parse(String(raw ?? ""));
    if (value !== null) return [name, value];
    const what = raw === undefined ? `${name} is missing` : `${name} cannot be "${raw}"`;
    throw refused(what, `it is ${field.about}`, `set it to ${field.wants}`);
  });
  // Each value is what its own field has parsed.
  return Object.fromEntries(parsed) as Values;
}

function withPrefix(
  given: Readonly<Record<string, ConfigValue>>,
  prefix: string,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), String(value)]] : []
    ),
  );
}

function refused(what: string, why: string, whatToDo: string): OperatorError {
  return new OperatorError(what, why, whatToDo, 2);
}
