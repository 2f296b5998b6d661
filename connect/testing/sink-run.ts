/** A sink under test: partitions come and go, records are written, offsets committed. */
import type { Fields } from "../config/fields.ts";
import type { RawConfig } from "../config/parse.ts";
import { RetriableError } from "../connector.ts";
import type { SinkDefinition, SinkPosition, SinkTask } from "../connector.ts";
import type { SinkRecord } from "../data/record.ts";
import type { ConnectValue } from "../data/values.ts";
import { readConfig, TestTask } from "./task.ts";
import type { RunOptions } from "./task.ts";

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A record on its way to a sink, from what a test cares for. */
export function sinkRecord(
  value: ConnectValue,
  offset: number | bigint,
  more: Partial<SinkRecord> = {},
): SinkRecord {
  const topic = more.topic ?? "test";
  const partition = more.partition ?? 0;
  return {
    topic,
    partition,
    offset: BigInt(offset),
    keySchema: null,
    key: null,
    valueSchema: null,
    value,
    headers: [],
    timestampMs: null,
    timestampType: "CreateTime",
    original: { topic, partition, offset: BigInt(offset) },
    ...more,
  };
}

/** Values one after the other in a partition, from offset `first` on. */
export function sinkRecords(
  values: readonly ConnectValue[],
  more: Partial<SinkRecord> & { readonly first?: number } = {},
): SinkRecord[] {
  const { first = 0, ...rest } = more;
  return values.map((value, i) => sinkRecord(value, first + i, rest));
}

/** How often the same records are tried before the test fails. */
const RETRIES_MAX = 10;
const RETRY_PAUSE_MS = 100;

export interface SinkRunOptions extends RunOptions {
  /** An earlier run: a restart, which goes on where that one has committed. */
  readonly after?: SinkRun;
}

/** A sink at work. */
export class SinkRun {
  /** What it refused, with the reason. */
  readonly rejected: { readonly record: SinkRecord; readonly error: Error }[] = [];
  /** How often it wanted the same records again. */
  retries = 0;
  /** How often it asked for a commit. */
  commitsRequested = 0;
  /** By `topic-partition`: where the next record to be taken is; what was committed. */
  readonly #taken = new Map<string, SinkPosition>();
  readonly #committed: Map<string, SinkPosition>;
  #assigned: TopicPartition[] = [];
  private sink: SinkTask | null = null;

  /** What `before` has committed is where it goes on. */
  constructor(readonly task: TestTask<unknown>, before?: SinkRun) {
    this.#committed = new Map(before === undefined ? [] : before.#committed);
  }

  /** Begins at the sink's side. */
  begin(sink: SinkTask): void {
    this.sink = sink;
  }

  get log(): readonly string[] {
    return this.task.log;
  }

  /** What is committed, by `topic-partition`. */
  committed(): Record<string, bigint> {
    return Object.fromEntries([...this.#committed].map(([name, { offset }]) => [name, offset]));
  }

  /** Partitions come; resolves to where the sink wants to begin in them, if it says so. */
  async assign(partitions: readonly TopicPartition[]): Promise<readonly SinkPosition[]> {
    this.#assigned = [...this.#assigned, ...partitions];
    const given = partitions.map((of) => {
      const metadata = this.#committed.get(nameOf(of))?.metadata;
      return { ...of, ...(metadata !== undefined && { metadata }) };
    });
    const assigned = this.#sink().assigned?.(given) ?? Promise.resolve();
    const wanted = await this.task.within(assigned, () => "assigned()") ?? [];
    for (const of of partitions) {
      const position = this.#committed.get(nameOf(of));
      if (position !== undefined) this.#taken.set(nameOf(of), position);
    }
    for (const position of wanted) this.#taken.set(nameOf(position), position);
    return wanted;
  }

  /**
   * Gives it records; partitions that it does not have come to it before, records before the
   * position that it wanted are left out, as the runtime does not send those.
   */
  async write(records: readonly SinkRecord[]): Promise<void> {
    const missing = new Map(records.map(({ original }) => [nameOf(original), original]));
    for (const own of this.#assigned) missing.delete(nameOf(own));
    if (missing.size > 0) {
      await this.assign(
        [...missing.values()].map(({ topic, partition }) => ({ topic, partition })),
      );
    }
    const wanted = records.filter(({ original }) =>
      original.offset >= (this.#taken.get(nameOf(original))?.offset ?? 0n)
    );
    if (wanted.length > 0) await this.#writeOrRetry(wanted);
    for (const { original: { topic, partition, offset } } of wanted) {
      this.#taken.set(nameOf({ topic, partition }), { topic, partition, offset: offset + 1n });
    }
  }

  async #writeOrRetry(records: readonly SinkRecord[]): Promise<void> {
    for (let attempt = 0;; attempt++) {
      try {
        return await this.task.within(this.#sink().write(records), () => "write()");
      } catch (error) {
        if (!(error instanceof RetriableError) || attempt === RETRIES_MAX) throw error;
        this.retries++;
        const { clock, signal } = this.task.context;
        await clock.sleep(RETRY_PAUSE_MS * 2 ** attempt, signal);
      }
    }
  }

  /** Commits what the sink says is safe. */
  async flush(leaving = false): Promise<void> {
    const sink = this.#sink();
    const taken = [...this.#taken.values()].map(({ topic, partition, offset }) => {
      return { topic, partition, offset };
    });
    const flushed = sink.flush?.(taken, leaving) ?? Promise.resolve(taken);
    const safe = await this.task.within(flushed, () => "flush()");
    this.commit(safe);
  }

  /** As the runtime does it. */
  commit(positions: readonly SinkPosition[]): void {
    for (const position of positions) this.#committed.set(nameOf(position), position);
  }

  /** All partitions go in good order; others may come then. */
  async revoke(): Promise<void> {
    await this.flush(true);
    const gone = this.#assigned;
    this.#assigned = [];
    this.#taken.clear();
    await this.task.within(this.#sink().revoked?.(gone) ?? Promise.resolve(), () => "revoked()");
  }

  /** Ends in good order: what is safe is committed. */
  async stop(): Promise<void> {
    await this.revoke();
    await this.#close();
  }

  /** Ends as a killed worker does, as far as that can be in one process: nothing is flushed. */
  async crash(): Promise<void> {
    await this.#close();
  }

  async #close(): Promise<void> {
    this.task.abort();
    const closed = this.#sink().close?.() ?? Promise.resolve();
    await this.task.within(closed, () => "close()");
  }

  #sink(): SinkTask {
    if (this.sink === null) throw new Error("the sink has not begun");
    return this.sink;
  }
}

/** Begins a sink. Throws `ConfigError` and what `open` throws. */
export async function startSink<F extends Fields>(
  definition: SinkDefinition<F>,
  config: RawConfig,
  options: SinkRunOptions = {},
): Promise<SinkRun> {
  const task = new TestTask(readConfig(definition, config), options);
  const run = new SinkRun(task, options.after);
  const opened = definition.open({
    ...task.context,
    reject: (record, error) => {
      run.rejected.push({ record, error });
      return Promise.resolve();
    },
    requestCommit: () => void run.commitsRequested++,
    commit: (positions) => Promise.resolve(run.commit(positions)),
  });
  run.begin(await task.within(Promise.resolve(opened), () => "open()"));
  return run;
}

/** Writes the records, commits and stops. */
export async function runSink<F extends Fields>(
  definition: SinkDefinition<F>,
  config: RawConfig,
  records: readonly SinkRecord[],
  options: SinkRunOptions = {},
): Promise<SinkRun> {
  const run = await startSink(definition, config, options);
  await run.write(records);
  await run.stop();
  return run;
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}
