/**
 * What the cluster is at one position of the metadata log: the pure fold of its records. An image
 * never changes, so whoever holds one sees one consistent state (Kafka's `MetadataImage`).
 */
import { type AclEntry, aclKey } from "../core/acl.ts";
import { assert } from "../core/assert.ts";
import { atOnce, type Steps } from "../core/steps.ts";
import { ClientQuotas } from "./client-quotas.ts";
import type {
  BrokerRecord,
  ConfigRecord,
  ConfigResourceType,
  MetadataRecord,
  PartitionRecord,
  ScramCredentialRecord,
  ScramMechanism,
  TopicRecord,
} from "./metadata-records.ts";
import { MetadataDraft } from "./metadata-draft.ts";
import { PersistentMap } from "./persistent-map.ts";

/** A partition's replicas and who leads them: the whole of it but which one it is. */
export type PartitionImage = Omit<PartitionRecord, "type" | "version" | "topicId" | "partition">;

/** The configs of a resource: only what was set, names and texts. */
export type ConfigImage = ReadonlyMap<string, string>;

/** A topic with its partitions by index and its own configs. */
export interface TopicImage {
  readonly name: string;
  readonly id: string;
  readonly partitions: readonly PartitionImage[];
  readonly configs: ConfigImage;
}

/** What has configs and nothing else: it exists while something is set for it. */
export type ConfiguredType = Exclude<ConfigResourceType, "topic">;

/** What a broker keeps of a user's password. */
export type ScramCredential = Omit<ScramCredentialRecord, "type" | "version">;

/** A registered broker. */
export type BrokerImage = Omit<BrokerRecord, "type" | "version">;

/** What a change did. A topic that was deleted and created again is in both lists. */
export interface MetadataDelta {
  readonly createdTopics: readonly TopicImage[];
  readonly deletedTopics: readonly TopicImage[];
  /** Topics whose partitions or configs are others than before. */
  readonly changedTopics: readonly { readonly before: TopicImage; readonly after: TopicImage }[];
  readonly brokerConfigsChanged: boolean;
  /** Brokers that have come, gone or changed: ids. */
  readonly changedBrokers: readonly number[];
  /** Groups and subscriptions to client metrics whose configs are others than before. */
  readonly changedConfigs: readonly { readonly type: ConfiguredType; readonly name: string }[];
  /** Every change of the ACLs, in order. */
  readonly changedAcls: readonly { readonly entry: AclEntry; readonly isRemoved: boolean }[];
  readonly quotasChanged: boolean;
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

/** Nothing is set. */
export const NO_CONFIGS: ConfigImage = new Map();

/** The configs of one resource that is no topic. */
export interface ResourceConfigs {
  readonly type: ConfiguredType;
  readonly name: string;
  readonly configs: ConfigImage;
}

export const configKey = (type: ConfiguredType, name: string) => `${type}:${name}`;
export const scramKey = (user: string, mechanism: ScramMechanism) => `${mechanism}:${user}`;

/** What an image holds. */
export interface ImageState {
  readonly position: number;
  readonly topics: PersistentMap<TopicImage>;
  readonly topicsById: PersistentMap<TopicImage>;
  /** Names of topics by `metricName`. */
  readonly metricNames: PersistentMap<string>;
  /** By `configKey`. The names of brokers are ids in decimal, and `ALL_BROKERS`. */
  readonly configs: PersistentMap<ResourceConfigs>;
  /** By `aclKey`. */
  readonly acls: PersistentMap<AclEntry>;
  /** By `scramKey`. */
  readonly scramCredentials: PersistentMap<ScramCredential>;
  readonly quotas: ClientQuotas;
  readonly brokers: ReadonlyMap<number, BrokerImage>;
  readonly features: ReadonlyMap<string, number>;
  /** The first producer id that nobody has. */
  readonly nextProducerId: number;
}

/** What a change makes of an image. */
export interface AppliedChange {
  readonly image: MetadataImage;
  readonly delta: MetadataDelta;
}

/** How many records are a step. */
const RECORDS_PER_STEP = 200;

/** See the head of the file. `position` is the number that the next record will have. */
export class MetadataImage {
  static readonly EMPTY = new MetadataImage({
    position: 0,
    topics: PersistentMap.empty(),
    topicsById: PersistentMap.empty(),
    metricNames: PersistentMap.empty(),
    configs: PersistentMap.empty(),
    acls: PersistentMap.empty(),
    scramCredentials: PersistentMap.empty(),
    quotas: ClientQuotas.EMPTY,
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
  /** The level of each feature that was ever set; 0 is off. */
  get features(): ReadonlyMap<string, number> {
    return this.#state.features;
  }
  get nextProducerId(): number {
    return this.#state.nextProducerId;
  }

  /** Every ACL. */
  get acls(): Iterable<AclEntry> {
    return this.#state.acls.values();
  }
  get aclCount(): number {
    return this.#state.acls.size;
  }
  /** Whether there is an ACL that says the same. */
  hasAcl(entry: AclEntry): boolean {
    return this.#state.acls.has(aclKey(entry));
  }
  get quotas(): ClientQuotas {
    return this.#state.quotas;
  }

  /** What was set for one broker (its id in decimal), or for `ALL_BROKERS`. */
  brokerConfigs(name: string): ConfigImage {
    return this.configs("broker", name);
  }

  /** What was set for this resource; empty if nothing was. */
  configs(type: ConfiguredType, name: string): ConfigImage {
    return this.#state.configs.get(configKey(type, name))?.configs ?? NO_CONFIGS;
  }

  /** Names of the resources of this type for which something was set. */
  *configured(type: ConfiguredType): Generator<string> {
    for (const resource of this.#state.configs.values()) {
      if (resource.type === type) yield resource.name;
    }
  }

  /** The credential of a user for one mechanism. */
  scramCredential(user: string, mechanism: ScramMechanism): ScramCredential | undefined {
    return this.#state.scramCredentials.get(scramKey(user, mechanism));
  }
  /** The credentials of all users. */
  get scramCredentials(): Iterable<ScramCredential> {
    return this.#state.scramCredentials.values();
  }

  /** The image after one change, which ends at `position`, and what is different. */
  apply(
    records: readonly MetadataRecord[],
    position: number,
  ): AppliedChange {
    return atOnce(this.applySteps(records, position));
  }

  /** As `apply`, in steps. */
  *applySteps(records: readonly MetadataRecord[], position: number): Steps<AppliedChange> {
    assert(position >= this.position, "the metadata log only grows");
    const draft = new MetadataDraft(this);
    for (const [index, record] of records.entries()) {
      draft.fold(record);
      if (index % RECORDS_PER_STEP === RECORDS_PER_STEP - 1) yield;
    }
    return yield* draft.finish(this.#state, position, (state) => new MetadataImage(state));
  }

  /** The records from which an empty image becomes this one (at the same position). */
  toRecords(): MetadataRecord[] {
    return atOnce(this.toRecordsSteps());
  }

  /** As `toRecords`, in steps. */
  *toRecordsSteps(): Steps<MetadataRecord[]> {
    const records: MetadataRecord[] = [];
    for (const broker of this.brokers.values()) {
      records.push({ type: "broker", version: 1, ...broker });
    }
    for (const [name, level] of this.features) {
      records.push({ type: "feature", version: 1, name, level });
    }
    for (const { type, name, configs } of this.#state.configs.values()) {
      records.push(...configRecords(type, name, configs));
    }
    for (const entry of this.acls) records.push({ type: "acl", version: 1, ...entry });
    for (const credential of this.scramCredentials) {
      records.push({ type: "scram-credential", version: 1, ...credential });
    }
    for (const { entity, values } of this.quotas.all()) {
      for (const [key, value] of values) {
        records.push({ type: "client-quota", version: 1, entity, key, value });
      }
    }
    if (this.nextProducerId > 0) {
      const { nextProducerId } = this;
      records.push({ type: "producer-ids", version: 1, brokerId: -1, nextProducerId });
    }
    for (const topic of this.topics.values()) {
      for (const record of topicRecords(topic)) records.push(record);
      yield;
    }
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

/** The registration of a broker that is its own cluster. */
export function aloneBroker(brokerId: number, rack: string | null = null): BrokerRecord {
  return {
    type: "broker",
    version: 1,
    brokerId,
    incarnationId: "",
    epoch: 0,
    state: "active",
    rack,
    host: "",
    endpoints: [],
    features: [],
  };
}

/** Whether the broker may lead and be in an ISR. */
export function isActive(image: MetadataImage, brokerId: number): boolean {
  return image.brokers.get(brokerId)?.state === "active";
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
