/** What is different between two images of which nobody has the changes that lie between them. */
import { aclKey } from "../core/acl.ts";
import type { Steps } from "../core/steps.ts";
import type {
  ConfigImage,
  ConfiguredType,
  MetadataDelta,
  MetadataImage,
  TopicImage,
} from "./metadata-image.ts";

const CONFIGURED_TYPES = ["broker", "client-metrics", "group"] as const;

/** In steps: the delta that makes `after` of `before`. */
export function* deltaSteps(before: MetadataImage, after: MetadataImage): Steps<MetadataDelta> {
  const createdTopics: TopicImage[] = [];
  const changedTopics: { before: TopicImage; after: TopicImage }[] = [];
  for (const topic of after.topics.values()) {
    const former = before.topicsById.get(topic.id);
    if (former === undefined) createdTopics.push(topic);
    else if (!isSame(former, topic)) changedTopics.push({ before: former, after: topic });
    yield;
  }
  const deletedTopics: TopicImage[] = [];
  for (const topic of before.topics.values()) {
    if (after.topicsById.get(topic.id) === undefined) deletedTopics.push(topic);
    yield;
  }
  const changedConfigs = CONFIGURED_TYPES.flatMap((type) => changedOf(type, before, after));
  return {
    createdTopics,
    deletedTopics,
    changedTopics,
    brokerConfigsChanged: changedConfigs.some(({ type }) => type === "broker"),
    changedConfigs,
    changedAcls: changedAcls(before, after),
    changedBrokers: changedBrokers(before, after),
    quotasChanged: before.quotas !== after.quotas,
  };
}

/** Plain values in a fixed order of fields, so that their texts can be compared. */
function isSame(a: TopicImage, b: TopicImage): boolean {
  return JSON.stringify(a.partitions) === JSON.stringify(b.partitions) &&
    isSameConfigs(a.configs, b.configs);
}

function isSameConfigs(a: ConfigImage, b: ConfigImage): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
}

function changedOf(type: ConfiguredType, before: MetadataImage, after: MetadataImage) {
  const names = new Set([...before.configured(type), ...after.configured(type)]);
  return [...names]
    .filter((name) => !isSameConfigs(before.configs(type, name), after.configs(type, name)))
    .map((name) => ({ type, name }));
}

function changedAcls(before: MetadataImage, after: MetadataImage): MetadataDelta["changedAcls"] {
  const old = new Map([...before.acls].map((entry) => [aclKey(entry), entry]));
  const now = new Map([...after.acls].map((entry) => [aclKey(entry), entry]));
  return [
    ...[...old].filter(([key]) => !now.has(key)).map(([, entry]) => ({ entry, isRemoved: true })),
    ...[...now].filter(([key]) => !old.has(key)).map(([, entry]) => ({ entry, isRemoved: false })),
  ];
}

function changedBrokers(before: MetadataImage, after: MetadataImage): number[] {
  const ids = new Set([...before.brokers.keys(), ...after.brokers.keys()]);
  return [...ids].filter((id) =>
    JSON.stringify(before.brokers.get(id)) !== JSON.stringify(after.brokers.get(id))
  );
}
