/**
 * A place that whole files are put into, a folder or a bucket: each is read once, in the order of their
 * names, and removed or moved away when all of its records are safe.
 */
import type {
  PartialSourceRecord,
  SourceContext,
  SourceMap,
  SourcePosition,
  TaskContext,
} from "../index.ts";
import { FormatError } from "./format-error.ts";
import { lineSchema } from "./line-reader.ts";
import type { Line, LineSettings } from "./line-reader.ts";
import { readSpooled, spoolOffset, spoolStart } from "./whole-file.ts";
import type { Version } from "./whole-file.ts";

export interface SpooledFile {
  readonly name: string;
  readonly version: Version;
}

/** Where the files are. */
export interface Spool {
  /** What is there, in parts, in the order of names. */
  list(): AsyncIterable<readonly SpooledFile[]>;
  /** A path of this machine under which it can be read until `release`; null: it has gone. */
  fetch(name: string): Promise<{ readonly path: string; release(): Promise<void> } | null>;
  /** All of its records are safe. */
  finish(name: string): Promise<void>;
  partitionOf(name: string): SourceMap;
  /** Null for what is no partition of this place. */
  nameOf(partition: SourceMap): string | null;
}

/** What becomes of lines. */
export interface RecordSettings extends Omit<LineSettings, "format"> {
  readonly format: LineSettings["format"] | "parquet";
  readonly topic: string;
  readonly batchSize: number;
  /** Else a line that is no record fails the task. */
  readonly skipsBadRows: boolean;
}

/** Records of lines, in batches. Throws where a line is bad and that is to fail. */
export function* batchesOf(
  name: string,
  sourcePartition: SourceMap,
  lines: readonly Line[],
  offsetOf: (line: Line) => SourceMap,
  settings: RecordSettings,
  log: TaskContext<unknown>["log"],
): Generator<PartialSourceRecord[]> {
  const { topic, format, batchSize, skipsBadRows } = settings;
  const valueSchema = format === "parquet" ? null : lineSchema({ ...settings, format });
  let batch: PartialSourceRecord[] = [];
  for (const line of lines) {
    if (line.error !== null) {
      const place = `${name}: what ends at ${line.end} ${line.error.message}`;
      if (!skipsBadRows) throw new Error(`${place} (bad.rows=skip leaves it out)`);
      log.warn("left out", { file: name, position: line.end, why: line.error.message });
      continue;
    }
    const sourceOffset = offsetOf(line);
    batch.push({ topic, value: line.value, valueSchema, sourcePartition, sourceOffset });
    if (batch.length < batchSize) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Reads what is there and what comes, until the signal. */
export async function* spoolRecords(
  spool: Spool,
  settings: RecordSettings,
  pollMs: number,
  context: SourceContext<unknown>,
): AsyncGenerator<readonly PartialSourceRecord[]> {
  const { clock, offsets, signal } = context;
  context.onCommitted((positions) => finishDone(spool, positions));
  /** Those that were given on, and what they were then. */
  let given = new Map<string, string>();
  while (!signal.aborted) {
    const present = new Map<string, string>();
    for await (const files of spool.list()) {
      const fresh = files.filter(({ name, version }) => {
        const known = given.get(name);
        if (known !== undefined) present.set(name, known);
        return known !== JSON.stringify(version);
      });
      const stored = await offsets.getAll(fresh.map(({ name }) => spool.partitionOf(name)));
      for (const [i, file] of fresh.entries()) {
        const start = spoolStart(stored[i] ?? null, file.version);
        yield* recordsOf(spool, file, start, settings, context);
        if (signal.aborted) return;
        present.set(file.name, JSON.stringify(file.version));
      }
    }
    given = present;
    await clock.sleep(pollMs, signal);
  }
}

async function finishDone(spool: Spool, positions: readonly SourcePosition[]): Promise<void> {
  for (const { partition, offset } of positions) {
    const name = offset["done"] === true ? spool.nameOf(partition) : null;
    if (name !== null) await spool.finish(name);
  }
}

async function* recordsOf(
  spool: Spool,
  { name, version }: SpooledFile,
  start: number | null,
  settings: RecordSettings,
  { log, signal }: SourceContext<unknown>,
): AsyncGenerator<readonly PartialSourceRecord[]> {
  // Of what gives nothing, nothing will be committed.
  if (start === null) return await spool.finish(name);
  const fetched = await spool.fetch(name);
  if (fetched === null) return;
  let isEmpty = true;
  try {
    for await (const { lines, isLast } of readSpooled(fetched.path, start, settings)) {
      const last = isLast ? lines.findLast(({ error }) => error === null) : undefined;
      const offsetOf = (line: Line) => spoolOffset(line.end, version, line === last);
      const batches = batchesOf(name, spool.partitionOf(name), lines, offsetOf, settings, log);
      for (const batch of batches) {
        isEmpty = false;
        yield batch;
      }
      if (signal.aborted) return;
    }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    if (!settings.skipsBadRows) throw new Error(`${name} ${error.message}`);
    log.warn("left in its place", { file: name, why: error.message });
    isEmpty = false;
  } finally {
    await fetched.release();
  }
  if (isEmpty) await spool.finish(name);
  log.info("read", { file: name });
}
