/** Stores of sessions, as processors and queries see them. */
import type { Windowed } from "../windows/windowed-key.ts";
import { type FetchOptions, type WindowedEntry, WindowedStore } from "./windowed-store.ts";

/**
 * What can be asked of a store of sessions (Kafka's `ReadOnlySessionStore`). A session is from the time
 * of its first record to that of its last one, both included.
 */
export interface ReadableSessionStore<K, V> {
  fetchSession(key: K, startMs: number, endMs: number): V | null;
  /** Those of a key that end there or later and begin there or earlier, in the order of their ends. */
  findSessions(
    key: K,
    earliestEndMs: number,
    latestStartMs: number,
    options?: FetchOptions,
  ): IterableIterator<WindowedEntry<K, V>>;
  /** As `findSessions`, of keys from one to the other, null is open: in the order of keys. */
  findSessionsOfKeys(
    from: K | null,
    to: K | null,
    earliestEndMs: number,
    latestStartMs: number,
    options?: FetchOptions,
  ): IterableIterator<WindowedEntry<K, V>>;
  /** All sessions of a key. */
  fetchSessions(key: K, options?: FetchOptions): IterableIterator<WindowedEntry<K, V>>;
}

/** Values by key and session (Kafka's `SessionStore`). */
export interface SessionStore<K, V> extends ReadableSessionStore<K, V> {
  /** Null takes the session away. What is older than the retention is left out. */
  put(key: Windowed<K>, value: V | null): void;
}

/** See the head of the file. */
export class OpenSessionStore<K, V> extends WindowedStore<K, V> implements SessionStore<K, V> {
  fetchSession(key: K, startMs: number, endMs: number): V | null {
    return this.get({ key, window: { startMs, endMs } });
  }

  *findSessions(key: K, earliestEndMs: number, latestStartMs: number, options: FetchOptions = {}) {
    const times = { fromMs: earliestEndMs, toMs: Infinity };
    for (const entry of this.ofKey(key, times, options)) {
      if (entry[0].window.startMs <= latestStartMs) yield entry;
    }
  }

  *findSessionsOfKeys(
    from: K | null,
    to: K | null,
    earliestEndMs: number,
    latestStartMs: number,
    options: FetchOptions = {},
  ) {
    const times = { fromMs: earliestEndMs, toMs: Infinity };
    for (const entry of this.ofKeys({ from, to }, times, options)) {
      if (entry[0].window.startMs <= latestStartMs) yield entry;
    }
  }

  fetchSessions(key: K, options: FetchOptions = {}) {
    return this.findSessions(key, 0, Infinity, options);
  }
}
