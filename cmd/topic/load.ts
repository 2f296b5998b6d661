import { createReadStream } from "node:fs";
import { OperatorError } from "../../core/operator-error.ts";
import { forEachBatch } from "../../core/records/batch-header.ts";
import type { Admin } from "../../client/admin.ts";
import { refusal, throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { count, print, printJson } from "../output.ts";
import { reasonOf } from "../reason.ts";
import { onInterrupt, say } from "../terminal.ts";
import { DumpError, readFrames } from "./copy/dump-file.ts";
import type { DumpFrame, DumpHeader, DumpIndex } from "./copy/dump-file.ts";
import { copyGroups } from "./copy/groups.ts";
import type { CopiedGroup } from "./copy/groups.ts";
import { TopicLoader } from "./copy/loader.ts";
import { CountedProgress } from "../progress.ts";
import { finishTarget, openTarget } from "./copy/target.ts";

/** Options of `topic load`. */
export interface LoadOptions extends AdminOptions {
  readonly as?: string | undefined;
  readonly replication?: number | undefined;
  readonly groups?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** What `topic load` and `topic clone` have done. */
export interface CopySummary {
  readonly topic: string;
  /** Where it comes from: a topic, or the file of a dump. */
  readonly from: string;
  /** Records in the topic now. */
  readonly records: number;
  /** How many of them were there before this run. */
  readonly present: number;
  readonly groups: readonly CopiedGroup[];
}

/** `kstream topic load`: a file is checked as a whole before anything is written. */
export async function loadTopic(path: string, options: LoadOptions): Promise<void> {
  const checked = path === "-" ? null : await checkDump(path);
  await withAdmin(options, async (admin) => {
    const load = new Load(admin, path, checked?.index ?? null, options);
    await load.run();
  });
}

class Load {
  readonly #signal = onInterrupt();

  constructor(
    readonly admin: Admin,
    readonly path: string,
    readonly index: DumpIndex | null,
    readonly options: LoadOptions,
  ) {}

  async run(): Promise<void> {
    const frames = framesOf(this.path);
    const first = await frames.next();
    const header = first.done !== true && first.value.type === "header" ? first.value.header : null;
    if (header === null) throw new OperatorError(`cannot load ${this.path}`, "it is no dump", "");
    const name = this.options.as ?? header.topic;
    try {
      await this.#load(name, header, frames);
    } catch (error) {
      if (this.#signal.aborted && error === this.#signal.reason) {
        throw new OperatorError("interrupted", "run it again to go on", "", 4);
      }
      throw refusal(`cannot load topic "${name}"`, error);
    }
  }

  async #load(name: string, header: DumpHeader, frames: AsyncIterable<DumpFrame>): Promise<void> {
    const { admin, options } = this;
    const source = options.groups ? header : { ...header, groups: [] };
    await openTarget(admin, name, source, options.replication ?? -1);
    const loader = await TopicLoader.open(admin, name, source, options, this.#signal);
    for (const { partition, records } of this.index?.partitions ?? []) {
      loader.checkNoMore(partition, records);
    }
    if (loader.present > 0) {
      say(`kstream: topic "${name}" has ${count(loader.present, "record")}: going on behind them`);
    }
    const total = this.index?.records ?? null;
    const progress = new CountedProgress("loaded", total);
    try {
      for await (const frame of frames) {
        if (frame.type !== "chunk") continue;
        this.#signal.throwIfAborted();
        const { partition, bytes, records } = frame.chunk;
        await loader.take(partition, bytes);
        progress.add(records, bytes.length);
      }
      await loader.finish();
    } finally {
      progress.end();
    }
    await reportCopy(admin, name, this.path, source, loader, options.json ?? false);
  }
}

/** What follows once all records are there: the last configs, the groups, the report. */
export async function reportCopy(
  admin: Admin,
  topic: string,
  from: string,
  header: DumpHeader,
  loader: TopicLoader,
  json: boolean,
): Promise<void> {
  await finishTarget(admin, topic, header);
  const { groups, failures } = await copyGroups(admin, topic, header, loader);
  const taken = [...loader.targets.values()].reduce((sum, target) => sum + target.taken, 0);
  const summary: CopySummary = { topic, from, records: taken, present: loader.present, groups };
  if (json) await printJson(summary);
  else {
    const before = summary.present > 0
      ? ` (${summary.present.toLocaleString("en")} were there)`
      : "";
    const also = groups.length > 0 ? `, ${count(groups.length, "group")}` : "";
    await print(`${from} → topic ${topic}: ${count(taken, "record")}${before}${also}\n`);
  }
  throwFailures(failures);
}

async function* framesOf(path: string): AsyncGenerator<DumpFrame> {
  const what = `cannot load ${path === "-" ? "standard input" : path}`;
  const input: AsyncIterable<Uint8Array> = path === "-"
    ? process.stdin
    : createReadStream(path, { highWaterMark: 1 << 20 });
  try {
    yield* readFrames(input);
  } catch (error) {
    if (error instanceof DumpError) {
      const advice = error.isCut ? "run topic dump again to complete it" : "";
      throw new OperatorError(what, error.message, advice);
    }
    if (!(error instanceof Error) || !("code" in error)) throw error;
    throw new OperatorError(what, reasonOf(error), "", 2);
  }
}

/** Reads all of the file: what is loaded is sound and complete, or nothing is loaded. */
async function checkDump(path: string): Promise<{ index: DumpIndex }> {
  const counts = new Map<number, number>();
  let index: DumpIndex | null = null;
  for await (const frame of framesOf(path)) {
    if (frame.type === "index") index = frame.index;
    if (frame.type !== "chunk") continue;
    const { partition, records, bytes } = frame.chunk;
    counts.set(partition, (counts.get(partition) ?? 0) + records);
    if (forEachBatch(bytes, () => {}) !== bytes.length) {
      throw new OperatorError(`cannot load ${path}`, `a batch is cut at ${frame.position}`, "");
    }
  }
  const wrong = index?.partitions.find((each) =>
    (counts.get(each.partition) ?? 0) !== each.records
  );
  if (index !== null && wrong === undefined) return { index };
  throw new OperatorError(`cannot load ${path}`, "its index does not fit its records", "");
}
