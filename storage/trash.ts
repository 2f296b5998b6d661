/**
 * Deleted topics that can come back. In each data directory:
 *
 *     .trash/<topic id>/topic.json    what the topic was; in the first directory only
 *     .trash/<topic id>/logs.json     what the checkpoints said of its logs
 *     .trash/<topic id>/<partition>/  the folder of a partition, as it was when it was deleted
 *
 * Both files are there before the topic is deleted, and go after it is back or when it is given up.
 * Until then a crash may leave a folder here or under the topic's name, and never in both.
 */
import type { Disk } from "../core/io.ts";
import { TRASH_DIR } from "./names.ts";
import type { LogCheckpoints } from "./recovery.ts";
import { makeDurableDir, readSmallText, writeSmallText } from "./small-files.ts";

/** What is known of a log besides its files. */
export type TrashedLog = Omit<LogCheckpoints, "wasClean">;

const NOTE = "topic.json";
const LOGS = "logs.json";

/** Where the partitions of a deleted topic are. */
export function trashFolder(dataDir: string, topicId: string): string {
  return `${dataDir}/${TRASH_DIR}/${topicId}`;
}

/** The ids of the topics in the trash. Throws a `DiskError`. */
export function trashedTopics(disk: Disk, dataDir: string): string[] {
  const path = `${dataDir}/${TRASH_DIR}`;
  if (disk.stat(path) === null) return [];
  return disk.list(path).filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
}

/** The partitions of a topic in the trash. Throws a `DiskError`. */
export function trashedPartitions(disk: Disk, dataDir: string, topicId: string): number[] {
  const path = trashFolder(dataDir, topicId);
  if (disk.stat(path) === null) return [];
  return disk.list(path)
    .filter(({ name, isDirectory }) => isDirectory && /^\d{1,9}$/.test(name))
    .map(({ name }) => Number(name));
}

/** Writes down what a topic is that is to be deleted; durable. Throws a `DiskError`. */
export async function writeTrashNote(
  disk: Disk,
  dataDir: string,
  topicId: string,
  text: string,
): Promise<void> {
  const folder = trashFolder(dataDir, topicId);
  await makeDurableDir(disk, folder);
  await writeSmallText(disk, `${folder}/${NOTE}`, text);
}

/** Null if there is none. Throws a `DiskError`. */
export function readTrashNote(disk: Disk, dataDir: string, topicId: string): string | null {
  return readSmallText(disk, `${trashFolder(dataDir, topicId)}/${NOTE}`);
}

/** Writes down what is known of the logs of a topic, by partition; durable. Throws a `DiskError`. */
export async function writeTrashedLogs(
  disk: Disk,
  dataDir: string,
  topicId: string,
  logs: ReadonlyMap<number, TrashedLog>,
): Promise<void> {
  const folder = trashFolder(dataDir, topicId);
  await makeDurableDir(disk, folder);
  await writeSmallText(disk, `${folder}/${LOGS}`, JSON.stringify(Object.fromEntries(logs)));
}

/** What was known of a log; null if its topic was not deleted. Throws a `DiskError`. */
export function readTrashedLog(
  disk: Disk,
  dataDir: string,
  topicId: string,
  partition: number,
): TrashedLog | null {
  const text = topicId === ""
    ? null
    : readSmallText(disk, `${trashFolder(dataDir, topicId)}/${LOGS}`);
  if (text === null) return null;
  const log = fieldsOf(fieldsOf(parse(text)).get(String(partition)));
  const offset = (name: string) => {
    const value = log.get(name);
    return typeof value === "number" && Number.isSafeInteger(value) ? value : null;
  };
  return {
    recoveryPoint: offset("recoveryPoint"),
    logStartOffset: offset("logStartOffset"),
    cleanedTo: offset("cleanedTo"),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function fieldsOf(value: unknown): Map<string, unknown> {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}
