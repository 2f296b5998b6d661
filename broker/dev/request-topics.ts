/**
 * Where requests and responses of whatever API name topics and partitions, by their definitions, so
 * that a fault can strike one partition and leave the others of the same request alone.
 */
import type { Api, Fields, RequestOf } from "../../core/protocol/schema.ts";

/** What a fault is about. */
export interface Target {
  readonly topic: string | undefined;
  readonly partition: number | undefined;
}

/** The name of a topic by its id, or undefined. */
export type TopicName = (topicId: string) => string | undefined;

interface Struct {
  readonly [name: string]: unknown;
}

/** Where a topic's name is, by API. */
const TOPIC_FIELDS = ["topic", "topicName", "topicId", "name"] as const;
const PARTITION_FIELDS = ["partition", "partitionIndex", "index"] as const;
/** Arrays in which `name` is a topic's. */
const TOPIC_ARRAY = /topic/i;

/** Whether requests of the API name topics. */
export function hasTopics(api: Api): boolean {
  return namesTopics(api.request.fields, 3);
}

/** Whether requests of the API name partitions of topics. */
export function hasPartitions(api: Api): boolean {
  return hasTopics(api) && namesPartitions(api.request.fields);
}

function namesPartitions(fields: Fields): boolean {
  return Object.entries(fields).some(([name, { items }]) =>
    /partition/i.test(name) || (typeof items === "object" && namesPartitions(items))
  );
}

function namesTopics(fields: Fields, depth: number): boolean {
  return Object.entries(fields).some(([name, { items }]) =>
    name === "topicNames" ||
    (typeof items === "object" &&
      (isTopicArray(name, items) || (depth > 0 && namesTopics(items, depth - 1))))
  );
}

function isTopicArray(name: string, items: Fields): boolean {
  if ("topic" in items || "topicId" in items || "topicName" in items) return true;
  return "name" in items && TOPIC_ARRAY.test(name);
}

/** A request cut in two; null where nothing is left of it. */
export interface SplitRequest<R> {
  readonly struck: R | null;
  readonly rest: R | null;
}

/**
 * What of a request is about the target, and what is not. A request that names topics only within
 * something else (a group, a transaction) is struck as a whole if one of them is meant.
 */
export function splitRequest(
  api: Api,
  request: RequestOf<Api>,
  target: Target,
  nameOf: TopicName,
): SplitRequest<RequestOf<Api>> {
  if (target.topic === undefined && target.partition === undefined) {
    return { struck: request, rest: null };
  }
  let struck: RequestOf<Api> = request;
  let rest: RequestOf<Api> = request;
  let isStruck = false;
  let isLeft = false;
  for (const [name, { items }] of Object.entries(api.request.fields)) {
    const value = request[name];
    if (!Array.isArray(value) || value.length === 0) continue;
    if (name === "topicNames") {
      const meant = value.filter((each) => each === target.topic);
      const others = value.filter((each) => each !== target.topic);
      struck = { ...struck, [name]: meant };
      rest = { ...rest, [name]: others };
      isStruck ||= meant.length > 0;
      isLeft ||= others.length > 0;
    } else if (typeof items === "object" && isTopicArray(name, items)) {
      const parts = value.map((topic: Struct) => splitTopic(topic, target, nameOf));
      const meant = parts.flatMap(([part]) => part ?? []);
      const others = parts.flatMap(([, part]) => part ?? []);
      struck = { ...struck, [name]: meant };
      rest = { ...rest, [name]: others };
      isStruck ||= meant.length > 0;
      isLeft ||= others.length > 0;
    } else if (typeof items === "object" && namesTopics(items, 2)) {
      if (value.some((item: Struct) => mentions(item, target, nameOf))) {
        return { struck: request, rest: null };
      }
      isLeft = true;
    }
  }
  return { struck: isStruck ? struck : null, rest: isLeft || !isStruck ? rest : null };
}

/** Whether a topic of a request or response is meant, whatever its partitions. */
export function isTopicMeant(topic: Struct, target: Target, nameOf: TopicName): boolean {
  if (target.topic === undefined) return true;
  return TOPIC_FIELDS.some((field) => {
    const value = topic[field];
    if (typeof value !== "string" || value === "") return false;
    return (field === "topicId" ? nameOf(value) : value) === target.topic;
  });
}

/** Whether a partition of a topic that is meant is meant. */
export function isPartitionMeant(partition: unknown, target: Target): boolean {
  if (target.partition === undefined || partition === target.partition) return true;
  if (!isStruct(partition)) return false;
  return PARTITION_FIELDS.some((field) => partition[field] === target.partition);
}

/** The part of a topic that is meant, and the rest. */
function splitTopic(
  topic: Struct,
  target: Target,
  nameOf: TopicName,
): [meant: Struct | null, rest: Struct | null] {
  if (!isTopicMeant(topic, target, nameOf)) return [null, topic];
  if (target.partition === undefined) return [topic, null];
  // Some APIs have a single partition beside the topic.
  const list = Object.entries(topic).find(([, value]) => Array.isArray(value));
  if (list === undefined) return isPartitionMeant(topic, target) ? [topic, null] : [null, topic];
  const [name, values] = list;
  if (!Array.isArray(values)) return [null, topic];
  const meant = values.filter((each) => isPartitionMeant(each, target));
  const others = values.filter((each) => !isPartitionMeant(each, target));
  return [
    meant.length === 0 ? null : { ...topic, [name]: meant },
    others.length === 0 ? null : { ...topic, [name]: others },
  ];
}

/** Whether a struct has the target somewhere within. */
function mentions(struct: Struct, target: Target, nameOf: TopicName): boolean {
  return Object.values(struct).some((value) =>
    Array.isArray(value) && value.some((item) =>
      isStruct(item) &&
      (splitTopic(item, target, nameOf)[0] !== null && namesTopicHere(item) ||
        mentions(item, target, nameOf))
    )
  );
}

function namesTopicHere(struct: Struct): boolean {
  return TOPIC_FIELDS.some((field) => field in struct);
}

function isStruct(value: unknown): value is Struct {
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
}

/**
 * One response of the two that the parts of a request got: entries of the same topic become one.
 * What stands beside the topics is the first one's.
 */
export function mergeResponses(api: Api, executed: Struct, struck: Struct): Struct {
  const merged: Record<string, unknown> = { ...struck, ...executed };
  for (const [name, field] of Object.entries(api.response.fields)) {
    const [first, second] = [executed[name], struck[name]];
    if (field.type !== "array" || !Array.isArray(first) || !Array.isArray(second)) continue;
    merged[name] = typeof field.items === "object" && isTopicArray(name, field.items)
      ? mergeTopics(first, second)
      : [...first, ...second];
  }
  return merged;
}

function mergeTopics(first: readonly Struct[], second: readonly Struct[]): Struct[] {
  const all = [...first];
  for (const topic of second) {
    const at = all.findIndex((other) => TOPIC_FIELDS.every((key) => other[key] === topic[key]));
    const other = all[at];
    const list = Object.keys(topic).find((key) =>
      Array.isArray(topic[key]) && Array.isArray(other?.[key])
    );
    if (other === undefined || list === undefined) {
      all.push(topic);
      continue;
    }
    const [ours, theirs] = [other[list], topic[list]];
    if (Array.isArray(ours) && Array.isArray(theirs)) {
      all[at] = { ...other, [list]: [...ours, ...theirs] };
    }
  }
  return all;
}
