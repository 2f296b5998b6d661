/**
 * Records that were purged and can come back. In the folder of their log:
 *
 *     <offset>.purge             the note: all records below the offset are purged
 *     <base offset>.log.purged   the segments that it lists, with indexes and producer snapshots
 *
 * As long as the note is there, and that is durable before a file is renamed to and fro, what it
 * lists is purged; so a crash at any moment leaves one or the other, which `settlePurges` finishes.
 * They lie in the folder of the log so that they go where it goes: to the trash with a topic that is
 * deleted, back with one that is restored, and not along to another data directory.
 */
import type { Disk } from "../core/io.ts";
import type { EpochEntry } from "./checkpoint-file.ts";
import type { LogContext } from "./log-context.ts";
import {
  ABORTED_INDEX_SUFFIX,
  INDEX_SUFFIX,
  KEY_INDEX_SUFFIX,
  LOG_SUFFIX,
  offsetOfFileName,
  PURGE_NOTE_SUFFIX,
  PURGED_SUFFIX,
  segmentFileName,
  SNAPSHOT_SUFFIX,
  TIME_INDEX_SUFFIX,
} from "./names.ts";
import { readSmallText, writeSmallText } from "./small-files.ts";

/** What is written down of a purge: the log as it was. */
export interface PurgeNote {
  /** The same for all partitions that were purged at once. */
  readonly id: string;
  readonly purgedMs: number;
  /** Where the log began. */
  readonly startOffset: number;
  /** Where it begins since; a segment begins there. */
  readonly endOffset: number;
  readonly cleanedTo: number | null;
  /** Of the leader, below `endOffset`. */
  readonly epochs: readonly EpochEntry[];
  /** Base offsets of the segments, ascending. */
  readonly bases: readonly number[];
}

/** Purged records. */
export interface Purge extends PurgeNote {
  /** Of the `.log` files. */
  readonly sizeBytes: number;
}

const SUFFIXES = [
  KEY_INDEX_SUFFIX,
  ABORTED_INDEX_SUFFIX,
  TIME_INDEX_SUFFIX,
  INDEX_SUFFIX,
  SNAPSHOT_SUFFIX,
  LOG_SUFFIX,
];

/** Writes the note, durably. Throws a `DiskError`. */
export function writePurgeNote(disk: Disk, dir: string, note: PurgeNote): Promise<void> {
  return writeSmallText(disk, notePath(dir, note.endOffset), JSON.stringify(note));
}

/** Removes the note, durably. Throws a `DiskError`. */
export async function removePurgeNote(disk: Disk, dir: string, note: PurgeNote): Promise<void> {
  disk.remove(notePath(dir, note.endOffset));
  await disk.syncDir(dir);
}

/** The files of a purge that are there. Throws a `DiskError`. */
export function purgedPaths(disk: Disk, dir: string, { bases }: PurgeNote): string[] {
  return bases.flatMap((base) =>
    SUFFIXES.map((suffix) => `${dir}/${segmentFileName(base, suffix)}${PURGED_SUFFIX}`)
      .filter((path) => disk.stat(path) !== null)
  );
}

/**
 * Finishes what a crash has interrupted, before anything else is looked at. The purges, the oldest
 * first. Throws a `DiskError`.
 */
export async function settlePurges(context: LogContext, dir: string): Promise<Purge[]> {
  const { disk } = context.io;
  const names = disk.list(dir).map((entry) => entry.name);
  const ends = names.map((name) => offsetOfFileName(name, PURGE_NOTE_SUFFIX))
    .filter((end) => end !== null).sort((a, b) => a - b);
  const purged = names.filter((name) => name.endsWith(PURGED_SUFFIX));
  if (ends.length === 0 && purged.length === 0) return [];
  const purges: Purge[] = [];
  for (const end of ends) {
    const purge = finishPurge(disk, dir, end);
    if (purge !== null) purges.push(purge);
    else context.logger.warn("purged records cannot come back: their files are damaged", { dir });
  }
  const kept = new Set(purges.flatMap((purge) => purgedPaths(disk, dir, purge)));
  for (const name of purged) if (!kept.has(`${dir}/${name}`)) disk.remove(`${dir}/${name}`);
  await disk.syncDir(dir);
  // Only now: the files of a note that is gone would be taken for those of nobody.
  for (const end of ends) {
    if (!purges.some(({ endOffset }) => endOffset === end)) disk.remove(notePath(dir, end));
  }
  return purges;
}

/** Null if it is not whole. Then nothing has changed. */
function finishPurge(disk: Disk, dir: string, end: number): Purge | null {
  const text = readSmallText(disk, notePath(dir, end));
  const note = text === null ? null : parsePurgeNote(text);
  if (note === null || note.endOffset !== end) return null;
  const pathOf = (base: number, suffix: string) => `${dir}/${segmentFileName(base, suffix)}`;
  const isThere = (base: number) => {
    const path = pathOf(base, LOG_SUFFIX);
    return disk.stat(path) !== null || disk.stat(path + PURGED_SUFFIX) !== null;
  };
  if (!note.bases.every(isThere)) return null;
  for (const base of note.bases) {
    for (const path of SUFFIXES.map((suffix) => pathOf(base, suffix))) {
      if (disk.stat(path) !== null) disk.rename(path, path + PURGED_SUFFIX);
    }
  }
  const sizeOf = (base: number) =>
    disk.stat(pathOf(base, LOG_SUFFIX) + PURGED_SUFFIX)?.sizeBytes ?? 0;
  return { ...note, sizeBytes: note.bases.reduce((sum, base) => sum + sizeOf(base), 0) };
}

function notePath(dir: string, endOffset: number): string {
  return `${dir}/${segmentFileName(endOffset, PURGE_NOTE_SUFFIX)}`;
}

/** Null if the text is none. */
function parsePurgeNote(text: string): PurgeNote | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  return isNote(parsed) ? parsed : null;
}

function isNote(value: unknown): value is PurgeNote {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const { bases, epochs } = { bases: fields.get("bases"), epochs: fields.get("epochs") };
  const cleanedTo = fields.get("cleanedTo");
  return typeof fields.get("id") === "string" &&
    ["purgedMs", "startOffset", "endOffset"].every((name) => isOffset(fields.get(name))) &&
    (cleanedTo === null || isOffset(cleanedTo)) &&
    Array.isArray(bases) && bases.length > 0 && bases.every(isOffset) &&
    Array.isArray(epochs) && epochs.every(isEpoch);
}

function isEpoch(value: unknown): value is EpochEntry {
  return typeof value === "object" && value !== null &&
    "epoch" in value && isOffset(value.epoch) &&
    "startOffset" in value && isOffset(value.startOffset);
}

function isOffset(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
