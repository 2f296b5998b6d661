/**
 * Writes records to tables in transactions. A batch that the database refuses is halved until the
 * record is found that is to blame; what is lost on the way is tried again as a whole.
 */
import { DataError, RetriableError } from "../../index.ts";
import type { SinkContext, SinkPosition, SinkRecord } from "../../index.ts";
import { bind, store } from "./batch.ts";
import type { BoundChange, InsertMode } from "./batch.ts";
import { changeOf } from "./changes.ts";
import type { Change, ChangeSettings } from "./changes.ts";
import { tableText } from "./dialect.ts";
import type { Dialect } from "./dialect.ts";
import { openSession, taskError } from "./session.ts";
import type { Session } from "./session.ts";
import { OffsetMoved } from "./sink-offsets.ts";
import type { SinkOffsets } from "./sink-offsets.ts";
import { SqlError } from "./sql-error.ts";
import { Tables } from "./tables.ts";
import type { TableSettings } from "./tables.ts";
import type { Target } from "./target.ts";

/** A session that has prepared more statements is closed, as servers keep them all. */
const PREPARED_MAX = 500;
/** How long a partition's claim is tried again while the database is away. */
const CLAIM_PATIENCE_MS = 30_000;
const CLAIM_PAUSE_MS = 500;

export interface WriterSettings {
  readonly target: Target;
  readonly changes: ChangeSettings;
  readonly tables: TableSettings;
  readonly mode: InsertMode;
  readonly batchSize: number;
  readonly zone: string;
  readonly timeoutMs: number;
}

/** See the head of the file. */
export class RowWriter {
  readonly #tables: Tables;
  /** Records that are stored or rejected, should they come again because others were not. */
  readonly #settled = new WeakSet<SinkRecord>();
  #session: Session | null = null;

  constructor(
    readonly settings: WriterSettings,
    readonly dialect: Dialect,
    /** Null: at least once. */
    readonly offsets: SinkOffsets | null,
    readonly context: SinkContext<unknown>,
  ) {
    this.#tables = new Tables(dialect, settings.tables, context.log);
  }

  /** Partitions come: where to begin in them. */
  async claim(
    partitions: readonly Pick<SinkPosition, "topic" | "partition">[],
  ): Promise<readonly SinkPosition[]> {
    const { offsets } = this;
    if (offsets === null) return [];
    const positions: SinkPosition[] = [];
    for (const { topic, partition } of partitions) {
      const offset = await this.#patiently(() =>
        this.#with((session) => offsets.claim(session, { topic, partition }))
      );
      if (offset !== null) positions.push({ topic, partition, offset });
    }
    return positions;
  }

  async write(records: readonly SinkRecord[]): Promise<void> {
    const { batchSize } = this.settings;
    for (let at = 0; at < records.length; at += batchSize) {
      await this.#writeBatch(
        records.slice(at, at + batchSize).filter((one) => this.#isWanted(one)),
      );
    }
  }

  /** Offsets behind records that were dropped or rejected are stored too. */
  async flush(taken: readonly SinkPosition[]): Promise<readonly SinkPosition[]> {
    if (this.offsets === null) return taken;
    const ahead = taken.filter((position) =>
      !this.offsets?.has({ ...position, offset: position.offset - 1n })
    );
    try {
      if (ahead.length > 0) await this.#with((session) => this.#transact(session, [], ahead));
    } catch (error) {
      if (!(error instanceof OffsetMoved)) throw error;
      return await this.flush(taken);
    }
    return taken;
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.close();
  }

  #isWanted(record: SinkRecord): boolean {
    return !this.#settled.has(record) && !(this.offsets?.has(record.original) ?? false);
  }

  async #writeBatch(records: readonly SinkRecord[]): Promise<void> {
    if (records.length === 0) return;
    const changes: Change[] = [];
    for (const record of records) {
      // Nothing is waited for as a rule: a turn of the microtask queue per record is dear.
      const rejection = this.#orReject(record, () => {
        changes.push(changeOf(record, this.settings.changes));
      });
      if (rejection !== null) await rejection;
    }
    for (let attempt = 0;; attempt++) {
      try {
        const bound = await this.#with((session) => this.#bound(session, changes));
        await this.#store(bound);
        return;
      } catch (error) {
        // A table was changed by others: it is looked at again, once.
        if (!(error instanceof SqlError) || error.trouble !== "stale" || attempt > 0) throw error;
        this.#tables.forget();
      }
    }
  }

  /** Has tables ready for the changes. What does not go into its columns is rejected. */
  async #bound(session: Session, changes: readonly Change[]): Promise<BoundChange[]> {
    const wanted = changes.filter(({ record }) => this.#isWanted(record));
    const bound: BoundChange[] = [];
    const tables = byTable(this.dialect, wanted);
    for (const ofTable of tables.values()) {
      const table = await this.#tables.ready(session, ofTable[0]!.table, ofTable);
      for (const change of ofTable) {
        const rejection = this.#orReject(change.record, () => {
          bound.push(bind(change, table, this.settings.zone));
        });
        if (rejection !== null) await rejection;
      }
    }
    if (tables.size === 1) return bound;
    // In the order of records, so that halves are what comes before and what comes behind.
    const order = new Map(wanted.map((change, at) => [change, at]));
    return bound.sort((a, b) => order.get(a.change)! - order.get(b.change)!);
  }

  async #store(changes: readonly BoundChange[]): Promise<void> {
    if (changes.length === 0) return;
    try {
      await this.#with((session) => this.#transact(session, changes, positionsOf(changes)));
      for (const { change } of changes) this.#settled.add(change.record);
    } catch (error) {
      if (error instanceof OffsetMoved) {
        return await this.#store(changes.filter(({ change }) => this.#isWanted(change.record)));
      }
      if (!(error instanceof SqlError) || error.trouble !== "data") throw error;
      if (changes.length === 1) {
        const { record, table } = changes[0]!.change;
        const where = tableText(this.dialect, table);
        return await this.#reject(record, new Error(`table ${where}: ${error.message}`));
      }
      const half = Math.ceil(changes.length / 2);
      await this.#store(changes.slice(0, half));
      await this.#store(changes.slice(half));
    }
  }

  async #transact(
    session: Session,
    changes: readonly BoundChange[],
    positions: readonly SinkPosition[],
  ): Promise<void> {
    const { offsets, dialect } = this;
    await session.begin();
    if (offsets !== null) {
      for (const position of positions) await offsets.advance(session, position);
    }
    const tables = Map.groupBy(changes, ({ table }) => table);
    for (const ofTable of tables.values()) {
      await store(session, dialect, this.settings.mode, ofTable);
    }
    await session.commit();
    for (const position of positions) offsets?.advanced(position);
  }

  /** Runs on the connection. Afterwards no transaction is left open, or there is no connection. */
  async #with<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const { target } = this.settings;
    try {
      const session = await this.#connected();
      return await work(session);
    } catch (error) {
      await this.#undo(error);
      if (error instanceof SqlError && (error.trouble === "lost" || error.trouble === "other")) {
        throw taskError(target, error);
      }
      throw error;
    }
  }

  async #connected(): Promise<Session> {
    if (this.#session !== null && this.#session.prepared > PREPARED_MAX) await this.close();
    if (this.#session === null) {
      const { clock, signal } = this.context;
      const limits = { clock, signal, timeoutMs: this.settings.timeoutMs };
      this.#session = await openSession(this.settings.target, limits);
      await this.offsets?.prepare(this.#session);
    }
    return this.#session;
  }

  async #undo(error: unknown): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    try {
      if (error instanceof SqlError && error.trouble === "lost") return await this.close();
      await session.query("ROLLBACK");
    } catch {
      // Without a transaction SQLite has nothing to undo; any other connection is given up.
      if (session.dialect !== "sqlite") await this.close();
    }
  }

  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    const { clock, signal, log } = this.context;
    const until = clock.monotonicMs() + CLAIM_PATIENCE_MS;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const isOver = signal.aborted || clock.monotonicMs() > until;
        if (!(error instanceof RetriableError) || isOver) throw error;
        log.warn("the offsets are not there yet", { error: error.message });
        await clock.sleep(CLAIM_PAUSE_MS, signal);
      }
    }
  }

  /** Null: it went well. */
  #orReject(record: SinkRecord, work: () => void): Promise<void> | null {
    if (this.#settled.has(record)) return null;
    try {
      work();
      return null;
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      return this.#reject(record, error);
    }
  }

  async #reject(record: SinkRecord, error: Error): Promise<void> {
    await this.context.reject(record, error);
    this.#settled.add(record);
  }
}

function byTable(dialect: Dialect, changes: readonly Change[]): Map<string, Change[]> {
  const byTopic = Map.groupBy(changes, ({ record }) => record.topic);
  const found = new Map<string, Change[]>();
  for (const ofTopic of byTopic.values()) {
    const text = tableText(dialect, ofTopic[0]!.table);
    found.set(text, [...found.get(text) ?? [], ...ofTopic]);
  }
  return found;
}

/** Behind the last record of each partition, always in the same order: so tasks do not lock each other. */
function positionsOf(changes: readonly BoundChange[]): SinkPosition[] {
  const last = new Map<string, SinkPosition>();
  for (let i = changes.length - 1; i >= 0; i--) {
    const { topic, partition, offset } = changes[i]!.change.record.original;
    const before = changes[i + 1]?.change.record.original;
    // Records of a partition come one after the other as a rule.
    if (before?.partition === partition && before.topic === topic) continue;
    const name = `${topic}-${partition}`;
    if (!last.has(name)) last.set(name, { topic, partition, offset: offset + 1n });
  }
  return [...last].sort(([a], [b]) => a < b ? -1 : 1).map(([, position]) => position);
}
