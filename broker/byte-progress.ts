/** Bytes appended up to `endOffset`, while readers may not see all of them. */
interface PendingBytes {
  readonly endOffset: number;
  readonly totalBytes: number;
}

/** Counts the bytes that readers may see, as the end of what they may see moves on. */
export class ByteProgress {
  #appendedBytes = 0;
  #reachedBytes = 0;
  #reachedOffset = 0;
  #pending: PendingBytes[] = [];

  /** Bytes that became visible since the start; only differences mean something. */
  get reachedBytes(): number {
    return this.#reachedBytes;
  }

  /** A batch has been appended; the log now ends at `endOffset`. */
  note(endOffset: number, bytes: number): void {
    this.#appendedBytes += bytes;
    this.#pending.push({ endOffset, totalBytes: this.#appendedBytes });
  }

  /** Readers may now see what is below `offset`, which never goes back. */
  reach(offset: number): void {
    if (offset <= this.#reachedOffset) return;
    this.#reachedOffset = offset;
    const pending = this.#pending;
    let reached = 0;
    while (reached < pending.length && pending[reached]!.endOffset <= offset) reached++;
    if (reached === 0) return;
    this.#reachedBytes = pending[reached - 1]!.totalBytes;
    if (reached === pending.length) this.#pending = [];
    else pending.splice(0, reached);
  }
}
