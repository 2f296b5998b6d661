/**
 * From connecting to the stream: which slot, which snapshot, where to go on.
 *
 *     no offset    make the slot, read the rows as of its beginning, then stream
 *     snapshot     read on behind the last row as of now, then stream from the slot's beginning
 *     stream       stream
 *
 * A slot that is there already, where rows are to be read, gives no snapshot: then one is made at a
 * temporary slot, and what the rows have seen is left out of the stream (see `position.ts`).
 */
import type { PartialSourceRecord, SourceContext, SourceMap } from "../../index.ts";
import { ChangeRecords } from "./change-records.ts";
import { ChangeStream } from "./change-stream.ts";
import type { CaptureConfig } from "./fields.ts";
import { Heartbeat } from "./heartbeat.ts";
import { formatLsn, parseLsn } from "./lsn.ts";
import { isUpTo, offsetOf, positionOf } from "./position.ts";
import type { Position } from "./position.ts";
import { ReplicationStream } from "./replication-stream.ts";
import { Session } from "./session.ts";
import {
  createSlot,
  dropSlot,
  findSlot,
  preparePublication,
  setIdentities,
  temporarySlot,
} from "./slot.ts";
import type { ExportedSnapshot } from "./slot.ts";
import { watchLag } from "./slot-lag.ts";
import { beginAt, readRows } from "./snapshot.ts";
import type { SnapshotBatch } from "./snapshot.ts";
import { Encoders } from "./table-encoder.ts";
import { TableFilter } from "./table-filter.ts";
import { listTables } from "./table-shape.ts";
import { TypeCatalog } from "./type-catalog.ts";

type Context = SourceContext<CaptureConfig>;
type Batch = readonly PartialSourceRecord[];

/** How long the look at the slot's lag may take to end. */
const LAG_END_MS = 5000;

/** What the source remembers its place by. */
export function partitionOf(config: CaptureConfig): SourceMap {
  return { server: config["topic.prefix"], slot: config["slot.name"] };
}

/** One life of the source: until it is stopped, or the server is lost. */
export class Capture {
  readonly #signal: AbortSignal;
  readonly #filter: TableFilter;
  readonly #encoders: Encoders;
  readonly #records: ChangeRecords;
  readonly #partition: SourceMap;
  /** The offset of what came before the batch that is being given on. */
  #before: SourceMap | null = null;

  private constructor(readonly context: Context, readonly sql: Session, signal: AbortSignal) {
    const { config, clock } = context;
    this.#signal = signal;
    this.#filter = new TableFilter(config, context.dynamic);
    this.#encoders = new Encoders(config, this.#filter, new TypeCatalog(sql));
    this.#records = new ChangeRecords(config, () => clock.wallMs());
    this.#partition = partitionOf(config);
  }

  static async *run(context: Context): AsyncGenerator<Batch> {
    const ended = new AbortController();
    const signal = AbortSignal.any([context.signal, ended.signal]);
    try {
      const sql = await Session.open(context.config, "sql", signal);
      yield* new Capture(context, sql, signal).#read();
    } finally {
      // All connections go with it.
      ended.abort();
    }
  }

  async *#read(): AsyncGenerator<Batch> {
    const { config, offsets } = this.context;
    const stored = await offsets.get(this.#partition);
    this.#before = stored;
    const position = stored === null ? null : positionOf(stored);
    // A slot would stay, and keep the server's log.
    if (config["snapshot.mode"] === "initial_only" || this.context.isDryRun === true) {
      if (position === null || position.isSnapshot) yield* this.#rowsAlone(position);
      return;
    }
    const maker = await Session.open(config, "replication", this.#signal);
    const { start, snapshot } = await this.#begin(maker, position);
    let from = start;
    if (start.isSnapshot) {
      from = yield* this.#snapshot(
        start,
        snapshot ?? await temporarySlot(maker, config["slot.name"]),
        maker,
      );
    }
    await maker.close();
    yield* this.#stream(from);
  }

  /** Has slot and publication there, and says where to begin. */
  async #begin(maker: Session, stored: Position | null): Promise<{
    readonly start: Position;
    readonly snapshot: ExportedSnapshot | null;
  }> {
    const { config, log } = this.context;
    const system = await checkSystem(maker, stored);
    const mode = config["snapshot.mode"];
    const tables = await listTables(this.sql, this.#filter);
    await setIdentities(this.sql, config, tables);
    await preparePublication(this.sql, config, await listTables(this.sql, this.#filter), log);
    const slot = await findSlot(this.sql, config);
    const isUsable = slot !== null && slot.lost === null;
    if (isUsable && stored !== null) return { start: stored, snapshot: null };
    if (!isUsable) this.#refuseIfLost(slot?.lost ?? null, slot !== null, stored);
    const isSnapshot = mode !== "never" && mode !== "no_data";
    const fresh = (lsn: bigint): Position => ({ system, isSnapshot, parts: [], lsn, changes: 0 });
    if (isUsable) return { start: fresh(slot.confirmed), snapshot: null };
    if (slot !== null) await dropSlot(this.sql, config["slot.name"]);
    const snapshot = await createSlot(maker, config["slot.name"], false);
    log.info("replication slot made", {
      slot: config["slot.name"],
      lsn: formatLsn(snapshot.lsn),
    });
    return { start: fresh(snapshot.lsn), snapshot };
  }

  /** Throws unless a slot that is gone does no harm, or is to be made anew. */
  #refuseIfLost(reason: string | null, exists: boolean, stored: Position | null): void {
    const { config, log } = this.context;
    const name = config["slot.name"];
    if (!exists && stored === null) return;
    const what = exists
      ? `replication slot "${name}" cannot be used any more (${reason ?? "lost"})`
      : `replication slot "${name}" is gone`;
    const since = stored === null ? "" : `, and with it changes since ${formatLsn(stored.lsn)}`;
    if (config["snapshot.mode"] === "when_needed") {
      log.warn(`${what}${since}: the rows are read anew`);
      return;
    }
    const drop = exists ? `drop it (SELECT pg_drop_replication_slot('${name}')) and ` : "";
    throw new Error(
      `PostgreSQL at ${this.sql.where}: ${what}${since}. For a new snapshot ${drop}delete the ` +
        "connector's offsets, or set snapshot.mode=when_needed",
    );
  }

  /** Reads the rows that are not read yet; returns where the stream begins. */
  async *#snapshot(
    start: Position,
    snapshot: ExportedSnapshot,
    maker: Session,
  ): AsyncGenerator<Batch, Position> {
    const { config, log } = this.context;
    const rows = await Session.open(config, "sql", this.#signal);
    await beginAt(rows, snapshot);
    // The transaction keeps what it sees; nobody else needs it.
    await maker.close();
    const resumed = start.parts.length > 0;
    log.info(resumed ? "snapshot goes on" : "snapshot begins", { lsn: formatLsn(snapshot.lsn) });
    let last: SnapshotBatch = { records: [], parts: start.parts };
    let count = 0;
    for await (const batch of this.#rowBatches(rows, snapshot.lsn, start.parts)) {
      // One is held back, so that the last one says that all rows are there.
      if (last.records.length > 0 && batch.records.length > 0) {
        yield this.#given(last.records, offsetOf({ ...start, parts: last.parts }));
      }
      count += batch.records.length;
      last = batch.records.length > 0 ? batch : { records: last.records, parts: batch.parts };
    }
    await rows.close();
    const lsns = new Set(last.parts.map(({ lsn }) => lsn));
    const isOne = lsns.size <= 1;
    const end: Position = {
      ...start,
      isSnapshot: false,
      parts: isOne ? [] : last.parts,
      lsn: last.parts[0]?.lsn ?? snapshot.lsn,
    };
    if (last.records.length > 0) yield this.#given(last.records, offsetOf(end));
    log.info("snapshot is complete", { rows: count });
    return end;
  }

  async *#rowBatches(
    session: Session,
    lsn: bigint,
    done: Position["parts"],
  ): AsyncGenerator<SnapshotBatch> {
    const { config, clock } = this.context;
    const tables = await listTables(session, this.#filter);
    const world = {
      session,
      encoders: this.#encoders,
      records: this.#records,
      clock,
      fetchSize: config["snapshot.fetch.size"],
    };
    yield* readRows(world, tables, lsn, done);
  }

  /** Without slot and stream. */
  async *#rowsAlone(stored: Position | null): AsyncGenerator<Batch> {
    const rows = await Session.open(this.context.config, "sql", this.#signal);
    await beginAt(rows, null);
    const [row] = await rows.query("SELECT pg_current_wal_lsn()");
    const lsn = parseLsn(row?.[0] ?? "0/0");
    const start = stored ?? { system: "", isSnapshot: true, parts: [], lsn, changes: 0 };
    let last: SnapshotBatch = { records: [], parts: start.parts };
    for await (const batch of this.#rowBatches(rows, lsn, start.parts)) {
      if (last.records.length > 0) {
        yield this.#given(last.records, offsetOf({ ...start, parts: last.parts }));
      }
      last = batch;
    }
    const end = { ...start, isSnapshot: false, parts: [], lsn };
    if (last.records.length > 0) yield this.#given(last.records, offsetOf(end));
    await rows.close();
  }

  async *#stream(start: Position): AsyncGenerator<Batch> {
    const { config, clock, log } = this.context;
    const replication = await Session.open(config, "replication", this.#signal);
    const stream = ReplicationStream.start(replication, {
      slot: config["slot.name"],
      publication: config["publication.name"],
      from: start.lsn,
      queueMax: config["max.queue.size"],
      queueBytesMax: config["max.queue.size.in.bytes"],
      statusIntervalMs: config["status.update.interval.ms"],
    }, clock);
    log.info("changes are read", { from: formatLsn(start.lsn) });
    const lag = watchLag(this.sql, stream, this.context, this.#signal);
    const unsafe = new UnsafeBatches(stream);
    this.context.onCommitted((positions) => {
      for (const { offset } of positions) unsafe.committed(positionOf(offset));
    });
    const world = {
      stream,
      session: this.sql,
      encoders: this.#encoders,
      records: this.#records,
      context: this.context,
    };
    const changes = new ChangeStream(world, start);
    const heartbeat = new Heartbeat(this.context, this.sql);
    try {
      while (!this.#signal.aborted) {
        const { records, position, flush } = await changes.next(heartbeat.waitMs());
        const all = [...records, ...await heartbeat.due()];
        if (all.length === 0) unsafe.idle(flush);
        else {
          unsafe.given(position, flush);
          yield this.#given(all, offsetOf(position));
        }
      }
    } finally {
      stream.close();
      // A slot that is being dropped needs the connection.
      await Promise.race([lag, clock.sleep(LAG_END_MS, this.context.signal)]);
    }
  }

  /** A batch is done with its last record; before, all of it comes again. */
  #given(records: Batch, offset: SourceMap): Batch {
    const before = this.#before;
    this.#before = offset;
    const sourcePartition = this.#partition;
    return records.map((record, i) =>
      i === records.length - 1
        ? { ...record, sourcePartition, sourceOffset: offset }
        : before === null
        ? record
        : { ...record, sourcePartition, sourceOffset: before }
    );
  }
}

/** Which server this is. Throws where an offset is of another one, or of what has not happened here. */
async function checkSystem(replication: Session, stored: Position | null): Promise<string> {
  const [row] = await replication.query("IDENTIFY_SYSTEM");
  const [system, , wal] = row ?? [];
  if (stored === null) return system ?? "";
  const where = `PostgreSQL at ${replication.where}`;
  const known = `the connector's offset is of ${formatLsn(stored.lsn)}`;
  const reset = "delete the connector's offsets for a new snapshot";
  if (system !== stored.system) {
    throw new Error(
      `${where} is another database cluster than before (${system}, not ${stored.system}): ${known} ` +
        `of the old one; ${reset}`,
    );
  }
  if (parseLsn(wal ?? "") < stored.lsn) {
    throw new Error(
      `${where} is at ${wal}, but ${known}: it was restored from a backup, or is a standby that ` +
        `lags; ${reset}`,
    );
  }
  return system;
}

/** What was given on and is not safe yet, so that the slot is not let go of too early. */
class UnsafeBatches {
  #batches: { readonly position: Position; readonly flush: bigint }[] = [];

  constructor(readonly stream: ReplicationStream) {}

  given(position: Position, flush: bigint): void {
    this.#batches.push({ position, flush });
  }

  committed(position: Position): void {
    const count = this.#batches.findIndex((batch) => !isUpTo(batch.position, position));
    const done = this.#batches.splice(0, count < 0 ? this.#batches.length : count);
    const last = done.at(-1);
    if (last !== undefined) this.stream.confirm(last.flush);
  }

  /** All was read up to here, and nothing of it is on its way any more. */
  idle(upTo: bigint): void {
    if (this.#batches.length === 0) this.stream.confirm(upTo);
  }
}
