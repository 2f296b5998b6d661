/** Metadata records as record batches, in the log and in snapshots: one record each, no keys. */
import type { Codecs } from "../core/compression/codec.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { batchSizeAt, crcMatches, lastOffset } from "../core/records/batch-header.ts";
import { CorruptRecordError } from "../core/records/corrupt-record-error.ts";
import { readRecords } from "../core/records/record-cursor.ts";
import { atOnce, type Steps } from "../core/steps.ts";
import type { MetadataChange, MetadataSnapshot } from "./metadata-log.ts";
import {
  decodeMetadataRecord,
  encodeMetadataRecord,
  MetadataFormatError,
  type MetadataRecord,
  parseJson,
} from "./metadata-records.ts";

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);
/** Metadata is never compressed. */
const NO_CODECS: Codecs = {};

/** How many records are a step. */
const RECORDS_PER_STEP = 50;

/** The batch of one change. */
export function encodeChange(records: readonly MetadataRecord[], timestampMs: number): Uint8Array {
  return atOnce(encodeChangeSteps(records, timestampMs));
}

/** As `encodeChange`, in steps. */
export function* encodeChangeSteps(
  records: readonly MetadataRecord[],
  timestampMs: number,
): Steps<Uint8Array> {
  const builder = new BatchBuilder();
  for (const [index, record] of records.entries()) {
    builder.append(timestampMs, null, encodeMetadataRecord(record));
    if (index % RECORDS_PER_STEP === RECORDS_PER_STEP - 1) yield;
  }
  return builder.build();
}

/** The changes in these whole batches. */
export function decodeChanges(bytes: Uint8Array): MetadataChange[] {
  return atOnce(decodeChangesSteps(bytes));
}

/** As `decodeChanges`, in steps. */
export function* decodeChangesSteps(bytes: Uint8Array): Steps<MetadataChange[]> {
  const changes: MetadataChange[] = [];
  for (const { endOffset, values } of valuesOfBatches(bytes)) {
    const records: MetadataRecord[] = [];
    yield* decodeRecordsSteps(values, records);
    changes.push({ position: endOffset, records });
  }
  return changes;
}

function* decodeRecordsSteps(
  values: readonly Uint8Array[],
  records: MetadataRecord[],
): Steps<void> {
  for (const [index, value] of values.entries()) {
    records.push(decodeMetadataRecord(value));
    if (index % RECORDS_PER_STEP === RECORDS_PER_STEP - 1) yield;
  }
  yield;
}

interface BatchValues {
  readonly endOffset: number;
  readonly values: readonly Uint8Array[];
}

/** One after the other, as they are asked for. */
function* valuesOfBatches(bytes: Uint8Array): Generator<BatchValues, void, void> {
  try {
    for (let at = 0; at < bytes.length;) {
      const size = batchSizeAt(bytes, at);
      if (size === 0 || !crcMatches(bytes, at)) {
        throw new MetadataFormatError("a batch of metadata is damaged");
      }
      const values = readRecords(bytes, at, NO_CODECS).map((record) => record.value ?? EMPTY);
      yield { endOffset: lastOffset(bytes, at) + 1, values };
      at += size;
    }
  } catch (cause) {
    if (!(cause instanceof CorruptRecordError)) throw cause;
    throw new MetadataFormatError(`a batch of metadata is damaged: ${cause.message}`, { cause });
  }
}

const SNAPSHOT_BATCH_RECORDS = 1000;

/**
 * A snapshot file: a batch with one record, the header (JSON: `type` "snapshot", `version` 1,
 * `position`, `records`: how many follow), then batches of the records.
 */
export function encodeSnapshot(
  position: number,
  records: readonly MetadataRecord[],
  timestampMs: number,
): Uint8Array {
  return atOnce(encodeSnapshotSteps(position, records, timestampMs));
}

/** As `encodeSnapshot`, in steps. */
export function* encodeSnapshotSteps(
  position: number,
  records: readonly MetadataRecord[],
  timestampMs: number,
): Steps<Uint8Array> {
  const header = { type: "snapshot", version: 1, position, records: records.length };
  const first = new BatchBuilder();
  first.append(timestampMs, null, encoder.encode(JSON.stringify(header)));
  const batches = [first.build()];
  for (let at = 0; at < records.length; at += SNAPSHOT_BATCH_RECORDS) {
    const some = records.slice(at, at + SNAPSHOT_BATCH_RECORDS);
    batches.push(yield* encodeChangeSteps(some, timestampMs));
  }
  return concat(batches);
}

/** The snapshot in a file; throws a `MetadataFormatError` if it is not whole. */
export function decodeSnapshot(bytes: Uint8Array): MetadataSnapshot {
  return atOnce(decodeSnapshotSteps(bytes));
}

/** As `decodeSnapshot`, in steps. */
export function* decodeSnapshotSteps(bytes: Uint8Array): Steps<MetadataSnapshot> {
  const batches = valuesOfBatches(bytes);
  const header = batches.next();
  const { position, count } = decodeHeader(header.value?.values[0]);
  const records: MetadataRecord[] = [];
  for (const { values } of batches) yield* decodeRecordsSteps(values, records);
  if (records.length !== count) throw new MetadataFormatError("a metadata snapshot is cut off");
  return { position, records };
}

function decodeHeader(bytes: Uint8Array | undefined): { position: number; count: number } {
  const value: unknown = bytes === undefined ? null : parseJson(bytes);
  const fields = new Map<string, unknown>(Object.entries(value ?? {}));
  const [position, count] = [fields.get("position"), fields.get("records")];
  const known = fields.get("type") === "snapshot" && fields.get("version") === 1;
  if (!known || typeof position !== "number" || typeof count !== "number") {
    throw new MetadataFormatError("a metadata snapshot of an unknown version");
  }
  return { position, count };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
