/**
 * What a connector makes of real records, without writing any: those that a source reads, from its
 * beginning, or those of the topics of a sink. Nothing is committed.
 */
import type { FetchedRecord, Pipeline, Stage } from "./pipeline.ts";
import { decodeRecord, encodeRecord, StageError } from "./pipeline.ts";
import { sourceRecord } from "../data/record.ts";
import type { ConnectRecord } from "../data/record.ts";
import type { SourceContext, SourceDefinition } from "../connector.ts";
import { nullIfAborted } from "../../core/unless-aborted.ts";

/** One record, before and after. */
export interface Sample {
  /** As the source has read it, or as the topic has it, converted. */
  readonly before: Pick<ConnectRecord, "topic" | "key" | "value">;
  /** As the topic would get it, or the sink; null: it is dropped, or has failed. */
  readonly after: Pick<ConnectRecord, "topic" | "key" | "value"> | null;
  readonly failure: { readonly stage: Stage; readonly message: string } | null;
}

/** The first records of a source, `count` at most; fewer where it ends or the signal aborts. */
export async function sampleSource(
  definition: SourceDefinition,
  context: Omit<SourceContext<Readonly<Record<string, unknown>>>, "signal">,
  pipeline: Pipeline,
  count: number,
  signal: AbortSignal,
): Promise<Sample[]> {
  const stop = new AbortController();
  const batches = definition.read({ ...context, signal: stop.signal })[Symbol.asyncIterator]();
  const samples: Sample[] = [];
  try {
    while (samples.length < count) {
      const next = await nullIfAborted(Promise.resolve(batches.next()), signal);
      if (next === null || next.done === true) break;
      for (const partial of next.value) {
        const before = sourceRecord(partial);
        if (samples.length < count) samples.push(sampleOf(before, () => through(pipeline, before)));
      }
    }
    return samples;
  } finally {
    stop.abort();
    await nullIfAborted(Promise.resolve(batches.return?.()), signal);
  }
}

/** A transformed record that can be converted, too. */
function through(pipeline: Pipeline, before: ConnectRecord): ConnectRecord | null {
  // Converting shows whether it can be; what is shown is the record before that.
  if (encodeRecord(pipeline, before) === null) return null;
  return pipeline.transform === null ? before : pipeline.transform.apply(before);
}

/** What a sink would get of a record. */
export function sampleSink(pipeline: Pipeline, fetched: FetchedRecord): Sample {
  let before: ConnectRecord | null;
  try {
    before = decodeRecord({ ...pipeline, transform: null }, fetched);
  } catch (error) {
    const { topic, key, value } = fetched;
    return { before: { topic, key, value }, after: null, failure: failureOf(error) };
  }
  // Without transforms nothing is dropped.
  if (before === null) throw new Error("a record was dropped without a transform");
  return sampleOf(before, () => decodeRecord(pipeline, fetched));
}

function sampleOf(before: ConnectRecord, after: () => ConnectRecord | null): Sample {
  try {
    return { before, after: after(), failure: null };
  } catch (error) {
    return { before, after: null, failure: failureOf(error) };
  }
}

function failureOf(error: unknown): { stage: Stage; message: string } {
  if (error instanceof StageError) return { stage: error.stage, message: error.message };
  throw error;
}
