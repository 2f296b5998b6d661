/**
 * Records of a stream-stream join that nothing was joined with yet, and how they are kept: by time, side
 * and key, in lists (Kafka's `TimestampedKeyAndJoinSide`, `LeftOrRightValue` and `ListValueStore`).
 */
import type { Serde } from "../serdes/serde.ts";
import type { OpenStore } from "../stores/key-value-store.ts";

/** A key of one side at a time. */
export interface UnjoinedKey {
  readonly key: unknown;
  readonly timestampMs: number;
  readonly isLeft: boolean;
}

export type UnjoinedStore = OpenStore<UnjoinedKey, readonly SideValue[]>;

/** A value, and whose it is. */
export interface SideValue {
  readonly value: unknown;
  readonly isLeft: boolean;
}

const KEY_AT = 9;

/** Time in eight bytes, 1 for left or 0, the key's own bytes. */
export function unjoinedKeySerde(inner: Serde<unknown>): Serde<UnjoinedKey> {
  return {
    name: `unjoined ${inner.name ?? "other"}`,
    serialize({ key, timestampMs, isLeft }, topic) {
      const keyBytes = inner.serialize(key, topic);
      const bytes = new Uint8Array(KEY_AT + keyBytes.length);
      new DataView(bytes.buffer).setBigInt64(0, BigInt(timestampMs));
      bytes[KEY_AT - 1] = isLeft ? 1 : 0;
      bytes.set(keyBytes, KEY_AT);
      return bytes;
    },
    deserialize(bytes, topic) {
      if (bytes.length < KEY_AT) throw new Error("a key of a record not joined yet has no time");
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      return {
        key: inner.deserialize(bytes.subarray(KEY_AT), topic),
        timestampMs: Number(view.getBigInt64(0)),
        isLeft: bytes[KEY_AT - 1] === 1,
      };
    },
  };
}

/** Kafka's `ListSerializer` for entries of any size. */
const VARIABLE_SIZE = 1;
const ENTRIES_AT = 5;

/** A byte of 1, how many; of each its length, 1 for left or 0, and its own bytes. */
export function unjoinedValuesSerde(
  left: Serde<unknown>,
  right: Serde<unknown>,
): Serde<readonly SideValue[]> {
  const sideOf = (isLeft: boolean) => isLeft ? left : right;
  return {
    name: `${left.name ?? "other"} or ${right.name ?? "other"}`,
    serialize(values, topic) {
      const entries = values.map(({ value, isLeft }) => sideOf(isLeft).serialize(value, topic));
      const length = entries.reduce((sum, entry) => sum + 5 + entry.length, ENTRIES_AT);
      const bytes = new Uint8Array(length);
      const view = new DataView(bytes.buffer);
      view.setUint8(0, VARIABLE_SIZE);
      view.setInt32(1, entries.length);
      let at = ENTRIES_AT;
      for (const [i, entry] of entries.entries()) {
        view.setInt32(at, 1 + entry.length);
        view.setUint8(at + 4, values[i]!.isLeft ? 1 : 0);
        bytes.set(entry, at + 5);
        at += 5 + entry.length;
      }
      return bytes;
    },
    deserialize(bytes, topic) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      if (view.getUint8(0) !== VARIABLE_SIZE) throw new Error("the list is of another kind");
      const values: SideValue[] = [];
      let at = ENTRIES_AT;
      for (let left = view.getInt32(1); left > 0; left--) {
        const end = at + 4 + view.getInt32(at);
        const isLeft = view.getUint8(at + 4) === 1;
        const value = sideOf(isLeft).deserialize(bytes.subarray(at + 5, end), topic);
        values.push({ value, isLeft });
        at = end;
      }
      return values;
    },
  };
}
