/**
 * Finds the records of a batch that belong to a sampled trace: those with a header `traceparent`. A
 * batch without one costs a search for its bytes, a compressed one has to be unpacked for that.
 */
import type { Codecs } from "../../core/compression/codec.ts";
import { Errors } from "../../core/errors.ts";
import { BATCH_HEADER_BYTES, compressionId } from "../../core/records/batch-header.ts";
import { CorruptRecordError } from "../../core/records/corrupt-record-error.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import {
  parseTraceparent,
  type TraceContext,
  TRACEPARENT_CHARS,
} from "../../core/trace-context.ts";

/** A record of a trace. */
export interface TracedRecord {
  readonly offsetDelta: number;
  readonly context: TraceContext;
  readonly traceState: string;
  /** −1: it is a tombstone. */
  readonly valueBytes: number;
}

/** What was found; `skipped` says why something was left out, if it was. */
export interface TracedRecords {
  readonly records: readonly TracedRecord[];
  readonly skipped: "large" | "many" | null;
}

/** Records of one batch that are told of. */
export const TRACED_PER_BATCH_MAX = 100;
/** Larger compressed batches are not unpacked, nor what becomes larger than that. */
const PACKED_BYTES_MAX = 256 * 1024;
const UNPACKED_BYTES_MAX = 1024 * 1024;
/** A `tracestate` that is longer is not passed on, as the specification allows. */
const TRACE_STATE_BYTES_MAX = 512;
/** The name with its length before it, a zigzag varint, as headers have it. */
const NAME = Buffer.from(`${String.fromCharCode(2 * "traceparent".length)}traceparent`);

const NONE: TracedRecords = { records: [], skipped: null };
const latin1 = new TextDecoder("latin1");

/** Those that are sampled and that `accepts` takes. Bytes that are no batch have none. */
export function tracedRecords(
  batch: Uint8Array,
  codecs: Codecs,
  accepts: (traceId: string) => boolean,
): TracedRecords {
  if (batch.length < BATCH_HEADER_BYTES) return NONE;
  const isPacked = compressionId(batch, 0) !== 0;
  if (isPacked && batch.length > PACKED_BYTES_MAX) return { records: [], skipped: "large" };
  if (!isPacked && asBuffer(batch).indexOf(NAME) < 0) return NONE;
  try {
    return find(new RecordCursor(batch, 0, codecs, UNPACKED_BYTES_MAX), accepts);
  } catch (error) {
    if (!(error instanceof CorruptRecordError)) throw error;
    // What a client says of its records is for the log to judge.
    return error.code === Errors.MESSAGE_TOO_LARGE ? { records: [], skipped: "large" } : NONE;
  }
}

function find(cursor: RecordCursor, accepts: (traceId: string) => boolean): TracedRecords {
  const source = asBuffer(cursor.source);
  const records: TracedRecord[] = [];
  let hit = source.indexOf(NAME);
  while (hit >= 0 && cursor.next()) {
    if (hit < cursor.recordStart) hit = source.indexOf(NAME, cursor.recordStart);
    if (hit < 0 || hit >= cursor.recordEnd) continue;
    const found = contextOf(cursor);
    if (found === null || !accepts(found.context.traceId)) continue;
    if (records.length === TRACED_PER_BATCH_MAX) return { records, skipped: "many" };
    records.push(found);
  }
  return { records, skipped: null };
}

function contextOf(cursor: RecordCursor): TracedRecord | null {
  let context: TraceContext | null = null;
  let traceState = "";
  for (const [name, value] of cursor.headers()) {
    if (value === null) continue;
    if (name === "traceparent" && value.length <= 2 * TRACEPARENT_CHARS) {
      context = parseTraceparent(latin1.decode(value));
    } else if (name === "tracestate" && value.length <= TRACE_STATE_BYTES_MAX) {
      traceState = latin1.decode(value);
    }
  }
  if (context?.isSampled !== true) return null;
  const valueBytes = cursor.valueStart < 0 ? -1 : cursor.valueEnd - cursor.valueStart;
  return { offsetDelta: cursor.offsetDelta, context, traceState, valueBytes };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
