/** Which topics are copied, and that their copies are there: made, grown, configured, readable. */
import { KafkaError } from "../../../client/index.ts";
import type { Admin, ConfigChange, ConfigEntry, NewTopic } from "../../../client/index.ts";
import type { AclEntry } from "../../../core/acl.ts";
import { Errors } from "../../../core/errors.ts";
import type { TaskContext } from "../../index.ts";
import { nameFilter } from "./name-filter.ts";
import { policyOf } from "./fields.ts";
import { needing, withRight } from "./rights.ts";
import type { SourceConfig } from "./fields.ts";

/** Partitions of each topic of the source that is to be copied. */
export type Counts = ReadonlyMap<string, number>;

const NO_ACLS = "sync.topic.acls.enabled=false";

/** Whether a topic of the source is copied. */
export function topicFilter(config: SourceConfig): (topic: string) => boolean {
  const policy = policyOf(config);
  const isWanted = nameFilter(config.topics, config["topics.exclude"]);
  return (topic) => {
    const isHeartbeat = config["heartbeats.replication.enabled"] && policy.isHeartbeats(topic);
    return (isWanted(topic) || isHeartbeat) && !policy.isInternal(topic) &&
      !policy.isCycle(topic, config["target.cluster.alias"]);
  };
}

/** What there is to be copied now. */
export async function topicsToCopy(
  source: Admin,
  config: SourceConfig,
  signal: AbortSignal,
): Promise<Counts> {
  const isCopied = topicFilter(config);
  const all = await source.listTopics({ signal });
  return new Map(
    all.filter(({ name }) => isCopied(name)).map(({ name, partitions }) => [
      name,
      partitions.length,
    ]),
  );
}

/** Names, and patterns that look like ones, of `topics` that nothing in the source is called. */
export function namesWithout(config: SourceConfig, counts: Counts): string[] {
  const names = config.topics.filter((topic) => /^[\w.-]+$/.test(topic));
  return names.filter((name) => ![...counts.keys()].some(nameFilter([name], [])));
}

/** Makes copies that are not there and gives partitions to those that have too few. */
export async function needCopies(
  source: Admin,
  target: Admin,
  { config, log, signal }: TaskContext<SourceConfig>,
  counts: Counts,
): Promise<void> {
  const policy = policyOf(config);
  const remotes = [...counts].map(([topic, count]) => ({
    topic,
    name: policy.remote(topic),
    count,
  }));
  if (remotes.length === 0) return;
  const found = await target.describeTopics(remotes.map(({ name }) => name), { signal });
  const have = new Map(found.map(({ name, topic }) => [name, topic?.partitions.length ?? 0]));
  const missing = remotes.filter(({ name }) => (have.get(name) ?? 0) === 0);
  const made: NewTopic[] = await Promise.all(missing.map(async ({ topic, name, count }) => {
    const configs = await ownConfigs(source, topic, config, signal);
    return {
      name,
      partitions: count,
      replicationFactor: config["replication.factor"],
      configs: Object.fromEntries(configs.map(({ name, value }) => [name, value ?? ""])),
    };
  }));
  if (made.length > 0) {
    for (const { name, error } of await target.createTopics(made, { signal })) {
      // Another task may have been quicker.
      if (error === null) log.info("made a copy of a topic", { topic: name });
      else if (error.code !== Errors.TOPIC_ALREADY_EXISTS) {
        throw withRight("target", `CREATE of topic "${name}"`, error);
      }
    }
  }
  const small = remotes.filter(({ name, count }) =>
    (have.get(name) ?? 0) > 0 && have.get(name)! < count
  );
  if (small.length === 0) return;
  for (const { name, error } of await target.createPartitions(small, { signal })) {
    if (error === null) log.info("gave a copy more partitions", { topic: name });
    else if (error.code !== Errors.INVALID_PARTITIONS) {
      throw withRight("target", `ALTER of topic "${name}"`, error);
    }
  }
}

/** Configs of a topic of the source that its copy is to have. */
async function ownConfigs(
  source: Admin,
  topic: string,
  config: SourceConfig,
  signal: AbortSignal,
): Promise<ConfigEntry[]> {
  const isCopied = nameFilter([".*"], config["config.properties.exclude"]);
  const withDefaults = config["use.defaults.from"] === "source";
  const describing = source.describeConfigs({ type: "topic", name: topic }, { signal });
  const all = await needing("source", `DESCRIBE_CONFIGS of topic "${topic}"`, describing);
  return all.filter(({ name, source, sensitive, readOnly, value }) =>
    isCopied(name) && !sensitive && !readOnly && value !== null &&
    (source === "topic" || (withDefaults && source !== "static"))
  );
}

/** Changes configs of copies to those of their topics, and nothing else. */
export async function syncConfigs(
  source: Admin,
  target: Admin,
  { config, log, signal }: TaskContext<SourceConfig>,
  counts: Counts,
): Promise<void> {
  const policy = policyOf(config);
  const isCopied = nameFilter([".*"], config["config.properties.exclude"]);
  for (const topic of counts.keys()) {
    const wanted = await ownConfigs(source, topic, config, signal);
    const resource = { type: "topic", name: policy.remote(topic) } as const;
    const copy = `of topic "${resource.name}"`;
    const describing = target.describeConfigs(resource, { signal });
    const have = await needing("target", `DESCRIBE_CONFIGS ${copy}`, describing);
    const changes: ConfigChange[] = wanted
      .filter(({ name, value }) => have.find((one) => one.name === name)?.value !== value)
      .map(({ name, value }) => ({ name, operation: "set", value }));
    for (const { name, source } of have) {
      if (source !== "topic" || !isCopied(name) || wanted.some((one) => one.name === name)) {
        continue;
      }
      changes.push({ name, operation: "delete", value: null });
    }
    if (changes.length === 0) continue;
    const altering = target.incrementalAlterConfigs(resource, changes, { signal });
    await needing("target", `ALTER_CONFIGS ${copy}`, altering);
    log.info("configured a copy as its topic", { topic: resource.name });
  }
}

/**
 * Gives those who may do something with a topic the same with its copy, but for writing. Resolves to
 * whether there are ACLs at all.
 */
export async function syncAcls(
  source: Admin,
  target: Admin,
  { config, signal }: TaskContext<SourceConfig>,
): Promise<boolean> {
  const policy = policyOf(config);
  const isCopied = topicFilter(config);
  let entries: AclEntry[];
  try {
    const filter = {
      resourceType: "TOPIC",
      resourceName: null,
      patternType: null,
      principal: null,
      host: null,
      operation: null,
      permission: null,
    } as const;
    const describing = source.acls.describe(filter, { signal });
    entries = await needing("source", `DESCRIBE of the cluster (or ${NO_ACLS})`, describing);
  } catch (error) {
    if (error instanceof KafkaError && error.code === Errors.SECURITY_DISABLED) return false;
    throw error;
  }
  const copies = entries
    .filter(({ patternType, resourceName }) => patternType === "LITERAL" && isCopied(resourceName))
    .filter(({ permission, operation }) => permission !== "ALLOW" || operation !== "WRITE")
    .map((entry): AclEntry => ({
      ...entry,
      resourceName: policy.remote(entry.resourceName),
      operation: entry.permission === "ALLOW" && entry.operation === "ALL"
        ? "READ"
        : entry.operation,
    }));
  if (copies.length === 0) return true;
  const creating = target.acls.create(copies, { signal });
  const right = `ALTER of the cluster (or ${NO_ACLS})`;
  for (const { error } of await needing("target", right, creating)) {
    if (error !== null) throw withRight("target", right, error);
  }
  return true;
}
