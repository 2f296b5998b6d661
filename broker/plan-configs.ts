/**
 * What the controller would write to alter configs: pure functions of the image and the request,
 * with Kafka's codes and words (`ConfigAdminManager`, `ConfigurationControlManager`).
 */
import { Errors } from "../core/errors.ts";
import { ALL_BROKERS, type ConfigImage } from "../cluster/metadata-image.ts";
import type { ConfigResourceType, MetadataRecord } from "../cluster/metadata-records.ts";
import { checkBrokerConfig } from "./config/broker-config.ts";
import { replicationRateProblem } from "./quotas/replication-quota.ts";
import { BROKER_CONFIGS, isBrokerConfig } from "./config/broker-configs.ts";
import {
  CLIENT_METRICS_CONFIGS,
  isClientMetricsConfig,
  parseSubscription,
} from "./config/client-metrics-configs.ts";
import type { ConfigDefinition } from "./config/definitions.ts";
import { checkGroupConfigs, GROUP_CONFIGS, isGroupConfig } from "./config/group-configs.ts";
import { checkTopicConfigs, TopicConfig } from "./config/topic-config.ts";
import { isTopicConfig, TOPIC_CONFIGS } from "./config/topic-configs.ts";
import { accept, type Outcome, type Refusal, refuse } from "./outcome.ts";
import type { Plan, PlanContext } from "./plan-topics.ts";
import { topicNameProblem } from "./topic-names.ts";

/** Kafka's `ConfigResource.Type`. */
export const ConfigResourceTypes = {
  TOPIC: 2,
  BROKER: 4,
  BROKER_LOGGER: 8,
  CLIENT_METRICS: 16,
  GROUP: 32,
} as const;

/** What to do with one config; `set` with null is refused. */
export interface ConfigOperation {
  readonly name: string;
  readonly operation: "set" | "delete" | "append" | "subtract" | "unknown";
  readonly value: string | null;
}

/** The changes of one resource. `replace` drops what it does not name (AlterConfigs). */
export interface ConfigChange {
  /** The number on the wire. */
  readonly resourceType: number;
  readonly resourceName: string;
  readonly replace: boolean;
  readonly operations: readonly ConfigOperation[];
}

/** A resource whose configs can be changed, as it is. */
interface Target {
  readonly type: ConfigResourceType;
  readonly name: string;
  readonly before: ConfigImage;
}

/** Plans changes of configs. Each resource succeeds or fails alone. */
export function planAlterConfigs(
  context: PlanContext,
  changes: readonly ConfigChange[],
): Plan<null> {
  const seen = new Map<string, number>();
  const key = (change: ConfigChange) => `${change.resourceType}:${change.resourceName}`;
  for (const change of changes) seen.set(key(change), (seen.get(key(change)) ?? 0) + 1);
  const records: MetadataRecord[] = [];
  const outcomes = changes.map((change): Outcome<null> => {
    if ((seen.get(key(change)) ?? 0) > 1) {
      return refuse(Errors.INVALID_REQUEST, "Each resource must appear at most once.");
    }
    const planned = planResource(context, change);
    if (!planned.ok) return planned;
    records.push(...planned.value);
    return accept(null);
  });
  return { records, outcomes };
}

function planResource(context: PlanContext, change: ConfigChange): Outcome<MetadataRecord[]> {
  const malformed = malformedOperations(change);
  if (malformed !== null) return refuse(Errors.INVALID_REQUEST, malformed);
  const target = findTarget(context, change);
  if (!target.ok) return target;
  const after = applyOperations(context, target.value, change);
  if (!after.ok) return after;
  const problem = problemOf(context, target.value, after.value);
  return problem ?? accept(differences(target.value, after.value));
}

/** What is wrong with the configs that a resource would have. */
function problemOf(context: PlanContext, target: Target, after: ConfigImage): Refusal | null {
  const invalid = (problem: string | null) =>
    problem === null ? null : refuse(Errors.INVALID_CONFIG, problem);
  switch (target.type) {
    case "topic":
      return topicProblem(context, target.name, after);
    case "group":
      return target.name === ""
        ? refuse(Errors.INVALID_REQUEST, "Default group resources are not allowed.")
        : invalid(checkGroupConfigs(context.config, after));
    case "client-metrics": {
      if (target.name === "") {
        return refuse(Errors.INVALID_REQUEST, "Subscription name can't be empty");
      }
      const parsed = parseSubscription(after);
      return parsed.ok ? null : parsed;
    }
    case "broker":
      return brokerProblem(target.name, target.before, after);
  }
}

/** A topic that does not exist is found out last, as in Kafka. */
function findTarget(context: PlanContext, change: ConfigChange): Outcome<Target> {
  const { image } = context;
  const name = change.resourceName;
  switch (change.resourceType) {
    case ConfigResourceTypes.TOPIC:
      return accept({ type: "topic", name, before: image.topics.get(name)?.configs ?? new Map() });
    case ConfigResourceTypes.BROKER: {
      if (name !== ALL_BROKERS && !/^\d{1,10}$/.test(name)) {
        return refuse(Errors.INVALID_REQUEST, `Node id must be an integer, but it is: ${name}`);
      }
      if (name !== ALL_BROKERS && !image.brokers.has(Number(name))) {
        return refuse(
          Errors.INVALID_REQUEST,
          `Unexpected broker id, expected one of ${[...image.brokers.keys()].join(", ")} or ` +
            `empty string, but received ${name}`,
        );
      }
      const canonical = name === ALL_BROKERS ? name : String(Number(name));
      return accept({ type: "broker", name: canonical, before: image.brokerConfigs(canonical) });
    }
    case ConfigResourceTypes.BROKER_LOGGER:
      return refuse(Errors.INVALID_REQUEST, "This broker has one log level, set at its start.");
    case ConfigResourceTypes.CLIENT_METRICS:
      return accept({
        type: "client-metrics",
        name,
        before: image.configs("client-metrics", name),
      });
    case ConfigResourceTypes.GROUP:
      return accept({ type: "group", name, before: image.configs("group", name) });
    default:
      return refuse(Errors.INVALID_REQUEST, `Unknown resource type ${change.resourceType}`);
  }
}

/** What is wrong with a topic or its configs, in the order in which Kafka finds it. */
function topicProblem(context: PlanContext, name: string, configs: ConfigImage): Refusal | null {
  if (name === "") {
    return refuse(Errors.INVALID_REQUEST, "Default topic resources are not allowed.");
  }
  const invalid = topicNameProblem(name);
  if (invalid !== null) return refuse(Errors.INVALID_TOPIC_EXCEPTION, invalid);
  const problem = checkTopicConfigs(context.config, configs);
  if (problem !== null) return refuse(Errors.INVALID_CONFIG, problem);
  return context.image.topics.has(name)
    ? null
    : refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${name}' does not exist.`);
}

function malformedOperations(change: ConfigChange): string | null {
  const names = new Set(change.operations.map((operation) => operation.name));
  if (names.size !== change.operations.length) return "Error due to duplicate config keys";
  const unknown = change.operations.find(({ operation }) => operation === "unknown");
  if (unknown !== undefined) return `Unknown operation for config ${unknown.name}`;
  const nulls = change.operations.filter(({ operation, value }) =>
    operation !== "delete" && value === null
  );
  return nulls.length === 0
    ? null
    : `Null value not supported for : ${nulls.map(({ name }) => name).join(",")}`;
}

function applyOperations(
  context: PlanContext,
  target: Target,
  change: ConfigChange,
): Outcome<Map<string, string>> {
  const after = new Map(change.replace ? [] : target.before);
  for (const { name, operation, value } of change.operations) {
    switch (operation) {
      case "delete":
        after.delete(name);
        break;
      case "set":
        after.set(name, value ?? "");
        break;
      case "append":
      case "subtract": {
        // Of what client metrics have, Kafka's controller does not know the types.
        const isList = target.type !== "client-metrics" &&
          definitionOf(target, name)?.type === "LIST";
        if (!isList) {
          return refuse(
            Errors.INVALID_CONFIG,
            `Can't ${operation.toUpperCase()} to key ${name} because its type is not LIST.`,
          );
        }
        const items = split(after.get(name) ?? inherited(context, target, name));
        const wanted = split(value ?? "");
        const kept = operation === "subtract"
          ? items.filter((item) => !wanted.includes(item))
          : [...items, ...wanted.filter((item) => !items.includes(item))];
        after.set(name, kept.join(","));
        break;
      }
      case "unknown":
        break;
    }
  }
  return accept(after);
}

function definitionOf(target: Target, name: string): ConfigDefinition | undefined {
  switch (target.type) {
    case "topic":
      return isTopicConfig(name) ? TOPIC_CONFIGS[name] : undefined;
    case "broker":
      return isBrokerConfig(name) ? BROKER_CONFIGS[name] : undefined;
    case "group":
      return isGroupConfig(name) ? GROUP_CONFIGS[name] : undefined;
    case "client-metrics":
      return isClientMetricsConfig(name) ? CLIENT_METRICS_CONFIGS[name] : undefined;
  }
}

/** The value in force where the resource has none of its own. */
function inherited(context: PlanContext, target: Target, name: string): string {
  if (target.type === "topic") {
    return isTopicConfig(name) ? new TopicConfig(context.config, new Map()).text(name) : "";
  }
  return target.type === "broker" && isBrokerConfig(name) ? context.config.text(name) ?? "" : "";
}

function split(text: string): string[] {
  return text.trim() === "" ? [] : text.trim().split(/\s*,\s*/);
}

/** A broker config that cannot be changed is INVALID_REQUEST in Kafka too (KAFKA-13609). */
function brokerProblem(name: string, before: ConfigImage, after: ConfigImage): Refusal | null {
  const problem = dynamicConfigProblem(name, before, after);
  return problem === null ? null : refuse(Errors.INVALID_REQUEST, problem);
}

/** What is wrong with the dynamic configs of a broker or of all brokers, or null. */
function dynamicConfigProblem(
  name: string,
  before: ConfigImage,
  after: ConfigImage,
): string | null {
  const changed = [...new Set([...before.keys(), ...after.keys()])]
    .filter((key) => before.get(key) !== after.get(key));
  for (const key of changed) {
    const text = after.get(key);
    if (text === undefined) continue;
    const rateProblem = replicationRateProblem(key, text);
    const problem = rateProblem === undefined ? checkBrokerConfig(key, text) : rateProblem;
    if (problem !== null) return problem;
  }
  const ofMode = (mode: string) =>
    changed.filter((key) => isBrokerConfig(key) && BROKER_CONFIGS[key].update === mode);
  const fixed = ofMode("read-only");
  if (fixed.length > 0) return `Cannot update these configs dynamically: ${fixed.join(", ")}`;
  const perBroker = name === ALL_BROKERS ? ofMode("per-broker") : [];
  return perBroker.length > 0
    ? "Cannot update these configs at default cluster level, broker id must be specified: " +
      perBroker.join(", ")
    : null;
}

function differences(target: Target, after: ConfigImage): MetadataRecord[] {
  const { type, name: resourceName, before } = target;
  const record = (name: string, value: string | null): MetadataRecord => ({
    type: "config",
    version: 1,
    resourceType: type,
    resourceName,
    name,
    value,
  });
  const removed = [...before.keys()].filter((name) => !after.has(name));
  const set = [...after].filter(([name, value]) => before.get(name) !== value);
  return [
    ...removed.map((name) => record(name, null)),
    ...set.map(([name, value]) => record(name, value)),
  ];
}
