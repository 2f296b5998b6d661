/**
 * What was put lately, in memory: entries one after the other in a buffer, found by a hash table, and
 * put in order only when somebody asks for ranges. No object is made for an entry, so that millions cost
 * the garbage collector nothing. What is behind `markBytes` is not committed yet; it may be written over
 * in place, what is before it is in the log as it is.
 */
import sorted from "sorted-btree";
import { copyOf } from "../small-bytes.ts";
import { compareBytes, hashOf } from "./bytes-order.ts";
import { ENTRY_HEADER_BYTES_MAX, EntryView, writeEntry } from "./entry-format.ts";
import { sortedEntries } from "./entry-sort.ts";

/** Of this CommonJS module Bun's default is the class, Node's and that of the types all exports. */
const BTree =
  ((sorted as { readonly default?: unknown }).default ?? sorted) as typeof sorted.default;

const FIRST_BYTES = 4096;
const FIRST_SLOTS = 64;
/** So many new keys are put in order in any case, once somebody has asked for ranges. */
const UNASKED_MAX = 1000;
/** Stands for the key that is looked for, among numbers of entries. */
const PROBE = -1;

/** See the head of the file. */
export class WriteBuffer {
  #bytes = new Uint8Array(FIRST_BYTES);
  #end = 0;
  #markBytes = 0;
  /** Entries are numbered in the order of their keys' first coming. */
  #count = 0;
  #goneCount = 0;
  /** By number: where its latest value is. */
  #starts = new Uint32Array(FIRST_SLOTS);
  #hashes = new Int32Array(FIRST_SLOTS);
  /** Open addressing: numbers + 1, 0 where it is free. */
  #slots = new Uint32Array(FIRST_SLOTS * 2);
  #order: InstanceType<typeof BTree<number, undefined>> | null = null;
  /** New keys since somebody asked for a range. */
  #unaskedCount = 0;
  #probe: Uint8Array = new Uint8Array(0);
  #readers = 0;
  readonly #view = new EntryView();
  readonly #otherView = new EntryView();

  /** Bytes of all that was put, overwritten values included. */
  get sizeBytes(): number {
    return this.#end;
  }

  /** Keys that have a value here, or are gone. */
  get count(): number {
    return this.#count;
  }

  /** Those of them that are gone. */
  get goneCount(): number {
    return this.#goneCount;
  }

  get uncommittedBytes(): number {
    return this.#end - this.#markBytes;
  }

  /** What was put since the last `commit`, as entries; a view. */
  uncommitted(): Uint8Array {
    return this.#bytes.subarray(this.#markBytes, this.#end);
  }

  commit(): void {
    this.#markBytes = this.#end;
  }

  /** Somebody goes through it, until as many have let go of it. */
  retain(): void {
    this.#readers++;
  }

  release(): void {
    this.#readers--;
  }

  /**
   * An empty one: this one with its memory, unless somebody goes through it, or it has grown beyond
   * `bytesMax`. What becomes garbage by the dozen of megabytes stays long with the process.
   */
  emptied(bytesMax: number): WriteBuffer {
    if (this.#readers > 0 || this.#bytes.length > bytesMax) return new WriteBuffer();
    this.#end =
      this.#markBytes =
      this.#count =
      this.#goneCount =
      this.#unaskedCount =
        0;
    this.#slots.fill(0);
    this.#order = null;
    return this;
  }

  /** A copy of the value; null: the key is gone; undefined: it is not here. */
  get(key: Uint8Array, hash: number): Uint8Array | null | undefined {
    const number = this.#find(key, hash);
    if (number < 0) return undefined;
    this.#view.read(this.#bytes, this.#starts[number]!);
    return this.#view.valueOf(this.#bytes);
  }

  put(key: Uint8Array, hash: number, value: Uint8Array | null): void {
    const number = this.#find(key, hash);
    if (number < 0) return this.#insert(key, hash, value);
    const start = this.#starts[number]!;
    const view = this.#view;
    view.read(this.#bytes, start);
    this.#goneCount += (value === null ? 1 : 0) - (view.isGone ? 1 : 0);
    if (start >= this.#markBytes && view.valueLength === (value?.length ?? -1)) {
      if (value !== null) this.#bytes.set(value, view.keyEnd);
      return;
    }
    this.#starts[number] = this.#append(key, value);
  }

  /** Puts entries that were written by another buffer. Throws `RangeError` where they are none. */
  putAll(entries: Uint8Array): void {
    const view = new EntryView();
    for (let at = 0; at < entries.length; at = view.end) {
      view.read(entries, at);
      if (!(view.end <= entries.length)) throw new RangeError("an entry ends too late");
      const key = entries.subarray(view.keyStart, view.keyEnd);
      const value = view.isGone ? null : entries.subarray(view.keyEnd, view.end);
      this.put(key, hashOf(entries, view.keyStart, view.keyEnd), value);
    }
  }

  /** Where entries are in `bytes`, by key. Both hold until something is put. */
  inOrder(): { readonly bytes: Uint8Array; readonly starts: Uint32Array } {
    return { bytes: this.#bytes, starts: sortedEntries(this.#bytes, this.#starts, this.#count) };
  }

  /** Numbers of entries from `from` on (null: the first), or down from it (null: the last). */
  seek(from: Uint8Array | null, isReversed: boolean): number | null {
    const order = this.#ordered();
    if (from === null) return (isReversed ? order.maxKey() : order.minKey()) ?? null;
    this.#probe = from;
    const pair = isReversed ? order.getPairOrNextLower(PROBE) : order.getPairOrNextHigher(PROBE);
    return pair?.[0] ?? null;
  }

  /** The entry behind another, or before it. What was put meanwhile may come. */
  next(number: number, isReversed: boolean): number | null {
    const order = this.#ordered();
    return (isReversed ? order.nextLowerKey(number) : order.nextHigherKey(number)) ?? null;
  }

  keyOf(number: number): Uint8Array {
    this.#view.read(this.#bytes, this.#starts[number]!);
    return copyOf(this.#bytes, this.#view.keyStart, this.#view.keyEnd);
  }

  /** A copy; null: the key is gone. */
  valueOf(number: number): Uint8Array | null {
    this.#view.read(this.#bytes, this.#starts[number]!);
    return this.#view.valueOf(this.#bytes);
  }

  #find(key: Uint8Array, hash: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask;; slot = (slot + 1) & mask) {
      const number = this.#slots[slot]! - 1;
      if (number < 0) return -1;
      if (this.#hashes[number] !== hash) continue;
      const view = this.#view;
      view.read(this.#bytes, this.#starts[number]!);
      const { keyStart, keyEnd } = view;
      if (compareBytes(this.#bytes, keyStart, keyEnd, key, 0, key.length) === 0) return number;
    }
  }

  #insert(key: Uint8Array, hash: number, value: Uint8Array | null): void {
    if ((this.#count + 1) * 2 > this.#slots.length) this.#growTable();
    const number = this.#count++;
    this.#starts[number] = this.#append(key, value);
    this.#hashes[number] = hash;
    this.#take(number, hash);
    if (value === null) this.#goneCount++;
    if (this.#order === null) return;
    // To put it in order again later costs as much as was put without anybody asking for ranges.
    if (++this.#unaskedCount > Math.max(number / 2, UNASKED_MAX)) this.#order = null;
    else this.#order.set(number, undefined);
  }

  #take(number: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = number + 1;
  }

  #append(key: Uint8Array, value: Uint8Array | null): number {
    const start = this.#end;
    const needed = start + key.length + (value?.length ?? 0) + ENTRY_HEADER_BYTES_MAX;
    if (needed > this.#bytes.length) this.#growBytes(needed);
    this.#end = writeEntry(this.#bytes, start, key, value);
    return start;
  }

  #growBytes(needed: number): void {
    const bytes = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    bytes.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = bytes;
  }

  #growTable(): void {
    const slots = this.#slots.length * 2;
    const starts = new Uint32Array(slots / 2);
    starts.set(this.#starts);
    this.#starts = starts;
    const hashes = new Int32Array(slots / 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    this.#slots = new Uint32Array(slots);
    for (let number = 0; number < this.#count; number++) this.#take(number, hashes[number]!);
  }

  #ordered(): InstanceType<typeof BTree<number, undefined>> {
    this.#unaskedCount = 0;
    if (this.#order !== null) return this.#order;
    const order = new BTree<number, undefined>([], (one, other) => this.#compare(one, other));
    for (let number = 0; number < this.#count; number++) order.set(number, undefined);
    return this.#order = order;
  }

  #compare(one: number, other: number): number {
    if (one === other) return 0;
    if (one === PROBE) return -this.#compareToProbe(other);
    if (other === PROBE) return this.#compareToProbe(one);
    const bytes = this.#bytes;
    const otherView = this.#otherView;
    this.#view.read(bytes, this.#starts[one]!);
    otherView.read(bytes, this.#starts[other]!);
    const { keyStart, keyEnd } = this.#view;
    return compareBytes(bytes, keyStart, keyEnd, bytes, otherView.keyStart, otherView.keyEnd);
  }

  #compareToProbe(number: number): number {
    const view = this.#view;
    view.read(this.#bytes, this.#starts[number]!);
    const { keyStart, keyEnd } = view;
    return compareBytes(this.#bytes, keyStart, keyEnd, this.#probe, 0, this.#probe.length);
  }
}
