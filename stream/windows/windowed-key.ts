/** Keys of windows, and how they are written. */
import { readInt64, writeInt64 } from "../serdes/int64.ts";
import type { Serde } from "../serdes/serde.ts";
import type { Window } from "./time-windows.ts";

/** A key in a window (Kafka's `Windowed`). */
export interface Windowed<K> {
  readonly key: K;
  readonly window: Window;
}

const TIME_BYTES = 8;
const SEQUENCE_BYTES = 4;

/** What a key is written as: its own bytes, the start of its window, and so many bytes more. */
function startSerde<K>(inner: Serde<K>, sizeMs: number, tailBytes: number): Serde<Windowed<K>> {
  const suffixBytes = TIME_BYTES + tailBytes;
  return {
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
      const window = { startMs, endMs: startMs + sizeMs };
      return { key: inner.deserialize(bytes.subarray(0, keyLength), topic), window };
    },
  };
}

/** In topics: key, start (Kafka's `TimeWindowedSerializer`). The length is not in it: who reads knows it. */
export function timeWindowed<K>(inner: Serde<K>, sizeMs: number): Serde<Windowed<K>> {
  return startSerde(inner, sizeMs, 0);
}

/** In stores and changelogs: key, start, four bytes of zero (Kafka's `WindowKeySchema`). */
export function storedWindow<K>(inner: Serde<K>, sizeMs: number): Serde<Windowed<K>> {
  return startSerde(inner, sizeMs, SEQUENCE_BYTES);
}

/** Where the window of such a key begins. */
export function storedStartMs(bytes: Uint8Array): number {
  return readInt64(bytes, bytes.length - TIME_BYTES - SEQUENCE_BYTES);
}
