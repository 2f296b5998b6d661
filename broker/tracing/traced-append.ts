/**
 * The spans of one append: one for each record that belongs to a sampled trace, from when the append
 * began to when the producer's acks are met. The kind is internal: OpenTelemetry's conventions know
 * producers and consumers, and a broker that called itself either would stand in the place of the real
 * one in graphs of services.
 */
import { type ErrorCode, errorName, Errors } from "../../core/errors.ts";
import type { AppendResult } from "../../storage/log-appender.ts";
import type { Partition } from "../partition.ts";
import type { RequestContext } from "../request-context.ts";
import type { TracedRecord } from "./record-contexts.ts";
import type { SpanAttributes } from "./span.ts";
import type { Tracing } from "./tracing.ts";

/** Clients may call themselves anything, at any length, and each span has it. */
const CLIENT_ID_CHARS_MAX = 256;

/** What was appended, and what came of it. */
export interface TracedBatch {
  readonly bytes: Uint8Array;
  readonly startMs: number;
  readonly result: AppendResult;
}

/** An append that is not acknowledged yet; see the head of the file. */
export class TracedAppend {
  private constructor(
    private readonly tracing: Tracing,
    private readonly topic: string,
    private readonly startMs: number,
    private readonly common: SpanAttributes,
    private readonly baseOffset: number | null,
    private readonly records: readonly TracedRecord[],
  ) {}

  /**
   * Null if no record of the batch is to be told of. What was there already was told of then. `acks` as
   * in the request: −1 is all.
   */
  static of(
    tracing: Tracing,
    { clientId }: RequestContext,
    acks: number,
    { topic, index }: Partition,
    { bytes, startMs, result }: TracedBatch,
  ): TracedAppend | null {
    if (result.ok && result.duplicate) return null;
    const records = tracing.look(bytes);
    if (records.length === 0) return null;
    const common: SpanAttributes = {
      "messaging.system.name": "kafka",
      "messaging.operation.name": "append",
      "messaging.destination.name": topic,
      "messaging.destination.partition.id": String(index),
      ...(clientId !== null && clientId !== "" &&
        { "messaging.client.id": clientId.slice(0, CLIENT_ID_CHARS_MAX) }),
      "kstream.api": "Produce",
      "kstream.acks": acks === -1 ? "all" : String(acks),
    };
    const baseOffset = result.ok ? result.baseOffset : null;
    return new TracedAppend(tracing, topic, startMs, common, baseOffset, records);
  }

  /** The producer gets its answer. */
  end(code: ErrorCode): void {
    const { tracing, topic, startMs, common, baseOffset } = this;
    const error = code === Errors.NONE ? null : errorName(code);
    for (const { context, traceState, offsetDelta, valueBytes } of this.records) {
      const open = tracing.begin(context, traceState, startMs);
      if (open === null) continue;
      const attributes: SpanAttributes = {
        ...common,
        ...(baseOffset !== null && { "kafka.offset": baseOffset + offsetDelta }),
        ...(valueBytes < 0
          ? { "kafka.message.tombstone": true }
          : { "messaging.message.body.size": valueBytes }),
        ...(error !== null && { "error.type": error }),
      };
      tracing.end(open, { name: `append ${topic}`, kind: "internal", attributes, error });
    }
  }
}
