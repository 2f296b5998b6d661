/** Makes one run of several, step by step, between commits: nothing waits for all of it. */
import type { Block } from "./block.ts";
import { compareBytes } from "./bytes-order.ts";
import { EntryView } from "./entry-format.ts";
import type { Run } from "./run.ts";
import type { RunWriter } from "./run-writer.ts";

/** So much of a run is read at once. */
const READ_BYTES = 256 * 1024;

/** Where a merge is in a run. */
class RunCursor {
  readonly view = new EntryView();
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  isDone = false;
  #blocks: Block[] = [];
  #nextBlock = 0;
  #block = 0;
  #entry = -1;

  constructor(private readonly run: Run) {
    this.next();
  }

  next(): void {
    const block = this.#blocks[this.#block];
    if (block !== undefined && ++this.#entry < block.count) return this.#read(block);
    this.#block++;
    this.#entry = 0;
    if (this.#block >= this.#blocks.length) {
      this.isDone = this.#nextBlock >= this.run.blockCount;
      if (this.isDone) return;
      this.#blocks = this.run.blocksFrom(this.#nextBlock, READ_BYTES);
      this.#nextBlock += this.#blocks.length;
      this.#block = 0;
    }
    this.#read(this.#blocks[this.#block]!);
  }

  #read(block: Block): void {
    this.bytes = block.bytes;
    this.start = block.read(this.#entry, this.view);
  }
}

function compareCursors(one: RunCursor, other: RunCursor): number {
  const { keyStart, keyEnd } = other.view;
  return compareBytes(
    one.bytes,
    one.view.keyStart,
    one.view.keyEnd,
    other.bytes,
    keyStart,
    keyEnd,
  );
}

/** See the head of the file. */
export class RunMerge {
  #cursors: RunCursor[];
  #lastKey: Uint8Array = new Uint8Array(0);

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
    this.#cursors = runs.map((run) => new RunCursor(run)).filter(({ isDone }) => !isDone);
  }

  /** Reads so many bytes more. True: that was all of them. Throws `CorruptStoreError`, `DiskError`. */
  step(bytes: number): boolean {
    let rest = bytes;
    while (rest > 0) {
      const first = this.#lowest();
      if (first === null) {
        this.writer.finish(this.#lastKey);
        return true;
      }
      const { view } = first;
      rest -= view.end - first.start;
      if (!this.#isLeftOut(first)) {
        this.writer.add(first.bytes, first.start, view);
        this.#lastKey = first.bytes.subarray(view.keyStart, view.keyEnd);
      }
      this.#advance(first);
    }
    return false;
  }

  /** Of the same key the newest; older ones are passed by. */
  #lowest(): RunCursor | null {
    let lowest: RunCursor | null = null;
    for (let index = 0; index < this.#cursors.length; index++) {
      const cursor = this.#cursors[index]!;
      const order = lowest === null ? -1 : compareCursors(cursor, lowest);
      if (order < 0) lowest = cursor;
      else if (order === 0) {
        cursor.next();
        if (cursor.isDone) this.#cursors.splice(index--, 1);
        else index--;
      }
    }
    return lowest;
  }

  #advance(cursor: RunCursor): void {
    cursor.next();
    if (cursor.isDone) this.#cursors = this.#cursors.filter((each) => each !== cursor);
  }

  #isLeftOut({ bytes, view }: RunCursor): boolean {
    if (this.isOldest && view.isGone) return true;
    const { floor } = this;
    if (floor.length === 0) return false;
    return compareBytes(bytes, view.keyStart, view.keyEnd, floor, 0, floor.length) < 0;
  }
}
