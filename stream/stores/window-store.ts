/** Stores of windows of a known length, as processors and queries see them. */
import type { Windowed } from "../windows/windowed-key.ts";
import { type FetchOptions, type WindowedEntry, WindowedStore } from "./windowed-store.ts";

/**
 * What can be asked of a store of windows (Kafka's `ReadOnlyWindowStore`). Times are those at which
 * windows begin, both ends included. Windows older than the retention are not found.
 */
export interface ReadableWindowStore<K, V> {
  /** The value of the window that begins there. */
  fetch(key: K, startMs: number): V | null;
  /** Windows of a key, the earliest first. */
  fetchBetween(
    key: K,
    fromMs: number,
    toMs: number,
    options?: FetchOptions,
  ): IterableIterator<WindowedEntry<K, V>>;
  /** Windows of keys from one to the other, null is open: in the order of keys, then of time. */
  fetchKeys(
    from: K | null,
    to: K | null,
    fromMs: number,
    toMs: number,
    options?: FetchOptions,
  ): IterableIterator<WindowedEntry<K, V>>;
  /** Windows of all keys; without times all that there are. */
  fetchAll(
    fromMs?: number,
    toMs?: number,
    options?: FetchOptions,
  ): IterableIterator<WindowedEntry<K, V>>;
}

/** Values by key and window (Kafka's `WindowStore`). */
export interface WindowStore<K, V> extends ReadableWindowStore<K, V> {
  /** Null takes the window away. What is older than the retention is left out. */
  putAt(key: K, startMs: number, value: V | null): void;
}

/** See the head of the file. */
export class OpenWindowStore<K, V> extends WindowedStore<K, V> implements WindowStore<K, V> {
  constructor(
    parts: ConstructorParameters<typeof WindowedStore<K, V>>[0],
    private readonly sizeMs: number,
  ) {
    super(parts);
  }

  fetch(key: K, startMs: number): V | null {
    return this.get(this.#at(key, startMs));
  }

  putAt(key: K, startMs: number, value: V | null): void {
    this.put(this.#at(key, startMs), value);
  }

  fetchBetween(key: K, fromMs: number, toMs: number, options: FetchOptions = {}) {
    return this.ofKey(key, { fromMs, toMs }, options);
  }

  fetchKeys(
    from: K | null,
    to: K | null,
    fromMs: number,
    toMs: number,
    options: FetchOptions = {},
  ) {
    return this.ofKeys({ from, to }, { fromMs, toMs }, options);
  }

  fetchAll(fromMs = 0, toMs = Infinity, options: FetchOptions = {}) {
    return this.ofKeys({ from: null, to: null }, { fromMs, toMs }, options);
  }

  #at(key: K, startMs: number): Windowed<K> {
    return { key, window: { startMs, endMs: startMs + this.sizeMs } };
  }
}
