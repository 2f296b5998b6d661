/**
 * What goes between the two tables of a join by foreign key, as Kafka Streams writes it
 * (`SubscriptionWrapperSerde`, `SubscriptionResponseWrapperSerde`, `CombinedKeySchema`; KIP-213, KIP-775).
 */
import type { Serde } from "../serdes/serde.ts";

/** What the table with the foreign keys asks the other one to do (`SubscriptionWrapper.Instruction`). */
export const Instruction = {
  /** Forget it; no answer. */
  deleteOnly: 0,
  /** Forget it, and answer that there is nothing. */
  deleteAndAnswer: 1,
  /** Remember it, and answer in any case. */
  answerAlways: 2,
  /** Remember it, and answer if there is something. */
  answerIfThere: 3,
} as const;

/** A row that wants to be told of a foreign key. */
export interface Subscription {
  /** Of the row's value, by which an answer that comes too late is known; null: the row is gone. */
  readonly hash: Uint8Array | null;
  readonly instruction: number;
  readonly primaryKey: unknown;
  /** Where the answer goes; null: by the hash of the key (version 0). */
  readonly partition: number | null;
}

/** The answer: what the other table has for the foreign key. */
export interface SubscriptionAnswer {
  readonly hash: Uint8Array | null;
  readonly value: unknown;
  /** Where it goes; not written. */
  readonly partition: number | null;
}

const HASH_BYTES = 16;
const VERSION = 1;
const ANSWER_VERSION = 0;
const NO_HASH = 0x80;

/** Version, with a bit for no hash; instruction, hash, the row's key, its partition in four bytes. */
export function subscriptionSerde(keySerde: Serde<unknown>): Serde<Subscription> {
  return {
    name: `subscription of ${keySerde.name ?? "other"}`,
    serialize({ hash, instruction, primaryKey, partition }, topic) {
      const key = keySerde.serialize(primaryKey, topic);
      const isOld = partition === null;
      const version = (isOld ? 0 : VERSION) | (hash === null ? NO_HASH : 0);
      const hashLength = hash?.length ?? 0;
      const bytes = new Uint8Array(2 + hashLength + key.length + (isOld ? 0 : 4));
      bytes[0] = version;
      bytes[1] = instruction;
      if (hash !== null) bytes.set(hash, 2);
      bytes.set(key, 2 + hashLength);
      if (!isOld) new DataView(bytes.buffer).setInt32(bytes.length - 4, partition);
      return bytes;
    },
    deserialize(bytes, topic) {
      const { hash, version, at } = headOf(bytes, 1);
      if (version > VERSION) throw new Error(`a subscription of version ${version} is not known`);
      const instruction = bytes[1]!;
      if (instruction > 3) throw new Error(`an instruction ${instruction} is not known`);
      const end = bytes.length - (version === 0 ? 0 : 4);
      if (end < at) throw new Error("the subscription ends too soon");
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      return {
        ...{ hash, instruction },
        primaryKey: keySerde.deserialize(bytes.subarray(at, end), topic),
        partition: version === 0 ? null : view.getInt32(end),
      };
    },
  };
}

/** Version, with a bit for no hash; hash, the value: nothing where there is none. */
export function answerSerde(valueSerde: Serde<unknown>): Serde<SubscriptionAnswer> {
  return {
    name: `answer of ${valueSerde.name ?? "other"}`,
    serialize({ hash, value }, topic) {
      const written = value === null ? [] : [valueSerde.serialize(value, topic)];
      const version = Uint8Array.of(ANSWER_VERSION | (hash === null ? NO_HASH : 0));
      return Buffer.concat([version, ...(hash === null ? [] : [hash]), ...written]);
    },
    deserialize(bytes, topic) {
      const { hash, version, at } = headOf(bytes, 0);
      if (version !== ANSWER_VERSION) {
        throw new Error(`an answer of version ${version} is not known`);
      }
      const value = at === bytes.length ? null : valueSerde.deserialize(bytes.subarray(at), topic);
      return { hash, value, partition: null };
    },
  };
}

/** Version and hash, between which there are so many bytes. */
function headOf(bytes: Uint8Array, between: number) {
  const first = bytes[0] ?? 0;
  const at = 1 + between + ((first & NO_HASH) === 0 ? HASH_BYTES : 0);
  if (bytes.length < at) throw new Error("it ends before its hash does");
  const hash = (first & NO_HASH) === 0 ? bytes.slice(1 + between, at) : null;
  return { hash, version: first & ~NO_HASH, at };
}

const LENGTH_BYTES = 4;

/** In the store of subscriptions: the foreign key with its length before it, then the row's key. */
export function combinedKey(foreignKey: Uint8Array, primaryKey: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + foreignKey.length + primaryKey.length);
  new DataView(bytes.buffer).setInt32(0, foreignKey.length);
  bytes.set(foreignKey, LENGTH_BYTES);
  bytes.set(primaryKey, LENGTH_BYTES + foreignKey.length);
  return bytes;
}
