/** Segments of logs: their batches, and what the records of internal topics mean. */
import { basename, join } from "node:path";
import { bunCodecs } from "../../core/compression/bun.ts";
import { compressionName } from "../../core/compression/codec.ts";
import type { Disk } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { decodeData, ProtocolError } from "../../core/protocol/codec.ts";
import {
  groupRecordByType,
  shareRecordByType,
  transactionRecordByType,
} from "../../core/protocol/records/index.ts";
import type { CoordinatorRecord } from "../../core/protocol/schema.ts";
import * as header from "../../core/records/batch-header.ts";
import { readControlRecord } from "../../core/records/control-records.ts";
import { CorruptRecordError } from "../../core/records/corrupt-record-error.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import type { RecordView } from "../../core/records/record-cursor.ts";
import { BatchScan } from "../../storage/batch-scan.ts";
import { LOG_SUFFIX, offsetOfFileName } from "../../storage/names.ts";
import { decodeMetadataRecord, MetadataFormatError } from "../../cluster/metadata-records.ts";
import type { Finding } from "./run.ts";

/** Which internal topic the records are of. */
export type DecodedKind = "group" | "transaction" | "share" | "metadata";

const RECORD_TYPES: Readonly<
  Record<Exclude<DecodedKind, "metadata">, ReadonlyMap<number, CoordinatorRecord>>
> = {
  group: groupRecordByType,
  transaction: transactionRecordByType,
  share: shareRecordByType,
};

/** A batch in a file. */
interface Batch {
  readonly position: number;
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly sizeBytes: number;
}

/** The batches of a segment, with their records if told. */
export async function* readBatches(
  disk: Disk,
  path: string,
  withRecords: boolean,
): AsyncGenerator<Finding> {
  for await (const batch of scan(disk, path)) {
    if ("damage" in batch) {
      yield batch;
      continue;
    }
    yield { entry: describe(batch) };
    if (withRecords) yield* recordsOf(batch, path, (record) => ({ ...record }));
  }
}

/** The records of an internal topic: of a segment, or of all of a partition's folder. */
export async function* readDecoded(
  disk: Disk,
  path: string,
  kind: DecodedKind,
): AsyncGenerator<Finding> {
  const isFolder = disk.stat(path)?.isDirectory ?? false;
  const paths = isFolder
    ? disk.list(path).map(({ name }) => name).filter((name) => name.endsWith(LOG_SUFFIX)).sort()
      .map((name) => join(path, name))
    : [path];
  if (paths.length === 0) throw new OperatorError(`${path} has no segment`, "", "", 2);
  for (const each of paths) {
    for await (const batch of scan(disk, each)) {
      if ("damage" in batch) yield batch;
      else yield* recordsOf(batch, each, (record) => decode(kind, record));
    }
  }
}

async function* scan(
  disk: Disk,
  path: string,
): AsyncGenerator<Batch | Extract<Finding, { damage: string }>> {
  const file = disk.open(path, "read");
  try {
    const base = offsetOfFileName(basename(path), LOG_SUFFIX) ?? 0;
    const size = file.sizeBytes();
    const batches = new BatchScan(file, 0, base, size, { dense: false, verifyCrc: () => true });
    for (let step = await batches.next(); step !== null; step = await batches.next()) {
      if (step.kind === "batch") yield step;
      else {
        const what = step.next === null
          ? `no batch from offset ${step.offset} on is good`
          : `the next good batch is at byte ${step.next.position}, offset ${step.next.baseOffset}`;
        yield { damage: what, path, position: step.position };
      }
    }
  } finally {
    file.close();
  }
}

function describe({ position, bytes, at, sizeBytes }: Batch): Record<string, unknown> {
  const isControl = header.isControl(bytes, at);
  return {
    position,
    sizeBytes,
    baseOffset: header.baseOffset(bytes, at),
    lastOffset: header.lastOffset(bytes, at),
    records: header.recordsCount(bytes, at),
    leaderEpoch: header.partitionLeaderEpoch(bytes, at),
    compression: compressionName(header.compressionId(bytes, at)) ?? "unknown",
    timestampType: header.isLogAppendTime(bytes, at) ? "LogAppendTime" : "CreateTime",
    maxTimestamp: header.maxTimestamp(bytes, at),
    producerId: header.producerId(bytes, at),
    producerEpoch: header.producerEpoch(bytes, at),
    baseSequence: header.baseSequence(bytes, at),
    transactional: header.isTransactional(bytes, at),
    control: isControl ? controlOf(bytes, at) : null,
    crc: header.storedCrc(bytes, at),
  };
}

function controlOf(bytes: Uint8Array, at: number): string {
  try {
    return readControlRecord(bytes, at).type;
  } catch (error) {
    if (error instanceof CorruptRecordError) return "unreadable";
    throw error;
  }
}

function* recordsOf(
  { bytes, at, position }: Batch,
  path: string,
  toEntry: (record: RecordView) => Record<string, unknown>,
): Generator<Finding> {
  if (header.isControl(bytes, at)) return;
  try {
    const cursor = new RecordCursor(bytes, at, bunCodecs);
    while (cursor.next()) yield { entry: toEntry(cursor.record()) };
  } catch (error) {
    if (!(error instanceof CorruptRecordError)) throw error;
    yield { damage: error.message, path, position };
  }
}

/** What does not decode is shown as its bytes. */
function decode(kind: DecodedKind, record: RecordView): Record<string, unknown> {
  const { offset, timestamp, key, value } = record;
  const place = { offset, timestamp };
  try {
    if (kind === "metadata") {
      return value === null ? { ...place, key, value } : { ...place, ...decodeMetadata(value) };
    }
    const type = key === null || key.length < 2 ? -1 : header.readInt16(key, 0);
    const definition = RECORD_TYPES[kind].get(type);
    if (key === null || definition === undefined) return { ...place, type, key, value };
    const decoded = value === null
      ? null
      : decodeData(definition.value, header.readInt16(value, 0), value, 2);
    return {
      ...place,
      type: definition.name,
      key: decodeData(definition.key, 0, key, 2),
      value: decoded,
    };
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof MetadataFormatError) {
      return { ...place, error: error.message, key, value };
    }
    throw error;
  }
}

function decodeMetadata(value: Uint8Array): Record<string, unknown> {
  try {
    return { ...decodeMetadataRecord(value) };
  } catch (error) {
    // Kafka's own metadata has another form, and a snapshot begins with a header.
    if (!(error instanceof MetadataFormatError)) throw error;
    return { error: error.message, value };
  }
}
