/**
 * The grammar of `consume --offset`: a point, or a range of two points.
 *
 *     start  end          the first record kept; the next one to arrive (also oldest, newest, …)
 *     +10    -10          ten after the start; ten before the end
 *     42                  that offset
 *     @TIME               the first record at or after TIME (`time.ts`)
 *     42:50  :end  +5:    from inclusive, until exclusive; a missing one is start, or no end
 *     42-50               the same between plain offsets, as rpk has it
 *     @TIME:TIME  @TIME:1h  @TIME:end  @:TIME
 *     yesterday..-1h      two dots do as the colon does, which times have in them too
 *
 * The @ may be missing where TIME is no plain number. Between times a duration on the right counts
 * from the time on its left. A time in the future is the end.
 */
import { durationMs, parseTime, TIME_FORMS } from "./time.ts";
import type { TimeContext } from "./time.ts";

/** A place in a partition, not yet resolved to an offset. */
export type OffsetPoint =
  | { readonly kind: "start"; readonly plus: bigint }
  | { readonly kind: "end"; readonly minus: bigint }
  | { readonly kind: "offset"; readonly offset: bigint }
  | { readonly kind: "time"; readonly timestampMs: number };

/** What to consume: from `from` inclusive until `until` exclusive; null is without end. */
export interface OffsetRange {
  readonly from: OffsetPoint;
  readonly until: OffsetPoint | null;
}

/** The text is no offset; the message says what one looks like. */
export class OffsetSyntaxError extends Error {
  override readonly name = "OffsetSyntaxError";
}

/**
 * Parses the argument of `--offset`; `nowMs` is the wall clock, `utc` makes UTC the zone of times that
 * name none. Throws `OffsetSyntaxError`.
 */
export function parseOffsetRange(text: string, nowMs: number, utc = false): OffsetRange {
  const context = { nowMs, utc };
  const trimmed = text.trim();
  const range = offsetRange(trimmed) ?? timeRange(trimmed.replace(/^@/, ""), context);
  if (range !== null && isBackwards(range)) {
    throw new OffsetSyntaxError(`the range "${text}" ends before it begins: swap the two`);
  }
  if (range !== null) return range;
  throw new OffsetSyntaxError(
    `"${text}" is no offset: use start, end, 42, +10, -10, a time (${TIME_FORMS}; a number needs ` +
      "@ before it), or a range such as 42:50, :end or -1h:end",
  );
}

/** One place: no range. Throws `OffsetSyntaxError`. */
export function parseOffsetPoint(text: string, nowMs: number, utc = false): OffsetPoint {
  const trimmed = text.trim();
  const point = offsetPoint(trimmed) ?? timePoint(trimmed.replace(/^@/, ""), { nowMs, utc });
  if (point !== null) return point;
  throw new OffsetSyntaxError(
    `"${text}" is no place in a topic: use start, end, 42, +10, -10 or a time (${TIME_FORMS}; a ` +
      "number needs @ before it)",
  );
}

/** As far as that shows without looking at a partition. */
function isBackwards({ from, until }: OffsetRange): boolean {
  if (until === null) return false;
  if (from.kind === "offset" && until.kind === "offset") return until.offset < from.offset;
  if (from.kind === "time" && until.kind === "time") return until.timestampMs < from.timestampMs;
  if (from.kind === "start" && until.kind === "start") return until.plus < from.plus;
  return from.kind === "end" && until.kind === "end" && until.minus > from.minus;
}

const START: OffsetPoint = { kind: "start", plus: 0n };

function offsetRange(text: string): OffsetRange | null {
  if (text.startsWith("@")) return null;
  const [, first, last] = /^(\d{1,18})-(\d{1,18})$/.exec(text) ?? [];
  if (first !== undefined && last !== undefined) {
    return {
      from: { kind: "offset", offset: BigInt(first) },
      until: { kind: "offset", offset: BigInt(last) },
    };
  }
  const split = /:|\.\./.exec(text);
  if (split === null) {
    const from = offsetPoint(text);
    return from === null ? null : { from, until: null };
  }
  const left = text.slice(0, split.index);
  const right = text.slice(split.index + split[0].length);
  const from = left === "" ? START : offsetPoint(left);
  const until = right === "" ? null : offsetPoint(right);
  if (from === null || (right !== "" && until === null)) return null;
  return { from, until };
}

function offsetPoint(text: string): OffsetPoint | null {
  if (text === "start" || text === "oldest" || text === "beginning" || text === "earliest") {
    return START;
  }
  if (text === "end" || text === "newest" || text === "latest") return { kind: "end", minus: 0n };
  const match = /^([+-]?)(\d{1,18})$/.exec(text);
  if (match === null) return null;
  const count = BigInt(match[2]!);
  if (match[1] === "+") return { kind: "start", plus: count };
  if (match[1] === "-") return { kind: "end", minus: count };
  return { kind: "offset", offset: count };
}

/** Times have colons of their own, so each colon is tried as the one between the two times. */
function timeRange(text: string, context: TimeContext): OffsetRange | null {
  const single = timePoint(text, context);
  if (single !== null) return { from: single, until: null };
  for (const split of text.matchAll(/:|\.\./g)) {
    const left = text.slice(0, split.index);
    const from = left === "" ? START : timePoint(left, context);
    if (from === null) continue;
    const right = text.slice(split.index + split[0].length).replace(/^@/, "");
    if (right === "") return { from, until: null };
    const lengthMs = durationMs(right);
    const until = lengthMs !== null && from.kind === "time"
      ? { kind: "time", timestampMs: from.timestampMs + lengthMs } as const
      : timePoint(right, context);
    if (until !== null) return { from, until };
  }
  return null;
}

function timePoint(text: string, context: TimeContext): OffsetPoint | null {
  if (text === "start" || text === "end") return offsetPoint(text);
  const timestampMs = parseTime(text, context);
  return timestampMs === null ? null : { kind: "time", timestampMs };
}
