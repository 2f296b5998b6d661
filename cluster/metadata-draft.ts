/** How an image becomes the next one: records are folded into a draft, which copies each map once. */
import { type AclEntry, aclKey } from "../core/acl.ts";
import { assert, unreachable } from "../core/assert.ts";
import type { Steps } from "../core/steps.ts";
import type { QuotaChange } from "./client-quotas.ts";
import {
  type AppliedChange,
  type BrokerImage,
  configKey,
  type ConfiguredType,
  type ImageState,
  type MetadataDelta,
  type MetadataImage,
  metricName,
  NO_CONFIGS,
  type PartitionImage,
  type ScramCredential,
  scramKey,
  type TopicImage,
} from "./metadata-image.ts";
import type {
  ConfigRecord,
  MetadataRecord,
  PartitionRecord,
  TopicRecord,
} from "./metadata-records.ts";

interface TopicDraft {
  readonly name: string;
  readonly id: string;
  readonly partitions: PartitionImage[];
  readonly configs: Map<string, string>;
}

type ConfigDraft = Map<string, string>;

/** The changes of one batch of records, collected so that each map is copied once. */
export class MetadataDraft {
  readonly #before: MetadataImage;
  readonly #topics = new Map<string, TopicDraft>();
  readonly #topicIds = new Map<string, string>();
  readonly #deleted = new Map<string, TopicImage>();
  readonly #configs = new Map<
    string,
    { type: ConfiguredType; name: string; configs: ConfigDraft }
  >();
  readonly #acls: { entry: AclEntry; isRemoved: boolean }[] = [];
  readonly #scramCredentials = new Map<string, ScramCredential | undefined>();
  readonly #quotas: QuotaChange[] = [];
  readonly #brokers = new Map<number, BrokerImage | undefined>();
  readonly #features = new Map<string, number>();
  #nextProducerId: number;

  constructor(before: MetadataImage) {
    this.#before = before;
    this.#nextProducerId = before.nextProducerId;
  }

  fold(record: MetadataRecord): void {
    switch (record.type) {
      case "topic":
        return this.#createTopic(record);
      case "remove-topic":
        return this.#removeTopic(record.id);
      case "partition":
        return this.#setPartition(record);
      case "config":
        return this.#setConfig(record);
      case "producer-ids":
        assert(record.nextProducerId >= this.#nextProducerId, "producer ids are given out once");
        this.#nextProducerId = record.nextProducerId;
        return;
      case "broker": {
        const { type: _type, version: _version, ...broker } = record;
        this.#brokers.set(record.brokerId, broker);
        return;
      }
      case "remove-broker":
        this.#brokers.set(record.brokerId, undefined);
        return;
      case "feature":
        this.#features.set(record.name, record.level);
        return;
      case "acl":
      case "remove-acl": {
        const { type, version: _version, ...entry } = record;
        this.#acls.push({ entry, isRemoved: type === "remove-acl" });
        return;
      }
      case "scram-credential": {
        const { type: _type, version: _version, ...credential } = record;
        this.#scramCredentials.set(scramKey(record.user, record.mechanism), credential);
        return;
      }
      case "remove-scram-credential":
        this.#scramCredentials.set(scramKey(record.user, record.mechanism), undefined);
        return;
      case "client-quota":
        this.#quotas.push({ entity: record.entity, key: record.key, value: record.value });
        return;
      default:
        return unreachable(record, "a metadata record of a known type");
    }
  }

  *finish(
    before: ImageState,
    position: number,
    make: (state: ImageState) => MetadataImage,
  ): Steps<AppliedChange> {
    const after = [...this.#topics.values()].map(finishTopic);
    const gone = [...this.#deleted.values()];
    const old = (topic: TopicImage) => this.#before.topicsById.get(topic.id);
    const image = make({
      position,
      topics: yield* before.topics.withSteps([
        ...gone.map((topic) => [topic.name, undefined] as const),
        ...after.map((topic) => [topic.name, topic] as const),
      ]),
      topicsById: yield* before.topicsById.withSteps([
        ...gone.map((topic) => [topic.id, undefined] as const),
        ...after.map((topic) => [topic.id, topic] as const),
      ]),
      metricNames: yield* before.metricNames.withSteps([
        ...gone.flatMap(({ name }) => metricEntry(name, undefined)),
        ...after.flatMap(({ name }) => metricEntry(name, name)),
      ]),
      configs: before.configs.with(
        [...this.#configs].map(([key, it]) => [key, it.configs.size === 0 ? undefined : it]),
      ),
      acls: before.acls.with(
        this.#acls.map(({ entry, isRemoved }) => [aclKey(entry), isRemoved ? undefined : entry]),
      ),
      scramCredentials: before.scramCredentials.with(this.#scramCredentials),
      quotas: before.quotas.with(this.#quotas),
      brokers: merge(before.brokers, this.#brokers),
      features: merge(before.features, this.#features),
      nextProducerId: this.#nextProducerId,
    });
    const changedConfigs = [...this.#configs.values()].map(({ type, name }) => ({ type, name }));
    const delta: MetadataDelta = {
      createdTopics: after.filter((topic) => old(topic) === undefined),
      deletedTopics: gone,
      changedTopics: after.flatMap((topic) => {
        const former = old(topic);
        return former === undefined ? [] : [{ before: former, after: topic }];
      }),
      brokerConfigsChanged: changedConfigs.some(({ type }) => type === "broker"),
      changedConfigs,
      changedAcls: this.#acls,
      changedBrokers: [...this.#brokers.keys()],
      quotasChanged: this.#quotas.length > 0,
    };
    return { image, delta };
  }

  #createTopic(record: TopicRecord): void {
    assert(this.#topic(record.name) === undefined, "a topic is created once");
    this.#topicIds.set(record.id, record.name);
    this.#topics.set(record.name, {
      name: record.name,
      id: record.id,
      partitions: [],
      configs: new Map(),
    });
  }

  #removeTopic(id: string): void {
    const before = this.#before.topicsById.get(id);
    const name = this.#topicIds.get(id) ?? before?.name;
    assert(name !== undefined, "only a topic that exists is removed");
    this.#topics.delete(name);
    if (before !== undefined) this.#deleted.set(name, before);
  }

  #setPartition(record: PartitionRecord): void {
    const name = this.#topicIds.get(record.topicId) ??
      this.#before.topicsById.get(record.topicId)?.name;
    const topic = name === undefined ? undefined : this.#topic(name);
    assert(topic !== undefined, "a partition belongs to a topic");
    assert(record.partition <= topic.partitions.length, "partitions are numbered without gaps");
    const { type: _type, version: _version, topicId: _topicId, partition, ...image } = record;
    topic.partitions[partition] = image;
  }

  #setConfig(record: ConfigRecord): void {
    const configs = record.resourceType === "topic"
      ? this.#topic(record.resourceName)?.configs
      : this.#configsOf(record.resourceType, record.resourceName);
    assert(configs !== undefined, "a topic config belongs to a topic");
    if (record.value === null) configs.delete(record.name);
    else configs.set(record.name, record.value);
  }

  /** The draft of a topic, begun with what it was before this change. */
  #topic(name: string): TopicDraft | undefined {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const before = this.#before.topics.get(name);
    if (before === undefined || this.#deleted.has(name)) return undefined;
    const draft = {
      name,
      id: before.id,
      partitions: [...before.partitions],
      configs: new Map(before.configs),
    };
    this.#topics.set(name, draft);
    return draft;
  }

  #configsOf(type: ConfiguredType, name: string): ConfigDraft {
    const key = configKey(type, name);
    const known = this.#configs.get(key);
    if (known !== undefined) return known.configs;
    const configs = new Map(this.#before.configs(type, name));
    this.#configs.set(key, { type, name, configs });
    return configs;
  }
}

function metricEntry(
  topic: string,
  value: string | undefined,
): (readonly [string, string | undefined])[] {
  const name = metricName(topic);
  return name === null ? [] : [[name, value]];
}

function finishTopic(draft: TopicDraft): TopicImage {
  assert(draft.partitions.length > 0, "a topic has partitions");
  return draft.configs.size > 0 ? draft : { ...draft, configs: NO_CONFIGS };
}

function merge<K, V>(
  before: ReadonlyMap<K, V>,
  changes: ReadonlyMap<K, V | undefined>,
): ReadonlyMap<K, V> {
  if (changes.size === 0) return before;
  const merged = new Map(before);
  for (const [key, value] of changes) {
    if (value === undefined) merged.delete(key);
    else merged.set(key, value);
  }
  return merged;
}
