/**
 * The grammar of `consume --offset`: a point, or a range of two points with a colon between.
 *
 *     start  end          the first record kept; the next one to arrive
 *     +10    -10          ten after the start; ten before the end
 *     42                  that offset
 *     @TIME               the first record at or after TIME
 *     42:50  :end  +5:    from inclusive, until exclusive; a missing one is start, or no end
 *     @TIME:TIME  @TIME:1h  @TIME:end
 *
 * TIME is milliseconds since 1970 (13 digits, or 0), seconds (9 or 10), a day (2026-01-31), an RFC 3339
 * time (UTC where no zone is given), or a duration before now (-1h, -90s, -2d12h). After the colon
 * of a range of times a duration without sign counts from the first time.
 */

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

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Parses the argument of `--offset`; `nowMs` is the wall clock. Throws `OffsetSyntaxError`. */
export function parseOffsetRange(text: string, nowMs: number): OffsetRange {
  const range = text.startsWith("@") ? timeRange(text.slice(1), nowMs) : offsetRange(text);
  if (range !== null) return range;
  throw new OffsetSyntaxError(
    `"${text}" is no offset: use start, end, 42, +10, -10, @TIME, or a range such as 42:50, ` +
      ":end or @-1h:end",
  );
}

function offsetRange(text: string): OffsetRange | null {
  const colon = text.indexOf(":");
  if (colon < 0) {
    const from = offsetPoint(text);
    return from === null ? null : { from, until: null };
  }
  const left = text.slice(0, colon);
  const right = text.slice(colon + 1);
  const from = left === "" ? { kind: "start", plus: 0n } as const : offsetPoint(left);
  const until = right === "" ? null : offsetPoint(right);
  if (from === null || (right !== "" && until === null)) return null;
  return { from, until };
}

function offsetPoint(text: string): OffsetPoint | null {
  if (text === "start" || text === "oldest" || text === "beginning" || text === "earliest") {
    return { kind: "start", plus: 0n };
  }
  if (text === "end" || text === "newest" || text === "latest") return { kind: "end", minus: 0n };
  const match = /^([+-]?)(\d{1,18})$/.exec(text);
  if (match === null) return null;
  const count = BigInt(match[2]!);
  if (match[1] === "+") return { kind: "start", plus: count };
  if (match[1] === "-") return { kind: "end", minus: count };
  return { kind: "offset", offset: count };
}

/** RFC 3339 has colons of its own, so each colon is tried as the one between the two times. */
function timeRange(text: string, nowMs: number): OffsetRange | null {
  const single = timePoint(text, nowMs);
  if (single !== null) return { from: single, until: null };
  for (let colon = text.indexOf(":"); colon >= 0; colon = text.indexOf(":", colon + 1)) {
    const from = timePoint(text.slice(0, colon), nowMs);
    if (from === null) continue;
    const right = text.slice(colon + 1).replace(/^@/, "");
    if (right === "") return { from, until: null };
    const lengthMs = durationMs(right);
    const until = lengthMs !== null && from.kind === "time"
      ? { kind: "time", timestampMs: from.timestampMs + lengthMs } as const
      : timePoint(right, nowMs);
    if (until !== null) return { from, until };
  }
  return null;
}

function timePoint(text: string, nowMs: number): OffsetPoint | null {
  if (text === "start" || text === "end") return offsetPoint(text);
  const timestampMs = timeMs(text, nowMs);
  return timestampMs === null ? null : { kind: "time", timestampMs };
}

function timeMs(text: string, nowMs: number): number | null {
  if (/^(?:\d{13}|0)$/.test(text)) return Number(text);
  if (/^\d{9,10}$/.test(text)) return Number(text) * 1000;
  if (text.startsWith("-")) {
    const agoMs = durationMs(text.slice(1));
    return agoMs === null ? null : nowMs - agoMs;
  }
  const date = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?)?$/;
  const match = date.exec(text);
  if (match === null) return null;
  const parsed = Date.parse(`${match[1]}T${match[2] ?? "00:00"}${match[3] ?? "Z"}`);
  return Number.isNaN(parsed) ? null : parsed;
}

/** `1h`, `90s`, `2d12h`, `500ms`; null if it is none. */
export function durationMs(text: string): number | null {
  if (!/^(?:\d{1,9}(?:ms|s|m|h|d))+$/.test(text)) return null;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) {
    total += Number(count) * UNIT_MS[unit!]!;
  }
  return total;
}
