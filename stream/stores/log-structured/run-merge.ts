/** Makes one run of several, step by step, between commits: nothing waits for all of it. */
import type { Block } from "./block.ts";
import { compareBytes } from "./bytes-order.ts";
import { EntryView } from "./entry-format.ts";
import type { Run } from "./run.ts";
import type { RunWriter } from "./run-writer.ts";

/** So much of a run is read at once. */
const READ_BYTES = 64 * 1024;

/** So many bytes of a key are in a cursor's number, which a double holds. */
const HEAD_BYTES = 6;

/** Where a merge is in a run. */
class RunCursor {
  readonly view = new EntryView();
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  isDone = false;
  /** Bytes of the key behind those that all keys have in common: mostly they say who is first. */
  #head = 0;
  readonly #read = new Uint8Array(READ_BYTES);
  #blocks: Block[] = [];
  #nextBlock = 0;
  #block = 0;
  #entry = -1;

  /** `age`: 0 is the newest run. All keys begin with the same `common` bytes. */
  constructor(
    private readonly run: Run,
    private readonly age: number,
    private readonly common: number,
  ) {
    this.next();
  }

  /** By key, and of the same key the newest first. */
  isBefore(other: RunCursor): boolean {
    const order = this.compare(other);
    return order < 0 || (order === 0 && this.age < other.age);
  }

  compare(other: RunCursor): number {
    if (this.#head !== other.#head) return this.#head - other.#head;
    const { bytes, view } = other;
    const { keyStart, keyEnd } = this.view;
    return compareBytes(this.bytes, keyStart, keyEnd, bytes, view.keyStart, view.keyEnd);
  }

  next(): void {
    const block = this.#blocks[this.#block];
    if (block !== undefined && ++this.#entry < block.count) return this.#stand(block);
    this.#block++;
    this.#entry = 0;
    if (this.#block >= this.#blocks.length) {
      this.isDone = this.#nextBlock >= this.run.blockCount;
      if (this.isDone) return;
      this.#blocks = this.run.blocksFrom(this.#nextBlock, READ_BYTES, this.#read);
      this.#nextBlock += this.#blocks.length;
      this.#block = 0;
    }
    this.#stand(this.#blocks[this.#block]!);
  }

  #stand(block: Block): void {
    const { bytes } = block;
    const { view } = this;
    this.bytes = bytes;
    this.start = block.read(this.#entry, view);
    const from = view.keyStart + this.common;
    let head = 0;
    for (let at = from; at < from + HEAD_BYTES; at++) {
      head = head * 256 + (at < view.keyEnd ? bytes[at]! : 0);
    }
    this.#head = head;
  }
}

/** How many bytes all keys of these runs begin with. */
function commonBytes(runs: readonly Run[]): number {
  const [one, ...others] = runs.flatMap(({ firstKey, lastKey }) => [firstKey, lastKey]);
  let common = one!.length;
  for (const key of others) {
    let at = 0;
    while (at < common && at < key.length && key[at] === one![at]) at++;
    common = at;
  }
  return common;
}

/** See the head of the file. */
export class RunMerge {
  /** In their order. */
  readonly #cursors: RunCursor[];

  /**
   * `runs`: the newest first. `isOldest`: below them there is nothing, so keys that are gone need no
   * trace. Keys before `floor` are left out.
   */
  constructor(
    readonly runs: readonly Run[],
    private readonly writer: RunWriter,
    private readonly isOldest: boolean,
    private readonly floor: Uint8Array,
  ) {
    const common = commonBytes(runs);
    this.#cursors = runs.map((run, age) => new RunCursor(run, age, common))
      .filter(({ isDone }) => !isDone)
      .sort((one, other) => one.isBefore(other) ? -1 : 1);
  }

  /** Reads so many bytes more. True: that was all of them. Throws `CorruptStoreError`, `DiskError`. */
  step(bytes: number): boolean {
    let rest = bytes;
    while (rest > 0) {
      const first = this.#cursors[0];
      if (first === undefined) {
        this.writer.finish();
        return true;
      }
      const { view } = first;
      rest -= view.end - first.start;
      if (!this.#isLeftOut(first)) this.writer.add(first.bytes, first.start, view);
      // Older values of the same key.
      while (this.#cursors.length > 1 && this.#cursors[1]!.compare(first) === 0) this.#advance(1);
      this.#advance(0);
    }
    return false;
  }

  /** Has a cursor go on, to its new place among those behind it. */
  #advance(index: number): void {
    const cursors = this.#cursors;
    const cursor = cursors[index]!;
    cursor.next();
    if (cursor.isDone) return void cursors.splice(index, 1);
    let at = index;
    while (at + 1 < cursors.length && cursors[at + 1]!.isBefore(cursor)) {
      cursors[at] = cursors[at + 1]!;
      at++;
    }
    cursors[at] = cursor;
  }

  #isLeftOut({ bytes, view }: RunCursor): boolean {
    if (this.isOldest && view.isGone) return true;
    const { floor } = this;
    if (floor.length === 0) return false;
    return compareBytes(bytes, view.keyStart, view.keyEnd, floor, 0, floor.length) < 0;
  }
}
