/**
 * W3C Trace Context: the `traceparent` by which programs tell one another of the trace that they are
 * part of.
 *
 *     00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *     version, trace id, id of the span that speaks, flags (1: sampled)
 */

/** Where a span belongs. Ids are hex in lower case. */
export interface TraceContext {
  /** 32 digits. */
  readonly traceId: string;
  /** 16 digits: the parent of whoever is told. */
  readonly spanId: string;
  /** Whether the trace is recorded; if not, nobody is to record a part of it. */
  readonly isSampled: boolean;
}

/** Characters of version 00, and the fewest of any later one. */
export const TRACEPARENT_CHARS = 55;

const PATTERN = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 1;

/** Reads a `traceparent`; null if it is none. Of later versions what version 00 has is read. */
export function parseTraceparent(text: string): TraceContext | null {
  const [, version, traceId, spanId, flags, rest] = PATTERN.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (version === "ff" || (version === "00" && rest !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, isSampled: (parseInt(flags, 16) & SAMPLED) !== 0 };
}

/** The `traceparent` that a span tells others. */
export function traceparentOf({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}
