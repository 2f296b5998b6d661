/** A source under test: read as the runtime reads it, committed, stopped, begun again. */
import type { Fields } from "../config/fields.ts";
import type { RawConfig } from "../config/parse.ts";
import type { SourceDefinition, SourcePosition } from "../connector.ts";
import { sourceRecord } from "../data/record.ts";
import type { PartialSourceRecord, SourceRecord } from "../data/record.ts";
import { TestOffsets } from "./offsets.ts";
import { readConfig, TestTask } from "./task.ts";
import type { RunOptions } from "./task.ts";

export interface SourceRunOptions extends RunOptions {
  /** What it finds committed, and where `commit` puts it; those of an earlier run: a restart. */
  readonly offsets?: TestOffsets;
  /** It is only looked at: nothing that stays is to be made. */
  readonly isDryRun?: true;
}

/** So many records, or until this holds for all that have come. */
export type Until = number | ((records: readonly SourceRecord[]) => boolean);

type Acknowledged = (positions: readonly SourcePosition[]) => void;
type Written = (record: PartialSourceRecord, offset: bigint) => void;
type Committed = (positions: readonly SourcePosition[]) => Promise<void> | void;

/** Callbacks that the source has given. */
interface Heard {
  readonly acknowledged: Acknowledged[];
  readonly committed: Committed[];
  readonly written: Written[];
}

/** A source at work. It is asked for a batch only when one is wanted. */
export class SourceRun {
  /** All that has come. */
  readonly records: SourceRecord[] = [];
  /** How many records each batch had. */
  readonly batches: number[] = [];
  readonly offsets: TestOffsets;
  readonly #task: TestTask<unknown>;
  readonly #iterator: AsyncIterator<readonly PartialSourceRecord[]>;
  readonly #heard: Heard;
  #acknowledgedCount = 0;
  #committedCount = 0;

  constructor(
    task: TestTask<unknown>,
    iterator: AsyncIterator<readonly PartialSourceRecord[]>,
    offsets: TestOffsets,
    heard: Heard,
  ) {
    this.#task = task;
    this.#iterator = iterator;
    this.offsets = offsets;
    this.#heard = heard;
  }

  /** What it has logged. */
  get log(): readonly string[] {
    return this.#task.log;
  }

  get gauges(): ReadonlyMap<string, number> {
    return this.#task.gauges;
  }

  /** The next batch; null where the source has ended. Throws what the source throws. */
  async next(): Promise<readonly SourceRecord[] | null> {
    const { done, value } = await this.#task.within(
      this.#iterator.next(),
      () => `a batch of the source; ${this.records.length} records have come so far`,
    );
    if (done === true) return null;
    const batch = value.map(sourceRecord);
    this.batches.push(batch.length);
    this.records.push(...batch);
    return batch;
  }

  /** Reads until so many more have come, or until it holds for all; resolves to those that came. */
  async take(until: Until): Promise<SourceRecord[]> {
    const from = this.records.length;
    const isEnough = () =>
      typeof until === "number" ? this.records.length - from >= until : until(this.records);
    while (!isEnough()) {
      if (await this.next() === null) {
        throw new Error(`the source ended after ${this.records.length} records`);
      }
    }
    return this.records.slice(from);
  }

  /** The values of all that has come. */
  values(): SourceRecord["value"][] {
    return this.records.map(({ value }) => value);
  }

  /** The first `count` records are in the topic; their offsets are not stored yet. */
  acknowledge(count: number = this.records.length): void {
    const fresh = this.records.slice(this.#acknowledgedCount, count);
    for (const [index, record] of fresh.entries()) {
      for (const hear of this.#heard.written) {
        hear(record, BigInt(this.#acknowledgedCount + index));
      }
    }
    const positions = lastPositions(fresh);
    this.#acknowledgedCount = Math.max(this.#acknowledgedCount, count);
    if (positions.length === 0) return;
    for (const hear of this.#heard.acknowledged) hear(positions);
  }

  /** The first `count` records are safe: their offsets are stored, the source hears of it. */
  async commit(count: number = this.records.length): Promise<void> {
    this.acknowledge(count);
    const stored = lastPositions(this.records.slice(this.#committedCount, count));
    this.#committedCount = Math.max(this.#committedCount, count);
    for (const position of stored) this.offsets.set(position);
    for (const hear of this.#heard.committed) await hear(stored);
  }

  /** Ends it. Throws if it does not come back when its signal aborts. */
  async stop(): Promise<void> {
    this.#task.abort();
    await this.#task.within(
      Promise.resolve(this.#iterator.return?.()),
      () => "the source to end: what waits in it has to come back when the signal aborts",
    );
  }
}

/** The last offset of each partition. */
function lastPositions(records: readonly SourceRecord[]): SourcePosition[] {
  const positions = new Map<string, SourcePosition>();
  for (const { sourcePartition, sourceOffset } of records) {
    if (sourcePartition === null || sourceOffset === null) continue;
    const position = { partition: sourcePartition, offset: sourceOffset };
    positions.set(JSON.stringify(sourcePartition), position);
  }
  return [...positions.values()];
}

/** Begins a source. Throws `ConfigError`. */
export function startSource<F extends Fields>(
  definition: SourceDefinition<F>,
  config: RawConfig,
  options: SourceRunOptions = {},
): SourceRun {
  const task = new TestTask(readConfig(definition, config), options);
  const offsets = options.offsets ?? new TestOffsets();
  const acknowledged: Acknowledged[] = [];
  const committed: Committed[] = [];
  const written: Written[] = [];
  const batches = definition.read({
    ...task.context,
    ...(options.isDryRun === true ? { isDryRun: true } : {}),
    offsets,
    onAcknowledged: (callback) => void acknowledged.push(callback),
    onCommitted: (callback) => void committed.push(callback),
    onWritten: (callback) => void written.push(callback),
  });
  const heard = { acknowledged, committed, written };
  return new SourceRun(task, batches[Symbol.asyncIterator](), offsets, heard);
}

/** Reads until so, commits all of it and stops. To restart, give `offsets` of the result. */
export async function runSource<F extends Fields>(
  definition: SourceDefinition<F>,
  config: RawConfig,
  options: SourceRunOptions & { readonly until: Until },
): Promise<SourceRun> {
  const run = startSource(definition, config, options);
  try {
    await run.take(options.until);
    await run.commit();
  } finally {
    await run.stop();
  }
  return run;
}
