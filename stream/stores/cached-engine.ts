/**
 * Gathers changes of keys until they are flushed, at a commit or where memory runs short: of several
 * changes of a key only the last one goes to the store, its changelog and the nodes behind it
 * (Kafka's `CachingKeyValueStore`, `NamedCache`). A key that came and went meanwhile was never there.
 */
import type { RecordContext, RecordMoment } from "../task/record-context.ts";
import type { CacheBudget } from "./cache-budget.ts";
import type { BytesEntry, BytesRange, StoreEngine } from "./engine.ts";
import { byCodeUnits, bytesOf, textOf } from "./key-text.ts";

/** A change that is flushed. `before` is what the store had. */
export interface FlushedChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  readonly before: Uint8Array | null;
  /** What the record was that has made the change. */
  readonly moment: RecordMoment;
}

export type FlushListener = (change: FlushedChange) => void;

interface Entry {
  readonly value: Uint8Array | null;
  /** Null: it is as in the store. */
  readonly changed: RecordMoment | null;
}

/** What an entry takes besides its bytes, about. */
const ENTRY_BYTES = 100;

function sizeOf(key: string, { value }: Entry): number {
  return key.length + (value?.length ?? 0) + ENTRY_BYTES;
}

/** See the head of the file. */
export class CachedEngine implements StoreEngine {
  /** By key as text; what was used last stands last. */
  readonly #entries = new Map<string, Entry>();
  /** Keys that were changed, what was changed last stands last. */
  readonly #changed = new Set<string>();
  #bytes = 0;
  #listener: FlushListener | null = null;

  constructor(
    private readonly engine: StoreEngine,
    private readonly context: RecordContext,
    private readonly budget: CacheBudget,
  ) {
    budget.add(this);
  }

  /** Has somebody hear of changes as they are flushed: the node that makes them, for those behind it. */
  onFlush(listener: FlushListener): void {
    this.#listener = listener;
  }

  /** What it holds, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  get approximateCount(): number {
    return this.engine.approximateCount;
  }

  get(key: Uint8Array): Uint8Array | null {
    const text = textOf(key);
    const known = this.#entries.get(text);
    const entry = known ?? { value: this.engine.get(key), changed: null };
    this.#set(text, entry);
    this.budget.keep();
    return entry.value;
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    const text = textOf(key);
    this.#changed.delete(text);
    this.#changed.add(text);
    this.#set(text, { value: value?.slice() ?? null, changed: this.context.now });
    this.budget.keep();
  }

  *range(range: BytesRange): IterableIterator<BytesEntry> {
    const from = range.from === null ? "" : textOf(range.from);
    const to = range.to === null ? null : textOf(range.to);
    const own = [...this.#changed].filter((key) => key >= from && (to === null || key <= to));
    const sign = range.isReversed === true ? -1 : 1;
    own.sort((one, other) => sign * byCodeUnits(one, other));
    let next = 0;
    for (const entry of this.engine.range(range)) {
      const text = textOf(entry[0]);
      for (; next < own.length && sign * byCodeUnits(own[next]!, text) < 0; next++) {
        yield* this.#entryOf(own[next]!);
      }
      if (own[next] === text) yield* this.#entryOf(own[next++]!);
      else yield entry;
    }
    for (; next < own.length; next++) yield* this.#entryOf(own[next]!);
  }

  /** Gives all changes on, in the order of the last change of each key. */
  flush(): void {
    // Nodes behind may change this store again: those changes are for the next time.
    const keys = [...this.#changed];
    this.#changed.clear();
    for (const text of keys) {
      const entry = this.#entries.get(text)!;
      this.#entries.set(text, { value: entry.value, changed: null });
      this.#flushOne(bytesOf(text), entry.value, entry.changed!);
    }
  }

  /** Lets go of what was not used for longest; if that is a change, all changes are flushed before. */
  evict(): void {
    const [eldest] = this.#entries;
    if (eldest === undefined) return;
    const [text] = eldest;
    if (this.#changed.has(text)) this.flush();
    // Nodes behind may have changed it again.
    if (this.#changed.has(text)) return;
    this.#remove(text);
  }

  close(): void {
    this.budget.remove(this);
    this.engine.close();
  }

  #flushOne(key: Uint8Array, value: Uint8Array | null, moment: RecordMoment): void {
    if (this.#listener === null) return this.context.at(moment, () => this.engine.put(key, value));
    const before = this.engine.get(key);
    if (value === null && before === null) return;
    this.context.at(moment, () => {
      this.engine.put(key, value);
      this.#listener!({ key, value, before, moment });
    });
  }

  *#entryOf(text: string): IterableIterator<BytesEntry> {
    const value = this.#entries.get(text)?.value ?? null;
    if (value !== null) yield [bytesOf(text), value];
  }

  #set(text: string, entry: Entry): void {
    this.#remove(text);
    this.#entries.set(text, entry);
    this.#grow(sizeOf(text, entry));
  }

  #remove(text: string): void {
    const entry = this.#entries.get(text);
    if (entry === undefined) return;
    this.#entries.delete(text);
    this.#grow(-sizeOf(text, entry));
  }

  #grow(bytes: number): void {
    this.#bytes += bytes;
    this.budget.changed(bytes);
  }
}
