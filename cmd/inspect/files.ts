/** Indexes, snapshots and checkpoints, entry by entry. */
import { basename } from "node:path";
import { crc32c } from "../../core/crc32c.ts";
import type { Disk } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { readInt16, readInt32, readInt64 } from "../../core/records/batch-header.ts";
import { parseEpochs, parseOffsets } from "../../storage/checkpoint-file.ts";
import {
  parseKeyRunHead,
  RUN_CRC_FROM,
  RUN_ENTRY_BYTES,
  RUN_HEAD_BYTES,
} from "../../storage/keys/key-run.ts";
import {
  INDEX_SUFFIX,
  LEADER_EPOCH_FILE,
  LOG_SUFFIX,
  offsetOfFileName,
  TIME_INDEX_SUFFIX,
} from "../../storage/names.ts";
import { decodeProducerSnapshot } from "../../storage/producer-snapshot.ts";
import { readSmallFile } from "../../storage/small-files.ts";
import type { Finding } from "./run.ts";

const ABORTED_ENTRY_BYTES = 34;
const FILE_BYTES_MAX = 1 << 30;

/** `.index` and `.timeindex`; entries that no index can have are damage. */
export function* readIndex(
  disk: Disk,
  path: string,
  kind: "index" | "timeindex",
): Generator<Finding> {
  const bytes = readWhole(disk, path);
  const suffix = kind === "index" ? INDEX_SUFFIX : TIME_INDEX_SUFFIX;
  const base = offsetOfFileName(basename(path), suffix) ?? 0;
  const logBytes = disk.stat(path.slice(0, -suffix.length) + LOG_SUFFIX)?.sizeBytes ?? Infinity;
  const entryBytes = kind === "index" ? 8 : 12;
  let last = -1;
  let at = 0;
  for (; at + entryBytes <= bytes.length; at += entryBytes) {
    const key = kind === "index" ? readInt32(bytes, at) : readInt64(bytes, at);
    const value = readInt32(bytes, at + entryBytes - 4);
    // Kafka makes its files larger than they need to be while it writes them.
    if (at > 0 && key === 0 && value === 0) break;
    if (key < 0 || value < 0 || key === Number.MAX_SAFE_INTEGER) {
      yield { damage: "no index has such an entry", path, position: at };
    } else if (key < last) yield { damage: "entries do not ascend", path, position: at };
    else if (kind === "index" && value >= logBytes) {
      yield { damage: `it points to ${value}, behind the end of the log`, path, position: at };
    } else if (kind === "index") yield { entry: { offset: base + key, position: value } };
    else yield { entry: { timestamp: key, offset: base + value } };
    last = key;
  }
  const rest = bytes.length - at;
  if (rest > 0 && rest < entryBytes) yield { damage: "an entry is cut short", path, position: at };
}

/** `.keyindex`: of each run its head, with `isFull` also its entries. */
export function* readKeyIndex(disk: Disk, path: string, isFull: boolean): Generator<Finding> {
  const bytes = readWhole(disk, path);
  let [at, covered] = [0, 0];
  while (at < bytes.length) {
    const head = parseKeyRunHead(bytes.subarray(at));
    if (head === null) return yield { damage: "no run of keys begins here", path, position: at };
    const end = at + RUN_HEAD_BYTES + head.count * RUN_ENTRY_BYTES;
    if (end > bytes.length) return yield { damage: "a run is cut short", path, position: at };
    if (crc32c(bytes.subarray(at + RUN_CRC_FROM, end)) !== head.crc) {
      return yield { damage: "the checksum of a run fails", path, position: at };
    }
    if (head.fromPosition !== covered) {
      yield { damage: `a run does not begin at ${covered} of the log`, path, position: at };
    }
    const { baseOffset, fromPosition, toPosition, nextOffset, count } = head;
    yield { entry: { fromPosition, toPosition, nextOffset, entries: count } };
    const words = new DataView(bytes.buffer, bytes.byteOffset, end);
    for (let entry = at + RUN_HEAD_BYTES; isFull && entry < end; entry += RUN_ENTRY_BYTES) {
      const batchOffset = baseOffset + words.getUint32(entry, true);
      yield { entry: { batchOffset, keyHash: words.getUint32(entry + 4, true) } };
    }
    covered = toPosition;
    at = end;
  }
}

/** `.txnindex`. */
export function* readTransactionIndex(disk: Disk, path: string): Generator<Finding> {
  const bytes = readWhole(disk, path);
  let at = 0;
  for (; at + ABORTED_ENTRY_BYTES <= bytes.length; at += ABORTED_ENTRY_BYTES) {
    const version = readInt16(bytes, at);
    if (version !== 0) yield { damage: `an entry of version ${version}`, path, position: at };
    else {
      yield {
        entry: {
          producerId: readInt64(bytes, at + 2),
          firstOffset: readInt64(bytes, at + 10),
          lastOffset: readInt64(bytes, at + 18),
          lastStableOffset: readInt64(bytes, at + 26),
        },
      };
    }
  }
  if (at < bytes.length) yield { damage: "an entry is cut short", path, position: at };
}

/** `.snapshot` of producers. */
export function* readSnapshot(disk: Disk, path: string): Generator<Finding> {
  const producers = decodeProducerSnapshot(readWhole(disk, path));
  if (producers === null) yield { damage: "its checksum fails, or it is cut", path, position: 0 };
  else for (const producer of producers) yield { entry: { ...producer } };
}

/** Text checkpoints: of leader epochs by its name, else of offsets. */
export function* readCheckpoint(disk: Disk, path: string): Generator<Finding> {
  const text = new TextDecoder().decode(readWhole(disk, path));
  const entries = basename(path) === LEADER_EPOCH_FILE ? parseEpochs(text) : parseOffsets(text);
  if (entries === null) yield { damage: "it does not read as a checkpoint", path, position: 0 };
  else for (const entry of entries) yield { entry: { ...entry } };
}

/** Throws `OperatorError` where there is no such file. */
export function readWhole(disk: Disk, path: string): Uint8Array {
  const bytes = readSmallFile(disk, path, FILE_BYTES_MAX);
  if (bytes !== null) return bytes;
  throw new OperatorError(
    `cannot read ${path}`,
    "there is no such file, or it is too large",
    "",
    2,
  );
}
