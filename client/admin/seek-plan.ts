/** Where `group seek` moves each partition: pure, from what the brokers have told. */
import type { OffsetPoint } from "../../core/text/offset-range.ts";

/** Where to go: a place, a distance from where the group is, or what a file says. */
export type Destination =
  | OffsetPoint
  | { readonly kind: "shift"; readonly by: number }
  | { readonly kind: "file" };

/** What is known of a partition. */
export interface SeekFacts {
  readonly topic: string;
  readonly partition: number;
  /** Null where the group has none. */
  readonly currentOffset: number | null;
  readonly startOffset: number;
  readonly endOffset: number;
  /** Of the first record at or after the time that was asked for; null if no record is that young. */
  readonly timeOffset: number | null;
  /** What the file says. */
  readonly fileOffset: number | null;
}

/** A move of one partition. */
export interface Move {
  readonly topic: string;
  readonly partition: number;
  readonly currentOffset: number | null;
  readonly newOffset: number;
  /** Why it is not quite what was asked for; null if it is. */
  readonly note: string | null;
}

/** The move of a partition; null for a shift where the group has no offset to shift from. */
export function planMove(facts: SeekFacts, destination: Destination): Move | null {
  const { topic, partition, currentOffset, startOffset, endOffset } = facts;
  const isTooYoung = destination.kind === "time" && facts.timeOffset === null;
  const wanted = wantedOffset(facts, destination);
  if (wanted === null) return null;
  const newOffset = Math.min(Math.max(wanted, startOffset), endOffset);
  const note = isTooYoung
    ? "no record that young: the end"
    : newOffset > wanted
    ? `${wanted} is before the start`
    : newOffset < wanted
    ? `${wanted} is beyond the end`
    : null;
  return { topic, partition, currentOffset, newOffset, note };
}

function wantedOffset(facts: SeekFacts, destination: Destination): number | null {
  const { currentOffset, startOffset, endOffset } = facts;
  switch (destination.kind) {
    case "start":
      return startOffset + Number(destination.plus);
    case "end":
      return endOffset - Number(destination.minus);
    case "offset":
      return Number(destination.offset);
    case "time":
      return facts.timeOffset ?? endOffset;
    case "shift":
      return currentOffset === null ? null : currentOffset + destination.by;
    case "file":
      return facts.fileOffset;
  }
}
