/**
 * The records of the metadata log. Each is JSON with a `type` and a `version`; what the fields mean
 * is Kafka's (`TopicRecord`, `PartitionRecord`, `ConfigRecord`, `ProducerIdsRecord`, …). A reader
 * refuses what it does not know: skipping a record would give it another cluster.
 */

import {
  type AclEntry,
  AclOperations,
  AclPatternTypes,
  AclPermissions,
  AclResourceTypes,
} from "../core/acl.ts";
import type { QuotaEntity } from "./client-quotas.ts";

/** A topic exists from here on. Its partitions and configs follow in the same change. */
export interface TopicRecord {
  readonly type: "topic";
  readonly version: 1;
  readonly name: string;
  /** Kafka's base64url form of the UUID. */
  readonly id: string;
}

/** A topic, its partitions and its configs are gone. */
export interface RemoveTopicRecord {
  readonly type: "remove-topic";
  readonly version: 1;
  readonly id: string;
}

/** The whole state of a partition; the first one creates it. */
export interface PartitionRecord {
  readonly type: "partition";
  readonly version: 1;
  readonly topicId: string;
  readonly partition: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  /** −1: none. */
  readonly leader: number;
  /** Grows with every change of the leader. */
  readonly leaderEpoch: number;
  /** Grows with every change of the partition. */
  readonly partitionEpoch: number;
  /** Eligible leader replicas (KIP-966). Like what follows it is left out where it is empty. */
  readonly elr?: readonly number[];
  /** The last of them, where there is neither an ISR nor an ELR. */
  readonly lastKnownElr?: readonly number[];
  /** The leader was elected uncleanly, and has not said yet that it is in order. */
  readonly isRecovering?: boolean;
  /** Replicas that a reassignment under way adds and removes. */
  readonly adding?: readonly number[];
  readonly removing?: readonly number[];
  /** Replicas whose data directory has failed or is full, on brokers that go on without it. */
  readonly offline?: readonly number[];
}

/** What can have configs. The name of all brokers together is empty. */
export type ConfigResourceType = "topic" | "broker" | "client-metrics" | "group";

/** A config of a resource is set, or removed if `value` is null. */
export interface ConfigRecord {
  readonly type: "config";
  readonly version: 1;
  readonly resourceType: ConfigResourceType;
  readonly resourceName: string;
  readonly name: string;
  readonly value: string | null;
}

/** Producer ids below `nextProducerId` are given out; the last block to this broker. */
export interface ProducerIdsRecord {
  readonly type: "producer-ids";
  readonly version: 1;
  readonly brokerId: number;
  readonly nextProducerId: number;
}

/** An address of a broker, by the name of its listener. */
export interface BrokerEndpoint {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Kafka's `SecurityProtocol`: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL. */
  readonly securityProtocol: number;
}

/** Levels of a feature that a broker can run. */
export interface SupportedFeature {
  readonly name: string;
  readonly minLevel: number;
  readonly maxLevel: number;
}

/**
 * - `fenced`: it leads nothing and is in no ISR.
 * - `active`: it may.
 * - `stopping`: it leads nothing any more and is on its way out of the ISRs, in good order.
 */
export type RegisteredState = "fenced" | "active" | "stopping";

/**
 * A broker is a member of the cluster: the whole of its registration (Kafka's `RegisterBrokerRecord`
 * and `BrokerRegistrationChangeRecord`). One that is a cluster by itself has no endpoints, epoch 0
 * and is active.
 */
export interface BrokerRecord {
  readonly type: "broker";
  readonly version: 1;
  readonly brokerId: number;
  /** Another one for each start of the process (a UUID in Kafka's base64url form); empty: alone. */
  readonly incarnationId: string;
  /** Grows with every registration: one more than the position of the change before it. */
  readonly epoch: number;
  readonly state: RegisteredState;
  readonly rack: string | null;
  /** The machine: replicas are spread over machines first. Empty: not told. */
  readonly host: string;
  readonly endpoints: readonly BrokerEndpoint[];
  readonly features: readonly SupportedFeature[];
  /** Ids of its data directories (KIP-858). Like what follows it is left out where it is empty. */
  readonly logDirs?: readonly string[];
  /** Those that have failed since it was registered. */
  readonly offlineDirs?: readonly string[];
  /** Those that are gone since an earlier registration, until it has said which replicas were there. */
  readonly lostDirs?: readonly string[];
}

/** A broker is no longer a member. */
export interface RemoveBrokerRecord {
  readonly type: "remove-broker";
  readonly version: 1;
  readonly brokerId: number;
}

/** A feature is finalized at a level; 0 is off. */
export interface FeatureRecord {
  readonly type: "feature";
  readonly version: 1;
  readonly name: string;
  readonly level: number;
}

/** A rule of access control exists from here on; two that say the same are one. */
export interface AclRecord extends AclEntry {
  readonly type: "acl";
  readonly version: 1;
}

/** The rule that says the same is gone. */
export interface RemoveAclRecord extends AclEntry {
  readonly type: "remove-acl";
  readonly version: 1;
}

/** What a broker keeps of a password (RFC 5802). Bytes are base64. */
export interface ScramCredentialRecord {
  readonly type: "scram-credential";
  readonly version: 1;
  readonly user: string;
  readonly mechanism: ScramMechanism;
  readonly salt: string;
  readonly storedKey: string;
  readonly serverKey: string;
  readonly iterations: number;
}

/** A user has no credential for this mechanism any more. */
export interface RemoveScramCredentialRecord {
  readonly type: "remove-scram-credential";
  readonly version: 1;
  readonly user: string;
  readonly mechanism: ScramMechanism;
}

/** How a password is hashed. */
export type ScramMechanism = "SCRAM-SHA-256" | "SCRAM-SHA-512";

/** A quota is set, or removed if `value` is null. */
export interface ClientQuotaRecord {
  readonly type: "client-quota";
  readonly version: 1;
  readonly entity: QuotaEntity;
  readonly key: string;
  readonly value: number | null;
}

/** One record of the metadata log. */
export type MetadataRecord =
  | TopicRecord
  | RemoveTopicRecord
  | PartitionRecord
  | ConfigRecord
  | ProducerIdsRecord
  | BrokerRecord
  | RemoveBrokerRecord
  | FeatureRecord
  | AclRecord
  | RemoveAclRecord
  | ScramCredentialRecord
  | RemoveScramCredentialRecord
  | ClientQuotaRecord;

/** The metadata log holds what this program cannot read. */
export class MetadataFormatError extends Error {
  override readonly name = "MetadataFormatError";
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The bytes of a record: JSON in UTF-8. */
export function encodeMetadataRecord(record: MetadataRecord): Uint8Array {
  return encoder.encode(JSON.stringify(record));
}

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === "string";
const textOrNull: Check = (value) => value === null || typeof value === "string";
const integer: Check = (value) => Number.isSafeInteger(value);
const integers: Check = (value) => Array.isArray(value) && value.every(integer);
const texts: Check = (value) => Array.isArray(value) && value.every(text);
const missingOr = (check: Check): Check => (value) => value === undefined || check(value);
const truth: Check = (value) => typeof value === "boolean";
const oneOf = (...words: readonly string[]): Check => (value) =>
  typeof value === "string" && words.includes(value);
type Shape = Readonly<Record<string, Check>>;
/** There are hundreds of thousands of records to a start. */
const fieldsOf = new WeakMap<Shape, readonly (readonly [name: string, check: Check])[]>();
const isShaped = (value: unknown, shape: Shape) => {
  if (typeof value !== "object" || value === null) return false;
  let fields = fieldsOf.get(shape);
  if (fields === undefined) fieldsOf.set(shape, fields = Object.entries(shape));
  for (const [name, check] of fields) if (!check(Reflect.get(value, name))) return false;
  return true;
};
const listOf = (shape: Readonly<Record<string, Check>>): Check => (value) =>
  Array.isArray(value) && value.every((item) => isShaped(item, shape));
const resourceType = oneOf("topic", "broker", "client-metrics", "group");
const scramMechanism = oneOf("SCRAM-SHA-256", "SCRAM-SHA-512");
const quotaTypes: readonly string[] = ["user", "client-id", "ip"];
const quotaEntity: Check = (value) =>
  typeof value === "object" && value !== null &&
  Object.entries(value).every(([type, name]) => quotaTypes.includes(type) && textOrNull(name));
const quotaValue: Check = (value) => value === null || Number.isFinite(value);
const aclEntry = {
  resourceType: oneOf(...Object.keys(AclResourceTypes)),
  resourceName: text,
  patternType: oneOf(...Object.keys(AclPatternTypes)),
  principal: text,
  host: text,
  operation: oneOf(...Object.keys(AclOperations)),
  permission: oneOf(...Object.keys(AclPermissions)),
};

/** What must stand in each type of record; all are at version 1. */
const SHAPES: Readonly<Record<MetadataRecord["type"], Readonly<Record<string, Check>>>> = {
  "topic": { name: text, id: text },
  "remove-topic": { id: text },
  "partition": {
    topicId: text,
    partition: integer,
    replicas: integers,
    isr: integers,
    leader: integer,
    leaderEpoch: integer,
    partitionEpoch: integer,
    elr: missingOr(integers),
    lastKnownElr: missingOr(integers),
    isRecovering: missingOr(truth),
    adding: missingOr(integers),
    removing: missingOr(integers),
    offline: missingOr(integers),
  },
  "config": { resourceType, resourceName: text, name: text, value: textOrNull },
  "producer-ids": { brokerId: integer, nextProducerId: integer },
  "broker": {
    brokerId: integer,
    incarnationId: text,
    epoch: integer,
    state: oneOf("fenced", "active", "stopping"),
    rack: textOrNull,
    host: text,
    endpoints: listOf({ name: text, host: text, port: integer, securityProtocol: integer }),
    features: listOf({ name: text, minLevel: integer, maxLevel: integer }),
    logDirs: missingOr(texts),
    offlineDirs: missingOr(texts),
    lostDirs: missingOr(texts),
  },
  "remove-broker": { brokerId: integer },
  "feature": { name: text, level: integer },
  "acl": aclEntry,
  "remove-acl": aclEntry,
  "scram-credential": {
    user: text,
    mechanism: scramMechanism,
    salt: text,
    storedKey: text,
    serverKey: text,
    iterations: integer,
  },
  "remove-scram-credential": { user: text, mechanism: scramMechanism },
  "client-quota": { entity: quotaEntity, key: text, value: quotaValue },
};

/** The record in these bytes; throws a `MetadataFormatError` if it is none that is known. */
export function decodeMetadataRecord(bytes: Uint8Array): MetadataRecord {
  const value = parseJson(bytes);
  if (!isMetadataRecord(value)) {
    const shown = decoder.decode(bytes.subarray(0, 120));
    throw new MetadataFormatError(`an unknown metadata record: ${shown}`);
  }
  return value;
}

/** The JSON value in these bytes; throws a `MetadataFormatError` if there is none. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new MetadataFormatError("a metadata record is no JSON", { cause });
  }
}

function isMetadataRecord(value: unknown): value is MetadataRecord {
  if (typeof value !== "object" || value === null) return false;
  const type: unknown = Reflect.get(value, "type");
  if (typeof type !== "string" || !Object.hasOwn(SHAPES, type)) return false;
  if (Reflect.get(value, "version") !== 1) return false;
  const shape: Readonly<Record<string, Check>> | undefined = SHAPES[type as keyof typeof SHAPES];
  return isShaped(value, shape ?? {});
}
