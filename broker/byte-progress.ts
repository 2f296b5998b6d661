/** The bytes appended until the log ended at `endOffset`. */
interface Mark {
  readonly endOffset: number;
  readonly totalBytes: number;
}

/** More marks than this are thinned out: an open transaction may hold back any number of batches. */
const MARKS_MAX = 1024;

/**
 * Counts the bytes that readers may see, as the end of what they may see moves on. While that end
 * is far behind, the marks in between get fewer, and bytes between two marks are taken to lie
 * evenly over the offsets.
 */
export class ByteProgress {
  #appendedBytes = 0;
  /** Where readers are: what `reachedBytes` was counted up to. */
  #reached: Mark;
  #ahead: Mark[] = [];

  /** Nothing below `endOffset`, where the log ends now, counts. */
  constructor(endOffset: number) {
    this.#reached = { endOffset, totalBytes: 0 };
  }

  /** Bytes that became visible since the start; only differences mean something. */
  get reachedBytes(): number {
    return this.#reached.totalBytes;
  }

  /** How many marks are kept. */
  get markCount(): number {
    return this.#ahead.length;
  }

  /** A batch has been appended; the log now ends at `endOffset`. */
  note(endOffset: number, bytes: number): void {
    this.#appendedBytes += bytes;
    this.#ahead.push({ endOffset, totalBytes: this.#appendedBytes });
    if (this.#ahead.length <= MARKS_MAX) return;
    // The last one stays: it says where the log ends.
    const last = this.#ahead.length - 1;
    this.#ahead = this.#ahead.filter((_, index) => (last - index) % 2 === 0);
  }

  /** Readers may now see what is below `offset`, which never goes back. */
  reach(offset: number): void {
    if (offset <= this.#reached.endOffset) return;
    const ahead = this.#ahead;
    let passed = 0;
    while (passed < ahead.length && ahead[passed]!.endOffset <= offset) passed++;
    const before = passed === 0 ? this.#reached : ahead[passed - 1]!;
    const next = ahead[passed];
    this.#reached = { endOffset: offset, totalBytes: between(before, next, offset) };
    if (next === undefined) this.#ahead = [];
    else if (passed > 0) ahead.splice(0, passed);
  }
}

/** The bytes up to `offset`, which lies between two marks or behind the last one. */
function between(before: Mark, next: Mark | undefined, offset: number): number {
  if (next === undefined) return before.totalBytes;
  const share = (offset - before.endOffset) / (next.endOffset - before.endOffset);
  return before.totalBytes + Math.floor(share * (next.totalBytes - before.totalBytes));
}
