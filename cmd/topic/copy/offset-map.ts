/** Places in a source's partition, as those of groups, and where they are in its copy. */
export class OffsetMap {
  readonly #waiting: number[];
  readonly #found = new Map<number, number>();

  constructor(wanted: readonly number[]) {
    this.#waiting = [...new Set(wanted)].sort((a, b) => a - b);
  }

  /** Whether any place up to this offset is yet to be found. */
  wants(offset: number): boolean {
    return this.#waiting.length > 0 && this.#waiting[0]! <= offset;
  }

  /** Takes the places up to this offset out of those that are to be found. */
  upTo(offset: number): number[] {
    const end = this.#waiting.findIndex((each) => each > offset);
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end);
  }

  set(offset: number, found: number): void {
    this.#found.set(offset, found);
  }

  /** Undefined if it lies behind all that was copied. */
  get(offset: number): number | undefined {
    return this.#found.get(offset);
  }
}
