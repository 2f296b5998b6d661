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
import {
  decodeMetadataRecord,
  MetadataFormatError,
  parseJson,
} from "../../cluster/metadata-records.ts";
import { readWhole } from "./files.ts";
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

type Damage = Extract<Finding, { damage: string }>;

/** Beside the segments of metadata: Kafka's snapshots, and ours. */
const METADATA_SNAPSHOT_SUFFIX = ".checkpoint";
/** What stands before each of Kafka's own records of metadata (`MetadataRecordSerde`). */
const KAFKA_FRAME_VERSION = 1;

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
    const batches = each.endsWith(METADATA_SNAPSHOT_SUFFIX)
      ? scanSnapshot(disk, each)
      : scan(disk, each);
    for await (const batch of batches) {
      if ("damage" in batch) yield batch;
      else yield* recordsOf(batch, each, (record) => decode(kind, record));
    }
  }
}

/** In a snapshot of metadata each batch may begin at offset 0. */
function* scanSnapshot(disk: Disk, path: string): Generator<Batch | Damage> {
  const bytes = readWhole(disk, path);
  for (let at = 0; at < bytes.length;) {
    const sizeBytes = goodBatchSize(bytes, at);
    if (sizeBytes === 0) {
      yield { damage: "no good batch begins here", path, position: at };
      return;
    }
    yield { position: at, bytes, at, sizeBytes };
    at += sizeBytes;
  }
}

/** 0 where none begins. */
function goodBatchSize(bytes: Uint8Array, at: number): number {
  try {
    const sizeBytes = header.batchSizeAt(bytes, at);
    return sizeBytes > 0 && header.crcMatches(bytes, at) ? sizeBytes : 0;
  } catch (error) {
    if (error instanceof CorruptRecordError) return 0;
    throw error;
  }
}

async function* scan(disk: Disk, path: string): AsyncGenerator<Batch | Damage> {
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
    if (key === null || definition === undefined) {
      return { ...place, error: `it is no record of kind "${kind}"`, key, value };
    }
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

/** Ours, the header of a snapshot of ours, or of Kafka's own what tells the kind. */
function decodeMetadata(value: Uint8Array): Record<string, unknown> {
  const [frame, kafkaType = 255, version = 255] = value;
  // Both are varints, of one byte as long as there are so few of them.
  if (frame === KAFKA_FRAME_VERSION && Math.max(kafkaType, version) < 128) {
    return { kafkaType, version, value: value.subarray(3) };
  }
  try {
    const parsed = parseJson(value);
    const isHeader = typeof parsed === "object" && parsed !== null && "type" in parsed &&
      parsed.type === "snapshot";
    return isHeader ? { ...parsed } : { ...decodeMetadataRecord(value) };
  } catch (error) {
    if (!(error instanceof MetadataFormatError)) throw error;
    return { error: error.message, value };
  }
}
