/** Entries of a write buffer and of runs in the order of keys, each key as the newest has it. */
import type { BytesEntry, BytesRange } from "../engine.ts";
import { copyOf } from "../small-bytes.ts";
import type { Block } from "./block.ts";
import { compareKeys } from "./bytes-order.ts";
import { EntryView } from "./entry-format.ts";
import type { Run } from "./run.ts";
import type { WriteBuffer } from "./write-buffer.ts";

/** One of those that are merged. */
interface Source {
  /** Null: there are no more. */
  key: Uint8Array | null;
  /** Null: the key is gone. */
  value(): Uint8Array | null;
  next(): void;
}

class BufferSource implements Source {
  key: Uint8Array | null = null;
  #number: number | null;

  constructor(
    private readonly buffer: WriteBuffer,
    from: Uint8Array | null,
    private readonly isReversed: boolean,
  ) {
    this.#at(this.#number = buffer.seek(from, isReversed));
  }

  value(): Uint8Array | null {
    return this.buffer.valueOf(this.#number!);
  }

  next(): void {
    this.#at(this.buffer.next(this.#number!, this.isReversed));
  }

  #at(number: number | null): void {
    this.#number = number;
    this.key = number === null ? null : this.buffer.keyOf(number);
  }
}

class RunSource implements Source {
  key: Uint8Array | null = null;
  #index: number;
  #block: Block | null = null;
  #entry = 0;
  readonly #view = new EntryView();

  constructor(
    private readonly run: Run,
    from: Uint8Array | null,
    private readonly isReversed: boolean,
  ) {
    this.#index = from === null ? (isReversed ? run.blockCount - 1 : 0) : run.blockOf(from);
    if (this.#index < 0) {
      // All begins behind: forwards at the first, backwards nothing is left.
      if (isReversed || run.blockCount === 0) return;
      this.#index = 0;
    } else if (run.blockCount === 0) return;
    const block = this.#block = run.blockAt(this.#index);
    this.#entry = from !== null
      ? block.indexFrom(from, this.#view)
      : isReversed
      ? block.count - 1
      : 0;
    if (from !== null && isReversed && !this.#isAt(from)) this.#entry--;
    this.#read();
  }

  value(): Uint8Array | null {
    return this.#view.valueOf(this.#block!.bytes);
  }

  next(): void {
    this.#entry += this.isReversed ? -1 : 1;
    this.#read();
  }

  #isAt(key: Uint8Array): boolean {
    const block = this.#block!;
    if (this.#entry === block.count) return false;
    block.read(this.#entry, this.#view);
    return block.compare(this.#view, key) === 0;
  }

  #read(): void {
    this.key = null;
    if (this.#entry < 0 || this.#entry >= this.#block!.count) {
      this.#index += this.isReversed ? -1 : 1;
      if (this.#index < 0 || this.#index >= this.run.blockCount) return;
      this.#block = this.run.blockAt(this.#index);
      this.#entry = this.isReversed ? this.#block.count - 1 : 0;
    }
    const block = this.#block!;
    block.read(this.#entry, this.#view);
    this.key = copyOf(block.bytes, this.#view.keyStart, this.#view.keyEnd);
  }
}

/** `runs`: the newest first. */
export function* mergedRange(
  buffer: WriteBuffer,
  runs: readonly Run[],
  { from, to, isReversed = false }: BytesRange,
): IterableIterator<BytesEntry> {
  const [start, end] = isReversed ? [to, from] : [from, to];
  const sign = isReversed ? -1 : 1;
  buffer.retain();
  for (const run of runs) run.retain();
  try {
    const sources: Source[] = [
      new BufferSource(buffer, start, isReversed),
      ...runs.map((run) => new RunSource(run, start, isReversed)),
    ];
    for (;;) {
      const source = firstOf(sources, sign);
      if (source === null) return;
      const key = source.key!;
      if (end !== null && sign * compareKeys(key, end) > 0) return;
      const value = source.value();
      for (const each of sources) {
        if (each.key !== null && (each === source || compareKeys(each.key, key) === 0)) each.next();
      }
      if (value !== null) yield [key, value];
    }
  } finally {
    buffer.release();
    for (const run of runs) run.release();
  }
}

/** Of equal ones the newest. */
function firstOf(sources: readonly Source[], sign: number): Source | null {
  let first: Source | null = null;
  for (const source of sources) {
    if (source.key === null) continue;
    if (first === null || sign * compareKeys(source.key, first.key!) < 0) first = source;
  }
  return first;
}
