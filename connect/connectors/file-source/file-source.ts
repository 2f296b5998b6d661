/** Lines of files: of those that grow, or of whole ones that are put into a folder. */
import { stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import {
  batchesOf,
  isOfShare,
  sharedConfigs,
  shareFields,
  spoolRecords,
} from "../../formats/index.ts";
import type { LineSettings, RecordSettings } from "../../formats/index.ts";
import { boolean, choice, defineSource, int, list, long, string } from "../../index.ts";
import type { ConfigOf, PartialSourceRecord, SourceContext } from "../../index.ts";
import { leftAt } from "./identity.ts";
import { FolderSpool } from "./spooled-files.ts";
import type { WhenDone } from "./spooled-files.ts";
import { TailedFile } from "./tailed-file.ts";

const fields = {
  file: string().importance("HIGH").doc(
    "The file to read, or a pattern of files with *, ?, [a-z], {a,b} and **.",
  ).example("/var/log/app/*.log"),
  topic: string().importance("HIGH").doc("The topic that records are written to."),
  mode: choice("tail", "spool").default("tail").importance("HIGH").doc(
    "tail follows files that grow, through rotation and truncation. spool reads files that are whole " +
      "when they appear, also gzip and zstd, and is done with each of them.",
  ),
  format: choice("lines", "jsonl", "csv", "parquet").default("lines").group("Format").doc(
    "What a record is: a line as text, a line of JSON, a row of CSV as an object, a row of Parquet " +
      "(in spool mode).",
  ),
  encoding: string().default("utf-8").group("Format").check(knownEncoding).doc(
    "How text is encoded: utf-8, iso-8859-1, windows-1252, shift_jis and so on, utf-16le and utf-16be " +
      "in spool mode. With bytes, lines are not looked into and records are bytes.",
  ),
  "csv.header": boolean().default(true).group("Format").doc(
    "Whether the first row of a CSV file has the names of the columns.",
  ),
  "csv.columns": list().default([]).group("Format").doc(
    "Names of the columns of CSV without a header.",
  ),
  "csv.separator": string().default(",").group("Format").doc(
    "The character between the columns of CSV.",
  ),
  "bad.rows": choice("fail", "skip").default("fail").group("Format").doc(
    "What becomes of a line that is no record of the format or not encoded as said: the task fails, " +
      "naming file and position, or the line is left out and logged.",
  ),
  "line.bytes.max": int({ min: 64, max: 256 * 1024 * 1024 }).default(16 * 1024 * 1024).group(
    "Format",
  )
    .doc("A longer line is no record."),
  "batch.size": int({ min: 1 }).default(2000).group("Pace").doc(
    "How many records are given on at a time, at most.",
  ),
  "poll.interval.ms": long({ min: 1 }).default(250).group("Pace").doc(
    "How often it is looked for more.",
  ),
  "start.at": choice("beginning", "end").default("beginning").group("Files").doc(
    "Where files that are there when the connector begins for the first time are read from, in tail " +
      "mode. Those that come later are read from their beginning.",
  ),
  exclude: list().default([]).group("Files").doc(
    "Patterns of files that are left alone. Hidden files always are.",
  ),
  "when.done": choice("keep", "delete", "move").default("keep").group("Files").doc(
    "What becomes of a file in spool mode when all of its records are safe in the topic.",
  ),
  "done.directory": string().optional().group("Files").doc("Where files are moved to."),
  "settle.ms": long({ min: 0 }).default(1000).group("Files").doc(
    "In spool mode a file is read once it was not changed for so long.",
  ),
  ...shareFields,
};

type Config = ConfigOf<typeof fields>;
type Context = SourceContext<Config>;

function knownEncoding(text: string): string | null {
  if (text === "bytes") return null;
  try {
    new TextDecoder(text);
    return null;
  } catch {
    return "is no encoding that is known here";
  }
}

export default defineSource({
  name: "file-source",
  aliases: ["FileStreamSource", "org.apache.kafka.connect.file.FileStreamSourceConnector"],
  version: "1.0.0",
  doc:
    "Reads lines, JSON Lines, CSV and Parquet from files that grow or that are put into a folder. " +
    "Its offsets, {filename} and {position}, are those of Kafka's FileStreamSource. What is read " +
    "behind a position is the same each time unless files are changed, so with exactly.once.support " +
    "each line is there once. In spool mode tasks share the files of a pattern; those that grow are " +
    "followed by one task.",
  delivery: "exactly-once",
  example: {
    file: "/var/log/app/*.log",
    topic: "app-log",
  },
  config: fields,
  check(config) {
    const problems: { field: string; message: string }[] = [];
    const wrong = (field: string, message: string) =>
      problems.push({ field, message: `"${field}" ${message}` });
    const isTail = config.mode === "tail";
    if (isTail && config.format === "parquet") wrong("format", "parquet needs mode=spool");
    if (isTail && /^utf-?16/i.test(config.encoding)) wrong("encoding", "utf-16 needs mode=spool");
    if (config.format !== "lines" && config.encoding === "bytes") {
      wrong("encoding", "bytes needs format=lines");
    }
    if (config.format === "csv" && !config["csv.header"] && config["csv.columns"].length === 0) {
      wrong("csv.columns", "must be given where csv.header is false");
    }
    if (
      !/^[^"\r\n]$/.test(config["csv.separator"]) || config["csv.separator"].charCodeAt(0) > 127
    ) {
      wrong("csv.separator", "must be one character of ASCII, and no quote");
    }
    if ((config["when.done"] === "move") !== (config["done.directory"] !== null)) {
      wrong("done.directory", "goes with when.done=move, and only with it");
    }
    return problems;
  },
  // Who follows a file through its rotations has to know all of its names.
  tasks: ({ mode, file }, raw, max) =>
    sharedConfigs(raw, mode === "spool" && isPattern(file) ? max : 1),
  read: (context) => context.config.mode === "tail" ? tail(context) : spool(context),
  checkOffsets(positions) {
    for (const { partition, offset } of positions) {
      if (typeof partition["filename"] !== "string") {
        throw new Error('a partition of file-source is {"filename": PATH}');
      }
      if (offset !== null && leftAt(offset) === null) {
        throw new Error('an offset of file-source is {"position": BYTES}, a whole number from 0');
      }
    }
  },
});

function recordSettings(config: Config): RecordSettings {
  return {
    topic: config.topic,
    batchSize: config["batch.size"],
    skipsBadRows: config["bad.rows"] === "skip",
    format: config.format,
    encoding: config.encoding,
    separator: config["csv.separator"],
    hasHeader: config["csv.header"],
    columns: config["csv.columns"],
    lineBytesMax: config["line.bytes.max"],
  };
}

function isPattern(file: string): boolean {
  return /[*?[{]/.test(file);
}

/** The files that there are now, in the order of their names. */
async function pathsOf({ file, exclude }: Config): Promise<string[]> {
  if (!isPattern(file)) return [file];
  const excluded = exclude.map((pattern) => new Bun.Glob(pattern));
  const paths: string[] = [];
  const cwd = isAbsolute(file) ? "/" : ".";
  const pattern = isAbsolute(file) ? file.slice(1) : file;
  for await (const path of new Bun.Glob(pattern).scan({ cwd, onlyFiles: true })) {
    const name = isAbsolute(file) ? `/${path}` : path;
    const base = name.slice(name.lastIndexOf("/") + 1);
    if (!excluded.some((glob) => glob.match(name) || glob.match(base))) paths.push(name);
  }
  return paths.sort();
}

/** Files that were seen under one name are not read again under another. */
const INODES_MAX = 10_000;

async function* tail(context: Context): AsyncGenerator<readonly PartialSourceRecord[]> {
  const { config, clock, offsets, signal, log } = context;
  const settings = recordSettings(config);
  const format = config.format === "parquet" ? "lines" : config.format;
  const lineSettings: LineSettings = { ...settings, format };
  const files = new Map<string, TailedFile>();
  /** By inode, the name under which it was read. */
  const claimed = new Map<string, string>();
  let isFirst = true;
  try {
    while (!signal.aborted) {
      const fresh = (await pathsOf(config)).filter((path) => !files.has(path));
      const stored = await offsets.getAll(fresh.map((filename) => ({ filename })));
      for (const [i, path] of fresh.entries()) {
        const left = leftAt(stored[i] ?? null);
        if (left === null && await isClaimed(path, claimed)) continue;
        const fromEnd = isFirst && left === null && config["start.at"] === "end";
        files.set(path, new TailedFile(path, lineSettings, left, fromEnd, context));
      }
      isFirst = false;
      for (const [path, file] of files) {
        for await (const { lines, offsetOf } of file.advance()) {
          claim(claimed, file.inode, path);
          yield* batchesOf(path, { filename: path }, lines, offsetOf, settings, log);
        }
        claim(claimed, file.inode, path);
      }
      await clock.sleep(config["poll.interval.ms"], signal);
    }
  } finally {
    for (const file of files.values()) await file.close();
  }
}

async function isClaimed(path: string, claimed: ReadonlyMap<string, string>): Promise<boolean> {
  const stats = await stat(path).catch(() => null);
  const owner = stats === null ? undefined : claimed.get(String(stats.ino));
  return owner !== undefined && owner !== path;
}

function claim(claimed: Map<string, string>, inode: string, path: string): void {
  if (inode === "") return;
  claimed.delete(inode);
  claimed.set(inode, path);
  if (claimed.size > INODES_MAX) claimed.delete(claimed.keys().next().value!);
}

function spool(context: Context): AsyncGenerator<readonly PartialSourceRecord[]> {
  const { config, clock } = context;
  const isMine = isOfShare(config["task.share"]);
  const paths = async () => (await pathsOf(config)).filter(isMine);
  const folder = new FolderSpool(paths, whenDone(config), config["settle.ms"], clock);
  return spoolRecords(folder, recordSettings(config), config["poll.interval.ms"], context);
}

function whenDone(config: Config): WhenDone {
  const kind = config["when.done"];
  return kind === "move" ? { kind, directory: config["done.directory"] ?? "" } : { kind };
}
