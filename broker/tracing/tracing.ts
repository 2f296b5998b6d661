/**
 * Spans of what this broker does for traces of others: it begins none itself. Ended spans wait in a
 * bounded queue for whoever sends them (`admin/otlp/traces.ts`); what finds no room is counted. To look
 * for contexts in records takes a bounded part of the time of the process: beyond it batches are not
 * looked at, and counted.
 */
import type { Codecs } from "../../core/compression/codec.ts";
import type { Clock, Io, Random } from "../../core/io.ts";
import type { TraceContext } from "../../core/trace-context.ts";
import type { BrokerConfig } from "../config/broker-config.ts";
import { type TracedRecord, tracedRecords } from "./record-contexts.ts";
import type { Span } from "./span.ts";

/** Spans that wait to be sent. */
const WAITING_MAX = 8192;
/** The part of the time that looking into batches may take, and how much of it can be saved up. */
const LOOK_SHARE = 0.05;
const LOOK_MS_MAX = 50;
/** Bits of a trace id that chance has made, as its lowest 14 hex digits hold them. */
const CHANCE_DIGITS = 14;
const CHANCE_RANGE = 2 ** 56;
const SPAN_ID_BYTES = 8;

/** A step that goes on. */
export interface OpenSpan {
  readonly parent: TraceContext;
  readonly traceState: string;
  readonly spanId: string;
  readonly startMs: number;
}

/** Why batches were not looked at, or not to their end. */
export interface SkippedBatches {
  /** Looking had taken too much of the time. */
  busy: number;
  /** Compressed, and too large to be unpacked for this. */
  large: number;
  /** More traced records than one batch gets spans for. */
  many: number;
}

/** See the head of the file. */
export class Tracing {
  /** Spans that found no room, and spans that the collector refused. */
  dropped = 0;
  refused = 0;
  /** Spans that the collector has taken. */
  exported = 0;
  readonly skipped: SkippedBatches = { busy: 0, large: 0, many: 0 };
  #waiting: Span[] = [];
  #lookMs = LOOK_MS_MAX;
  #lookedMs: number;
  #wallOffsetMs: number;

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly codecs: Codecs,
    /** Of the traces that are sampled, the share that this broker tells of. */
    private readonly ratio: number,
  ) {
    this.#lookedMs = clock.monotonicMs();
    this.#wallOffsetMs = clock.wallMs() - this.#lookedMs;
  }

  /** As the configs want it; null: off. */
  static of({ clock, random }: Io, codecs: Codecs, config: BrokerConfig): Tracing | null {
    if (config.get("kstream.otlp.traces") === "off") return null;
    return new Tracing(clock, random, codecs, config.get("kstream.otlp.traces.ratio"));
  }

  /** Milliseconds since 1970, finer than the wall clock's, and never before it. */
  nowMs(): number {
    const monotonicMs = this.clock.monotonicMs();
    const wallMs = this.clock.wallMs();
    const nowMs = monotonicMs + this.#wallOffsetMs;
    if (nowMs >= wallMs && nowMs < wallMs + 1) return nowMs;
    this.#wallOffsetMs = wallMs - monotonicMs;
    return wallMs;
  }

  /** Begins a step of a sampled trace, or null if this broker does not tell of it. */
  begin(parent: TraceContext | null, traceState: string, startMs = this.nowMs()): OpenSpan | null {
    if (parent?.isSampled !== true || !this.#accepts(parent.traceId)) return null;
    return { parent, traceState, spanId: this.#newSpanId(), startMs };
  }

  /** The step is done. */
  end(
    { parent, traceState, spanId, startMs }: OpenSpan,
    told: Pick<Span, "name" | "kind" | "attributes" | "error">,
  ): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.dropped++;
      return;
    }
    this.#waiting.push({
      traceId: parent.traceId,
      spanId,
      parentSpanId: parent.spanId,
      traceState,
      startMs,
      endMs: Math.max(startMs, this.nowMs()),
      ...told,
    });
  }

  /** The records of a batch that are to be told of. */
  look(batch: Uint8Array): readonly TracedRecord[] {
    const startMs = this.clock.monotonicMs();
    this.#lookMs = Math.min(LOOK_MS_MAX, this.#lookMs + (startMs - this.#lookedMs) * LOOK_SHARE);
    this.#lookedMs = startMs;
    if (this.#lookMs <= 0) {
      this.skipped.busy++;
      return [];
    }
    const { records, skipped } = tracedRecords(batch, this.codecs, (id) => this.#accepts(id));
    if (skipped !== null) this.skipped[skipped]++;
    this.#lookMs -= this.clock.monotonicMs() - startMs;
    return records;
  }

  /** How many spans wait. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Takes the oldest spans out of the queue. */
  take(max: number): readonly Span[] {
    return this.#waiting.splice(0, max);
  }

  /**
   * By the trace's id alone, so that every broker and every step decides alike (OpenTelemetry's
   * `TraceIdRatioBased`).
   */
  #accepts(traceId: string): boolean {
    if (this.ratio >= 1) return true;
    return parseInt(traceId.slice(-CHANCE_DIGITS), 16) >= (1 - this.ratio) * CHANCE_RANGE;
  }

  #newSpanId(): string {
    const id = Buffer.from(this.random.bytes(SPAN_ID_BYTES)).toString("hex");
    return /^0+$/.test(id) ? this.#newSpanId() : id;
  }
}
