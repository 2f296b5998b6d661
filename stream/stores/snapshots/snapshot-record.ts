/**
 * What a snapshot of a store says of itself. Those of a store are in one folder:
 *
 *     CHANGELOG/PARTITION/OFFSET-UNIQUE.snapshot   a line of JSON and its checksum, put last: with it the
 *                                                  snapshot counts
 *     CHANGELOG/PARTITION/SHA-256                  a file of the store, by what is in it; snapshots share them
 */
import { crc32c } from "../../../core/crc32c.ts";

/** A file of the store, and which object it is. */
export interface SnapshotFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** SHA-256 in hex. */
  readonly digest: string;
}

/** See the head of the file. */
export interface SnapshotRecord {
  /** As what the store is kept. */
  readonly kind: string;
  /** Of the changelog: one that is made again has another. */
  readonly topicId: string;
  /** Of the changelog's record that is next. */
  readonly changelogOffset: bigint;
  /** By the clock of who has taken it. */
  readonly takenMs: number;
  readonly files: readonly SnapshotFile[];
}

/** It cannot be used. The message says why. */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
}

const EXTENSION = ".snapshot";
const OFFSET_DIGITS = 19;
const NAME = /^\d{19}-[0-9a-f]+\.snapshot$/;
const DIGEST = /^[0-9a-f]{64}$/;
const FILE = /^(MANIFEST|\d{1,15}\.(run|log))$/;
/** One with more is none of ours. */
export const RECORD_BYTES_MAX = 4 * 1024 * 1024;
/** Raised where what is in the files changes. */
const VERSION = 1;

/** In the order of their names those with the lower offsets are first. */
export function recordName({ changelogOffset }: SnapshotRecord, unique: string): string {
  return `${String(changelogOffset).padStart(OFFSET_DIGITS, "0")}-${unique}${EXTENSION}`;
}

export function isRecordName(name: string): boolean {
  return NAME.test(name);
}

export function encodeRecord(record: SnapshotRecord): Uint8Array {
  const { changelogOffset, ...rest } = record;
  const text = JSON.stringify({
    version: VERSION,
    ...rest,
    changelogOffset: String(changelogOffset),
  });
  return new TextEncoder().encode(`${text}\n${crcOf(text)}\n`);
}

/** Throws `SnapshotError`. */
export function decodeRecord(bytes: Uint8Array): SnapshotRecord {
  const [text = "", crc] = new TextDecoder().decode(bytes).split("\n");
  if (crcOf(text) !== crc) throw new SnapshotError("it has another checksum than was written");
  const record = recordOf(JSON.parse(text));
  if (record === null) throw new SnapshotError("another version of kstream has written it");
  return record;
}

function recordOf(json: unknown): SnapshotRecord | null {
  if (!isObject(json) || json["version"] !== VERSION || !Array.isArray(json["files"])) return null;
  const { kind, topicId, takenMs, changelogOffset } = json;
  const files = json["files"].map(fileOf);
  const isWhole = typeof kind === "string" && typeof topicId === "string" &&
    typeof takenMs === "number" && typeof changelogOffset === "string" &&
    /^\d{1,19}$/.test(changelogOffset);
  if (!isWhole || !files.every((file) => file !== null)) return null;
  return { kind, topicId, takenMs, changelogOffset: BigInt(changelogOffset), files };
}

/** Names are those of files of a store alone: they become paths. */
function fileOf(json: unknown): SnapshotFile | null {
  if (!isObject(json)) return null;
  const { name, sizeBytes, digest } = json;
  const isWhole = typeof name === "string" && FILE.test(name) && typeof digest === "string" &&
    DIGEST.test(digest) && typeof sizeBytes === "number" && Number.isSafeInteger(sizeBytes);
  return isWhole ? { name, sizeBytes, digest } : null;
}

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === "object" && json !== null;
}

function crcOf(text: string): string {
  return crc32c(new TextEncoder().encode(text)).toString(16).padStart(8, "0");
}
