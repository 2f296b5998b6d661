/** What is told of one step of a trace, by OpenTelemetry's model. */

/** What a span is to its neighbours: `SpanKind`. */
export type SpanKind = "internal" | "server";

/** Names as in OpenTelemetry's semantic conventions, 1.45. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A span that has ended. Ids are hex, times milliseconds since 1970 with a fraction. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  /** The W3C `tracestate` that came with the parent, or "". */
  readonly traceState: string;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
  /** Why it failed; null: it did not. */
  readonly error: string | null;
}
