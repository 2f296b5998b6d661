/** What stores of time windows and of sessions have in common: values by key and window. */
import type { Serde } from "../serdes/serde.ts";
import type { StoredKeys, Windowed } from "../windows/windowed-key.ts";
import type { BytesEntry, TimeRange } from "./engine.ts";
import type { OpenStore, PutOffChange } from "./key-value-store.ts";

/** An entry of such a store. */
export type WindowedEntry<K, V> = readonly [key: Windowed<K>, value: V];

export interface FetchOptions {
  /** The latest first, of several keys the highest first. */
  readonly isReversed?: boolean;
}

/** Of these keys, as bytes, both included; null is open. */
interface KeyRange<K> {
  readonly from: K | null;
  readonly to: K | null;
}

/** What such a store is made of. */
export interface WindowedStoreParts<K, V> {
  /** By keys as `keys` writes them. */
  readonly store: OpenStore<Windowed<K>, V>;
  /** Of keys alone. */
  readonly keySerde: Serde<K>;
  readonly keys: StoredKeys;
  /** For serdes that want to know: the changelog. */
  readonly topic: string;
  /** Entries below the store in the order of their times; null: they were not asked for. */
  readonly byTime: { byTime(times: TimeRange): IterableIterator<BytesEntry> } | null;
}

/** See the head of the file. */
export class WindowedStore<K, V> implements OpenStore<Windowed<K>, V> {
  constructor(protected readonly parts: WindowedStoreParts<K, V>) {}

  get approximateCount(): number {
    return this.parts.store.approximateCount;
  }

  get(key: Windowed<K>): V | null {
    return this.parts.store.get(key);
  }

  peek(key: Windowed<K>): V | null {
    return this.parts.store.peek(key);
  }

  put(key: Windowed<K>, value: V | null): void {
    this.parts.store.put(key, value);
  }

  putIfAbsent(key: Windowed<K>, value: V): V | null {
    return this.parts.store.putIfAbsent(key, value);
  }

  delete(key: Windowed<K>): V | null {
    return this.parts.store.delete(key);
  }

  range(
    ...args: Parameters<OpenStore<Windowed<K>, V>["range"]>
  ): IterableIterator<WindowedEntry<K, V>> {
    return this.parts.store.range(...args);
  }

  all(): IterableIterator<WindowedEntry<K, V>> {
    return this.parts.store.all();
  }

  prefixScan(prefix: Uint8Array): IterableIterator<WindowedEntry<K, V>> {
    return this.parts.store.prefixScan(prefix);
  }

  scan(...args: Parameters<OpenStore<Windowed<K>, V>["scan"]>) {
    return this.parts.store.scan(...args);
  }

  read(entry: BytesEntry): WindowedEntry<K, V> {
    return this.parts.store.read(entry);
  }

  onFlush(
    listener: (change: PutOffChange<Windowed<K>, V>) => void,
    wantsBefore: () => boolean,
  ): boolean {
    return this.parts.store.onFlush(listener, wantsBefore);
  }

  flush(): void {
    this.parts.store.flush();
  }

  close(): void {
    this.parts.store.close();
  }

  /** All windows of the time, in the order of their times; of a store that is time-ordered. */
  *byTime(times: TimeRange): IterableIterator<WindowedEntry<K, V>> {
    const { byTime, store } = this.parts;
    if (byTime === null) throw new Error("the store is not time-ordered");
    // What is put off has to be in the engine, where the order is.
    store.flush();
    for (const entry of byTime.byTime(times)) yield store.read(entry);
  }

  /** Windows of a key whose time is in the range, in the order of time. */
  protected ofKey(
    key: K,
    times: TimeRange,
    { isReversed = false }: FetchOptions,
  ): IterableIterator<WindowedEntry<K, V>> {
    const { keySerde, keys, topic, store } = this.parts;
    const bytes = keySerde.serialize(key, topic);
    const length = bytes.length + keys.suffixBytes;
    const from = keys.lowest(bytes, times.fromMs);
    const to = keys.highest(bytes, times.toMs);
    // Between these are keys of other lengths as well, which begin with the same bytes.
    return store.scan({ from, to, isReversed, times }, (found) => found.length === length);
  }

  /** Windows of several keys whose time is in the range, in the order of keys, then of time. */
  protected ofKeys(
    range: KeyRange<K>,
    times: TimeRange,
    { isReversed = false }: FetchOptions,
  ): IterableIterator<WindowedEntry<K, V>> {
    const { keySerde, keys, topic, store } = this.parts;
    const [low, high] = [range.from, range.to].map((key) => {
      return key === null ? null : keySerde.serialize(key, topic);
    });
    const bounds = { from: low ?? null, to: null, isReversed, times };
    return store.scan(bounds, (found) => {
      const timeMs = keys.timeOf(found);
      if (timeMs < times.fromMs || timeMs > times.toMs) return false;
      if (low == null && high == null) return true;
      const own = found.subarray(0, found.length - keys.suffixBytes);
      if (low != null && Buffer.compare(own, low) < 0) return false;
      return high == null || Buffer.compare(own, high) <= 0;
    });
  }
}
