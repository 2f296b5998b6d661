/**
 * Where earlier reads of a log ended and where its synced end lies: next offset → place. Readers
 * that go on from there need no index.
 */
export interface PlaceHint {
  readonly segmentBase: number;
  readonly position: number;
}

const HINTS_MAX = 64;

/** See the head of this file. */
export class PlaceHints {
  private readonly hints = new Map<number, PlaceHint>();

  /** The place of the batch that begins at `offset`, if it is known. */
  get(offset: number): PlaceHint | undefined {
    return this.hints.get(offset);
  }

  /** The batch at `offset` begins, or will begin, at the place. */
  note(offset: number, segmentBase: number, position: number): void {
    this.hints.delete(offset);
    this.hints.set(offset, { segmentBase, position });
    if (this.hints.size <= HINTS_MAX) return;
    for (const oldest of this.hints.keys()) {
      this.hints.delete(oldest);
      return;
    }
  }

  /** The log has been cut: places may have changed. */
  clear(): void {
    this.hints.clear();
  }
}
