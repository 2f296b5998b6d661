/** The config that sinks of many files have in common. */
import { choice, FieldError, int, list, long, string } from "../index.ts";
import type { ConfigOf, SinkRecord } from "../index.ts";
import { COMPRESSION_SUFFIXES } from "./compress.ts";
import type { FileCompression } from "./compress.ts";
import { ParquetRows } from "./parquet-writer.ts";
import type { ParquetCompression } from "./parquet-writer.ts";
import { PATH_PLACEHOLDERS, pathTemplate, recordTimeMs } from "./path-template.ts";
import type { PathTemplate } from "./path-template.ts";
import { CsvWriter, JsonLinesWriter, TextLinesWriter } from "./writer.ts";
import type { Content, FormatWriter } from "./writer.ts";

const MIB = 1024 * 1024;

/** What is written, and how. */
export const formatFields = {
  format: choice("jsonl", "csv", "parquet", "lines").default("jsonl").group("Format").doc(
    "How records are written: jsonl is a JSON value per line, csv has a line with the names of the " +
      "columns first, parquet has columns with types, lines writes texts as they are.",
  ),
  content: choice("value", "record").default("value").group("Format").doc(
    "What of a record is written: its value, or an object of topic, partition, offset, timestamp, " +
      "key, value and headers, which also tells tombstones.",
  ),
  compression: choice("none", "gzip", "zstd", "snappy").default("none").group("Format").doc(
    "How files are compressed; those of parquet within, all others as a whole. snappy is for parquet.",
  ),
  "csv.columns": list().default([]).group("Format").doc(
    "The columns of csv in their order; without them, the fields of the first record of each file. A " +
      "record with another field is refused, since that field would be lost.",
  ),
  "csv.separator": string().default(",").group("Format").check(oneCharacter).doc(
    "The character between the columns of csv.",
  ),
  "parquet.row.group.bytes": int({ min: 1024, max: 1024 * MIB }).default(16 * MIB).group("Format")
    .doc("Rows of parquet wait in memory until they have about so many bytes."),
};

/** Where files are and when they are full. */
export const rollingFields = {
  ...formatFields,
  "path.format": string().default("{topic}/partition={partition}").group("Files").check(goodPath)
    .doc(`The folder of a record's file. Placeholders are ${PATH_PLACEHOLDERS}.`)
    .example("{topic}/{yyyy}/{MM}/{dd}"),
  "timestamp.field": string().optional().group("Files").doc(
    "The field of values that has the time for path.format and rotate.interval.ms; without it, the " +
      "time of the record.",
  ),
  "flush.size": long({ min: 1 }).optional().group("Files").doc(
    "A partition's files are closed after so many records.",
  ),
  "rotate.bytes": long({ min: 1 }).default(128 * MIB).group("Files").doc(
    "A partition's files are closed when one of them has about so many bytes before compression.",
  ),
  "rotate.interval.ms": long({ min: 1 }).optional().group("Files").doc(
    "A partition's files are closed by a record that is so much later, or earlier, than their first.",
  ),
  "rotate.schedule.interval.ms": long({ min: 100 }).optional().group("Files").doc(
    "A partition's files are closed when they are so old by the clock, also if no record comes.",
  ),
  "open.files.max": int({ min: 1, max: 10_000 }).default(100).group("Files").doc(
    "A partition's files are closed when so many are open and a record belongs in yet another one.",
  ),
  "buffer.bytes": long({ min: MIB }).default(64 * MIB).group("Files").doc(
    "What waits in memory goes to disk when there is more than this.",
  ),
};

export type RollingConfig = ConfigOf<typeof rollingFields>;

function oneCharacter(text: string): string | null {
  return text.length === 1 && !/["\r\n]/.test(text) ? null : "must be one character, and no quote";
}

function goodPath(text: string): string | null {
  try {
    pathTemplate(text);
    return null;
  } catch (error) {
    if (error instanceof FieldError) return error.message;
    throw error;
  }
}

/** See `rollingFields`. */
export interface RollingSettings {
  /** What all names begin with. */
  readonly prefix: string;
  readonly content: Content;
  readonly pathOf: PathTemplate;
  readonly timeMsOf: (record: SinkRecord) => number;
  readonly newWriter: () => FormatWriter;
  /** Of the file as a whole. */
  readonly compression: FileCompression;
  /** What names end with. */
  readonly extension: string;
  readonly flushSize: number | null;
  readonly rotateBytes: number;
  readonly rotateIntervalMs: number | null;
  readonly scheduleMs: number | null;
  readonly filesMax: number;
  readonly bufferBytes: number;
  /** Whether files are closed when partitions go, not thrown away. */
  readonly closesWhenLeaving: boolean;
}

/** What no single field shows. */
export function checkFormat(config: ConfigOf<typeof formatFields>) {
  const isRefused = config.compression === "snappy" && config.format !== "parquet";
  if (!isRefused) return [];
  return [{
    field: "compression",
    message: `"compression" must be none, gzip or zstd for ${config.format}: snappy is for parquet`,
  }];
}

export function rollingSettings(
  config: RollingConfig,
  { closesWhenLeaving, prefix = "" }: {
    readonly closesWhenLeaving: boolean;
    readonly prefix?: string;
  },
): RollingSettings {
  const compression = fileCompression(config);
  return {
    prefix,
    content: config.content,
    pathOf: pathTemplate(config["path.format"], config["timestamp.field"]),
    timeMsOf: (record) => recordTimeMs(record, config["timestamp.field"]),
    newWriter: () => newWriter(config),
    compression,
    extension: `.${config.format === "lines" ? "txt" : config.format}` +
      COMPRESSION_SUFFIXES[compression],
    flushSize: config["flush.size"],
    rotateBytes: config["rotate.bytes"],
    rotateIntervalMs: config["rotate.interval.ms"],
    scheduleMs: config["rotate.schedule.interval.ms"],
    filesMax: config["open.files.max"],
    bufferBytes: config["buffer.bytes"],
    closesWhenLeaving,
  };
}

/** Pages of Parquet are compressed, not its files. */
function fileCompression(config: ConfigOf<typeof formatFields>): FileCompression {
  if (config.format === "parquet" || config.compression === "snappy") return "none";
  return config.compression;
}

/** A file's writer. */
export function newWriter(config: ConfigOf<typeof formatFields>): FormatWriter {
  const columns = config["csv.columns"];
  switch (config.format) {
    case "jsonl":
      return new JsonLinesWriter();
    case "lines":
      return new TextLinesWriter();
    case "csv":
      return new CsvWriter(columns.length === 0 ? null : columns, config["csv.separator"]);
    case "parquet": {
      const compression: ParquetCompression = config.compression;
      return new ParquetRows(compression, config["parquet.row.group.bytes"]);
    }
  }
}
