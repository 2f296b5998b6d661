/** Keys of windows, and how they are written. */
import { readInt64, writeInt64 } from "../serdes/int64.ts";
import type { Serde } from "../serdes/serde.ts";
import type { TimesInKeys } from "../stores/time-ordered-engine.ts";
import type { Window } from "./time-windows.ts";

/** A key in a window (Kafka's `Windowed`). */
export interface Windowed<K> {
  readonly key: K;
  readonly window: Window;
}

const TIME_BYTES = 8;
const SEQUENCE_BYTES = 4;
const STORED_BYTES = TIME_BYTES + SEQUENCE_BYTES;
const SESSION_BYTES = 2 * TIME_BYTES;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** What a key is written as: its own bytes, the start of its window, and so many bytes more. */
function startSerde<K>(inner: Serde<K>, sizeMs: number, tailBytes: number): Serde<Windowed<K>> {
  const suffixBytes = TIME_BYTES + tailBytes;
  return {
    name: `windowed ${inner.name ?? "other"}`,
    windowBytes: suffixBytes,
    serialize({ key, window }, topic) {
      const keyBytes = inner.serialize(key, topic);
      const bytes = new Uint8Array(keyBytes.length + suffixBytes);
      bytes.set(keyBytes);
      writeInt64(bytes, keyBytes.length, window.startMs);
      return bytes;
    },
    deserialize(bytes, topic) {
      const keyLength = bytes.length - suffixBytes;
      if (keyLength < 0) throw new Error(`a key of a window has ${suffixBytes} bytes at least`);
      const startMs = readInt64(bytes, keyLength);
      const window = { startMs, endMs: Math.min(startMs + sizeMs, Number.MAX_SAFE_INTEGER) };
      return { key: inner.deserialize(bytes.subarray(0, keyLength), topic), window };
    },
  };
}

/** In topics: key, start (Kafka's `TimeWindowedSerializer`). The length is not in it: who reads knows it. */
export function timeWindowed<K>(inner: Serde<K>, sizeMs: number): Serde<Windowed<K>> {
  return startSerde(inner, sizeMs, 0);
}

/**
 * A session in topics, stores and changelogs: key, end, start (Kafka's `SessionWindowedSerializer`,
 * `SessionKeySchema`).
 */
export function sessionWindowed<K>(inner: Serde<K>): Serde<Windowed<K>> {
  return {
    name: `session-windowed ${inner.name ?? "other"}`,
    windowBytes: SESSION_BYTES,
    serialize({ key, window }, topic) {
      const keyBytes = inner.serialize(key, topic);
      return withSession(keyBytes, window.endMs, window.startMs);
    },
    deserialize(bytes, topic) {
      const keyLength = bytes.length - SESSION_BYTES;
      if (keyLength < 0) throw new Error(`a key of a session has ${SESSION_BYTES} bytes at least`);
      const endMs = readInt64(bytes, keyLength);
      const startMs = readInt64(bytes, keyLength + TIME_BYTES);
      return {
        key: inner.deserialize(bytes.subarray(0, keyLength), topic),
        window: { startMs, endMs },
      };
    },
  };
}

function withSession(key: Uint8Array, endMs: number, startMs: number): Uint8Array {
  const bytes = new Uint8Array(key.length + SESSION_BYTES);
  bytes.set(key);
  writeInt64(bytes, key.length, endMs);
  writeInt64(bytes, key.length + TIME_BYTES, startMs);
  return bytes;
}

/** How keys of a store are written that has windows, as far as who looks for them has to know. */
export interface StoredKeys extends TimesInKeys {
  /** What comes behind the bytes of the key itself. */
  readonly suffixBytes: number;
  serde<K>(inner: Serde<K>): Serde<Windowed<K>>;
  /** The lowest key of a store that has this key and that time or a later one. */
  lowest(key: Uint8Array, fromMs: number): Uint8Array;
  /** The highest one that has this key and that time, which may be infinite, or an earlier one. */
  highest(key: Uint8Array, toMs: number): Uint8Array;
}

/** Key, start, four bytes of zero (Kafka's `WindowKeySchema`), of windows of a known length. */
export function storedWindows(sizeMs: number): StoredKeys {
  const startAt = (bytes: Uint8Array) => bytes.length - STORED_BYTES;
  const bound = (key: Uint8Array, timeMs: number, sequence: number) => {
    const bytes = new Uint8Array(key.length + STORED_BYTES);
    bytes.set(key);
    writeInt64(bytes, key.length, inBounds(timeMs));
    viewOf(bytes).setUint32(key.length + TIME_BYTES, sequence);
    return bytes;
  };
  return {
    suffixBytes: STORED_BYTES,
    orderBytes: TIME_BYTES,
    serde: (inner) => startSerde(inner, sizeMs, SEQUENCE_BYTES),
    timeOf: (bytes) => readInt64(bytes, startAt(bytes)),
    orderOf: (bytes) => bytes.subarray(startAt(bytes), startAt(bytes) + TIME_BYTES),
    lowest: (key, fromMs) => bound(key, fromMs, 0),
    highest: (key, toMs) => bound(key, toMs, 2 ** 32 - 1),
  };
}

/** Key, end, start; the time is that of the end (Kafka's `SessionKeySchema`). */
export const STORED_SESSIONS: StoredKeys = {
  suffixBytes: SESSION_BYTES,
  orderBytes: SESSION_BYTES,
  serde: (inner) => sessionWindowed(inner),
  timeOf: (bytes) => readInt64(bytes, bytes.length - SESSION_BYTES),
  orderOf: (bytes) => bytes.subarray(bytes.length - SESSION_BYTES),
  lowest: (key, fromMs) => withSession(key, inBounds(fromMs), 0),
  highest: (key, toMs) => withSession(key, inBounds(toMs), Number.MAX_SAFE_INTEGER),
};

function inBounds(timeMs: number): number {
  return Math.min(Math.max(timeMs, 0), Number.MAX_SAFE_INTEGER);
}
