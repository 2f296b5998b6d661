/**
 * What the cluster is at one position of the metadata log: the pure fold of its records. An image
 * never changes, so whoever holds one sees one consistent state (Kafka's `MetadataImage`).
 */
import { assert, unreachable } from "../core/assert.ts";
import type {
  ConfigRecord,
  MetadataRecord,
  PartitionRecord,
  TopicRecord,
} from "./metadata-records.ts";
import { PersistentMap } from "./persistent-map.ts";

/** A partition's replicas and who leads them. */
export interface PartitionImage {
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  /** −1: none. */
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
}

/** The configs of a resource: only what was set, names and texts. */
export type ConfigImage = ReadonlyMap<string, string>;

/** A topic with its partitions by index and its own configs. */
export interface TopicImage {
  readonly name: string;
  readonly id: string;
  readonly partitions: readonly PartitionImage[];
  readonly configs: ConfigImage;
}

/** A registered broker. */
export interface BrokerImage {
  readonly id: number;
  readonly rack: string | null;
}

/** What a change did. A topic that was deleted and created again is in both lists. */
export interface MetadataDelta {
  readonly createdTopics: readonly TopicImage[];
  readonly deletedTopics: readonly TopicImage[];
  /** Topics whose partitions or configs are others than before. */
  readonly changedTopics: readonly { readonly before: TopicImage; readonly after: TopicImage }[];
  readonly brokerConfigsChanged: boolean;
}

/**
 * The name of a topic in metrics, where '.' and '_' are the same; null if the topic has neither and
 * so shares its name with no other.
 */
export function metricName(topic: string): string | null {
  return /[._]/.test(topic) ? topic.replaceAll(".", "_") : null;
}

/** The configs of all brokers together are found under this name. */
export const ALL_BROKERS = "";

const NO_CONFIGS: ConfigImage = new Map();

interface ImageState {
  readonly position: number;
  readonly topics: PersistentMap<TopicImage>;
  readonly topicsById: PersistentMap<TopicImage>;
  /** Names of topics by `metricName`. */
  readonly metricNames: PersistentMap<string>;
  /** By broker id in decimal, and `ALL_BROKERS`. */
  readonly brokerConfigs: ReadonlyMap<string, ConfigImage>;
  readonly brokers: ReadonlyMap<number, BrokerImage>;
  readonly features: ReadonlyMap<string, number>;
  /** The first producer id that nobody has. */
  readonly nextProducerId: number;
}

/** See the head of the file. `position` is the number that the next record will have. */
export class MetadataImage {
  static readonly EMPTY = new MetadataImage({
    position: 0,
    topics: PersistentMap.empty(),
    topicsById: PersistentMap.empty(),
    metricNames: PersistentMap.empty(),
    brokerConfigs: new Map(),
    brokers: new Map(),
    features: new Map(),
    nextProducerId: 0,
  });

  readonly #state: ImageState;

  private constructor(state: ImageState) {
    this.#state = state;
  }

  get position(): number {
    return this.#state.position;
  }
  /** Topics by name. */
  get topics(): PersistentMap<TopicImage> {
    return this.#state.topics;
  }
  /** Topics by id. */
  get topicsById(): PersistentMap<TopicImage> {
    return this.#state.topicsById;
  }
  /** The topic that has this name in metrics (`metricName`). */
  topicByMetricName(name: string): string | undefined {
    return this.#state.metricNames.get(name);
  }
  get brokers(): ReadonlyMap<number, BrokerImage> {
    return this.#state.brokers;
  }
  get features(): ReadonlyMap<string, number> {
    return this.#state.features;
  }
  get nextProducerId(): number {
    return this.#state.nextProducerId;
  }

  /** What was set for one broker (its id in decimal), or for `ALL_BROKERS`. */
  brokerConfigs(name: string): ConfigImage {
    return this.#state.brokerConfigs.get(name) ?? NO_CONFIGS;
  }

  /** Names of the brokers, and `ALL_BROKERS`, for which something was set. */
  configuredBrokers(): Iterable<string> {
    return this.#state.brokerConfigs.keys();
  }

  /** The image after one change, which ends at `position`, and what is different. */
  apply(
    records: readonly MetadataRecord[],
    position: number,
  ): { readonly image: MetadataImage; readonly delta: MetadataDelta } {
    assert(position >= this.position, "the metadata log only grows");
    const draft = new Draft(this);
    for (const record of records) draft.fold(record);
    return draft.finish(this.#state, position, (state) => new MetadataImage(state));
  }

  /** The records from which an empty image becomes this one (at the same position). */
  toRecords(): MetadataRecord[] {
    const records: MetadataRecord[] = [];
    for (const broker of this.brokers.values()) {
      records.push({ type: "broker", version: 1, brokerId: broker.id, rack: broker.rack });
    }
    for (const [name, level] of this.features) {
      records.push({ type: "feature", version: 1, name, level });
    }
    for (const [resourceName, configs] of this.#state.brokerConfigs) {
      records.push(...configRecords("broker", resourceName, configs));
    }
    if (this.nextProducerId > 0) {
      const { nextProducerId } = this;
      records.push({ type: "producer-ids", version: 1, brokerId: -1, nextProducerId });
    }
    for (const topic of this.topics.values()) records.push(...topicRecords(topic));
    return records;
  }
}

/** The records that create this topic as it is. */
export function topicRecords(topic: TopicImage): MetadataRecord[] {
  return [
    { type: "topic", version: 1, name: topic.name, id: topic.id } satisfies TopicRecord,
    ...topic.partitions.map((partition, index) => partitionRecord(topic.id, index, partition)),
    ...configRecords("topic", topic.name, topic.configs),
  ];
}

/** The record that gives a partition this state. */
export function partitionRecord(
  topicId: string,
  index: number,
  partition: PartitionImage,
): PartitionRecord {
  return { type: "partition", version: 1, topicId, partition: index, ...partition };
}

function configRecords(
  resourceType: ConfigRecord["resourceType"],
  resourceName: string,
  configs: ConfigImage,
): ConfigRecord[] {
  return [...configs].map(([name, value]) => ({
    type: "config",
    version: 1,
    resourceType,
    resourceName,
    name,
    value,
  }));
}

interface TopicDraft {
  readonly name: string;
  readonly id: string;
  readonly partitions: PartitionImage[];
  readonly configs: Map<string, string>;
}

/** The changes of one batch of records, collected so that each map is copied once. */
class Draft {
  readonly #before: MetadataImage;
  readonly #topics = new Map<string, TopicDraft>();
  readonly #topicIds = new Map<string, string>();
  readonly #deleted = new Map<string, TopicImage>();
  readonly #brokerConfigs = new Map<string, Map<string, string>>();
  readonly #brokers = new Map<number, BrokerImage>();
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
      case "broker":
        this.#brokers.set(record.brokerId, { id: record.brokerId, rack: record.rack });
        return;
      case "feature":
        this.#features.set(record.name, record.level);
        return;
      default:
        return unreachable(record, "a metadata record of a known type");
    }
  }

  finish(
    before: ImageState,
    position: number,
    make: (state: ImageState) => MetadataImage,
  ): { image: MetadataImage; delta: MetadataDelta } {
    const after = [...this.#topics.values()].map(finishTopic);
    const gone = [...this.#deleted.values()];
    const old = (topic: TopicImage) => this.#before.topicsById.get(topic.id);
    const image = make({
      position,
      topics: before.topics.with([
        ...gone.map((topic) => [topic.name, undefined] as const),
        ...after.map((topic) => [topic.name, topic] as const),
      ]),
      topicsById: before.topicsById.with([
        ...gone.map((topic) => [topic.id, undefined] as const),
        ...after.map((topic) => [topic.id, topic] as const),
      ]),
      metricNames: before.metricNames.with([
        ...gone.flatMap(({ name }) => metricEntry(name, undefined)),
        ...after.flatMap(({ name }) => metricEntry(name, name)),
      ]),
      brokerConfigs: merge(before.brokerConfigs, this.#brokerConfigs, (map) => map.size === 0),
      brokers: merge(before.brokers, this.#brokers, () => false),
      features: merge(before.features, this.#features, (level) => level === 0),
      nextProducerId: this.#nextProducerId,
    });
    const delta: MetadataDelta = {
      createdTopics: after.filter((topic) => old(topic) === undefined),
      deletedTopics: gone,
      changedTopics: after.flatMap((topic) => {
        const former = old(topic);
        return former === undefined ? [] : [{ before: former, after: topic }];
      }),
      brokerConfigsChanged: this.#brokerConfigs.size > 0,
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
    const { replicas, isr, leader, leaderEpoch, partitionEpoch } = record;
    topic.partitions[record.partition] = { replicas, isr, leader, leaderEpoch, partitionEpoch };
  }

  #setConfig(record: ConfigRecord): void {
    const configs = record.resourceType === "topic"
      ? this.#topic(record.resourceName)?.configs
      : this.#brokerConfigsOf(record.resourceName);
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

  #brokerConfigsOf(name: string): Map<string, string> {
    const known = this.#brokerConfigs.get(name);
    if (known !== undefined) return known;
    const draft = new Map(this.#before.brokerConfigs(name));
    this.#brokerConfigs.set(name, draft);
    return draft;
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
  changes: ReadonlyMap<K, V>,
  removes: (value: V) => boolean,
): ReadonlyMap<K, V> {
  if (changes.size === 0) return before;
  const after = new Map(before);
  for (const [key, value] of changes) {
    if (removes(value)) after.delete(key);
    else after.set(key, value);
  }
  return after;
}
