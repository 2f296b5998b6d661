/** The segments of one log, ascending by base offset. */
import { assert } from "../core/assert.ts";
import type { Segment } from "./segment.ts";

/** See the head of this file. */
export class SegmentList {
  constructor(private readonly list: Segment[]) {}

  get all(): readonly Segment[] {
    return this.list;
  }

  get count(): number {
    return this.list.length;
  }

  /** Bytes of all `.log` files. */
  get sizeBytes(): number {
    let sum = 0;
    for (const segment of this.list) sum += segment.sizeBytes;
    return sum;
  }

  /** The segment that is appended to; null as long as nothing has been appended. */
  get active(): Segment | null {
    return this.list.at(-1) ?? null;
  }

  /** Adds a new active segment. */
  push(segment: Segment): void {
    const last = this.list.at(-1);
    assert(last === undefined || last.baseOffset < segment.baseOffset, "segments ascend");
    this.list.push(segment);
  }

  /** Index of the segment that holds `offset` if any does: the last that starts at or before it. */
  indexFor(offset: number): number {
    let low = 0;
    let high = this.list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.list[middle]!.baseOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The segment at an index, or null. */
  at(index: number): Segment | null {
    return this.list[index] ?? null;
  }

  /** Whether these segments are part of the log, one right after the other. */
  hasRun(run: readonly Segment[]): boolean {
    const index = this.list.indexOf(run[0]!);
    return index >= 0 && run.every((one, at) => this.list[index + at] === one);
  }

  /** Puts a segment in the place of a run of others. */
  replace(run: readonly Segment[], by: Segment): void {
    assert(this.hasRun(run), "what is replaced is there");
    this.list.splice(this.list.indexOf(run[0]!), run.length, by);
  }

  /** Puts segments in front of all others. */
  unshift(segments: readonly Segment[]): void {
    const all = [...segments, ...this.list];
    assert(
      all.every((one, i) => i === 0 || all[i - 1]!.baseOffset < one.baseOffset),
      "they ascend",
    );
    this.list.unshift(...segments);
  }

  /** Takes the first `count` segments out. */
  removeFirst(count: number): Segment[] {
    return this.list.splice(0, count);
  }

  /** Takes all segments from `index` on out. */
  removeFrom(index: number): Segment[] {
    return this.list.splice(index);
  }
}
