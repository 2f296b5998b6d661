/**
 * Sends spans to an OpenTelemetry collector: OTLP over HTTP, protobuf's JSON. A batch that may be sent
 * again is, until the collector takes it; meanwhile spans gather in their bounded queue.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Span, SpanKind } from "../../broker/tracing/span.ts";
import type { Tracing } from "../../broker/tracing/tracing.ts";
import { sleep } from "../../core/io.ts";
import { Backoff } from "./backoff.ts";
import { Collector } from "./collector.ts";
import { attribute, brokerResource, nanos } from "./encoding.ts";

/** How often spans that wait are sent. */
const INTERVAL_MS = 500;
/** Spans of one request. */
const BATCH_MAX = 512;

/** The conventions of which the names of attributes are. */
const SCHEMA_URL = "https://opentelemetry.io/schemas/1.45.0";
/** `Status.STATUS_CODE_ERROR` */
const STATUS_ERROR = 2;
/** The trace is sampled; whether the parent is of another process is known: it is. */
const FLAGS = 0x301;
/** `Span.SpanKind` */
const KINDS: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2 };

/** Sends until the broker stops, then what is left; resolves then. Never rejects. */
export async function exportTraces(
  broker: Broker,
  tracing: Tracing,
  version: string,
): Promise<void> {
  const { io: { clock }, stopping } = broker;
  const collector = new Collector(broker, "/v1/traces", "spans");
  const exporter = new TraceExporter(tracing, collector, broker, version);
  const backoff = new Backoff(INTERVAL_MS);
  while (!stopping.aborted) {
    await sleep(clock, backoff.waitMs, stopping).catch(() => {});
    if (!stopping.aborted) backoff.note(await exporter.drain());
  }
  await exporter.drain();
}

class TraceExporter {
  /** Taken out of the queue and not sent yet. */
  #batch: readonly Span[] = [];

  constructor(
    private readonly tracing: Tracing,
    private readonly collector: Collector,
    private readonly broker: Broker,
    private readonly version: string,
  ) {}

  /** Sends all that waits; false: the collector takes nothing at the moment. */
  async drain(): Promise<boolean> {
    const { tracing, collector } = this;
    for (;;) {
      if (this.#batch.length === 0) this.#batch = tracing.take(BATCH_MAX);
      if (this.#batch.length === 0) return true;
      const body = JSON.stringify(traceRequest(this.#batch, this.broker, this.version));
      const delivery = await collector.send(body, "application/json");
      if (!delivery.ok && delivery.mayRetry) return false;
      const refused = delivery.ok ? refusedOf(delivery.answer) : this.#batch.length;
      tracing.refused += refused;
      tracing.exported += Math.max(0, this.#batch.length - refused);
      this.#batch = [];
    }
  }
}

/** How many spans of a request the collector has refused: `ExportTracePartialSuccess`. */
function refusedOf(answer: string): number {
  try {
    const parsed: unknown = JSON.parse(answer);
    if (!isRecord(parsed) || !isRecord(parsed["partialSuccess"])) return 0;
    const count = Number(parsed["partialSuccess"]["rejectedSpans"] ?? 0);
    return Number.isSafeInteger(count) && count > 0 ? count : 0;
  } catch {
    // Collectors may answer with nothing, or in a form of their own.
    return 0;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** One `ExportTraceServiceRequest`. */
export function traceRequest(spans: readonly Span[], broker: Broker, version: string): object {
  const scopeSpans = [{
    scope: { name: "kstream", version },
    spans: spans.map(encodeSpan),
    schemaUrl: SCHEMA_URL,
  }];
  return { resourceSpans: [{ resource: brokerResource(broker, version), scopeSpans }] };
}

function encodeSpan(span: Span): object {
  const { traceId, spanId, parentSpanId, traceState, name, error } = span;
  return {
    traceId,
    spanId,
    parentSpanId,
    ...(traceState !== "" && { traceState }),
    flags: FLAGS,
    name,
    kind: KINDS[span.kind],
    startTimeUnixNano: nanos(span.startMs),
    endTimeUnixNano: nanos(span.endMs),
    attributes: Object.entries(span.attributes).map(([key, value]) => attribute(key, value)),
    ...(error !== null && { status: { code: STATUS_ERROR, message: error } }),
  };
}
