/** Files and objects that are whole: their lines and rows, and how far they were read. */
import { open } from "node:fs/promises";
import type { SourceMap } from "../index.ts";
import { openBytes, transcoded } from "./byte-source.ts";
import { LineParser, LineReader } from "./line-reader.ts";
import type { Line, LineSettings } from "./line-reader.ts";
import { parquetRows } from "./parquet-reader.ts";

/** As the file was when it was read: another one may come under its name. */
export interface Version {
  readonly size: number;
  readonly modifiedMs: number;
}

/** Lines of a file in the making of records; `isLast`: nothing comes behind them. */
export interface SpooledLines {
  readonly lines: readonly Line[];
  readonly isLast: boolean;
}

/** The offset behind a line: position, and which version of the file it is. */
export function spoolOffset(position: number, version: Version, isDone: boolean): SourceMap {
  return { position, size: version.size, modified: version.modifiedMs, done: isDone };
}

/** Where to go on in a file; null: all of it is read. */
export function spoolStart(offset: SourceMap | null, version: Version): number | null {
  if (offset === null) return 0;
  const { position, size, modified, done } = offset;
  const isSame = size === undefined || (size === version.size && modified === version.modifiedMs);
  if (!isSame || typeof position !== "number") return 0;
  return done === true ? null : position;
}

/** How files of a spool are read. */
export interface SpoolSettings extends Omit<LineSettings, "format"> {
  readonly format: LineSettings["format"] | "parquet";
  readonly batchSize: number;
}

/** Lines, or rows, from a position on; null: nothing any more. Throws `FormatError` and what the system says. */
export async function* readSpooled(
  path: string,
  start: number | null,
  settings: SpoolSettings,
): AsyncGenerator<SpooledLines> {
  if (start === null) return;
  const { format } = settings;
  const parts = format === "parquet"
    ? rowsOf(path, start, settings.batchSize)
    : linesOf(path, start, { ...settings, format });
  // One behind, as only the next one tells which is the last.
  let before: readonly Line[] | null = null;
  for await (const lines of parts) {
    if (lines.length === 0) continue;
    if (before !== null) yield { lines: before, isLast: false };
    before = lines;
  }
  if (before !== null) yield { lines: before, isLast: true };
}

async function* rowsOf(path: string, start: number, batchSize: number) {
  const file = await open(path, "r");
  try {
    const { size: byteLength } = await file.stat();
    const slice = async (from: number, to = byteLength) => {
      const bytes = new Uint8Array(to - from);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
      return bytes.buffer.slice(0, bytesRead);
    };
    let row = start;
    for await (const values of parquetRows({ byteLength, slice }, start, batchSize)) {
      yield values.map((value): Line => ({ value, error: null, end: ++row }));
    }
  } finally {
    await file.close();
  }
}

/** Encodings in which a line end is more than one byte. */
const WIDE = /^utf-?16/i;

async function* linesOf(path: string, start: number, settings: LineSettings) {
  const isWide = WIDE.test(settings.encoding);
  const isCsv = settings.format === "csv" && settings.hasHeader;
  // In both cases what comes before has to be read: for the header, and as positions are of UTF-8.
  const from = isWide || isCsv ? 0 : start;
  const source = await openBytes(path, from);
  const bytes = isWide ? transcoded(source, settings.encoding) : source;
  try {
    const parser = new LineParser(isWide ? { ...settings, encoding: "utf-8" } : settings);
    const reader = new LineReader(bytes.read, parser, from, true);
    for (let lines = await reader.next(); lines !== null; lines = await reader.next()) {
      yield start === from ? lines : lines.filter(({ end }) => end > start);
    }
  } finally {
    await bytes.close();
  }
}
