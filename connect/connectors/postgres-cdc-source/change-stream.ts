/** The changes of a slot as batches of records, each with where the source has come to behind it. */
import type { PartialSourceRecord, SourceContext } from "../../index.ts";
import type { ChangeRecords, Origin, RowEvent } from "./change-records.ts";
import type { CaptureConfig } from "./fields.ts";
import type { Begin, Relation, Row, RowChange, Truncate } from "./pgoutput.ts";
import { isUpTo } from "./position.ts";
import type { Position } from "./position.ts";
import type { ReplicationStream, StreamItem } from "./replication-stream.ts";
import { SeenRows } from "./seen-rows.ts";
import type { Session } from "./session.ts";
import type { Encoders, TableEncoder } from "./table-encoder.ts";
import { shapeOfRelation } from "./table-shape.ts";

/** Records and the place behind them. */
export interface ChangeBatch {
  readonly records: readonly PartialSourceRecord[];
  readonly position: Position;
  /** Once the records are safe the server may let go of all before. */
  readonly flush: bigint;
}

export interface ChangeWorld {
  readonly stream: ReplicationStream;
  readonly session: Session;
  readonly encoders: Encoders;
  readonly records: ChangeRecords;
  readonly context: SourceContext<CaptureConfig>;
}

/** Reads on behind a position. One call of `next` at a time. */
export class ChangeStream {
  /** Up to here all is done; changes that come again are left out. */
  readonly #start: Position;
  #parts: Position["parts"];
  #seen: SeenRows | null;
  #transaction: Begin | null = null;
  #changes = 0;
  /** Behind the last transaction that was read to its end. */
  #ended: bigint;
  #lastCommitLsn: bigint | null = null;
  readonly #encoders = new WeakMap<Relation, TableEncoder | "left out">();

  constructor(readonly world: ChangeWorld, start: Position) {
    this.#start = start;
    this.#parts = start.parts;
    this.#seen = start.parts.length === 0 ? null : new SeenRows(start.parts, world.session);
    this.#ended = start.lsn;
  }

  /** The next batch, after `waitMs` at the latest; its records may be none. */
  async next(waitMs: number): Promise<ChangeBatch> {
    const { stream, context } = this.world;
    const items = await stream.take(context.config["max.batch.size"], waitMs, context.signal);
    const records: PartialSourceRecord[] = [];
    if (this.#seen !== null) await this.#learn(this.#seen, items);
    for (const item of items) {
      const working = this.#take(item, records);
      if (working !== undefined) await working;
    }
    const idleUpTo = this.#transaction === null ? stream.idleUpTo : null;
    if (idleUpTo !== null && idleUpTo > this.#ended) this.#ended = idleUpTo;
    return { records, position: this.#position(), flush: this.#ended };
  }

  /** Asks where the rows are that these changes are about. */
  async #learn(seen: SeenRows, items: readonly StreamItem[]): Promise<void> {
    const rowsOf = new Map<TableEncoder, Row[]>();
    for (const item of items) {
      if (!("relation" in item)) continue;
      const table = await this.#encoderOf(item.relation);
      if (table === "left out") continue;
      const rows = rowsOf.get(table) ?? [];
      rowsOf.set(table, rows);
      if (item.row !== null) rows.push(item.row);
      if (item.old !== null) rows.push(item.old);
    }
    for (const [table, rows] of rowsOf) await seen.learn(table.shape, rows);
  }

  #position(): Position {
    const { system } = this.#start;
    const place = this.#transaction === null
      ? { lsn: this.#ended, changes: 0 }
      : { lsn: this.#transaction.commitLsn, changes: this.#changes };
    const isBehind = isUpTo(place, this.#start);
    const { lsn, changes } = isBehind ? this.#start : place;
    return { system, isSnapshot: false, parts: this.#parts, lsn, changes };
  }

  /** A promise only where the server has to be asked something. */
  #take(item: StreamItem, records: PartialSourceRecord[]): Promise<void> | undefined {
    switch (item.kind) {
      case "begin":
        this.#transaction = item;
        this.#changes = 0;
        if (this.#seen !== null && item.commitLsn >= this.#seen.until) {
          this.#seen = null;
          this.#parts = [];
        }
        return undefined;
      case "commit":
        this.#lastCommitLsn = this.#transaction?.commitLsn ?? null;
        this.#transaction = null;
        this.#ended = item.endLsn;
        return undefined;
      case "truncate":
      case "insert":
      case "update":
      case "delete":
        return this.#takeChange(item, records);
    }
  }

  #takeChange(
    change: RowChange | Truncate,
    records: PartialSourceRecord[],
  ): Promise<void> | undefined {
    const transaction = this.#transaction;
    if (transaction === null) throw new Error("a change came outside of a transaction");
    this.#changes++;
    const place = { lsn: transaction.commitLsn, changes: this.#changes };
    if (isUpTo(place, this.#start)) return undefined;
    if (change.kind === "truncate") return this.#takeTruncate(change, transaction, records);
    const known = this.#encoders.get(change.relation);
    if (known === "left out") return undefined;
    if (known === undefined || this.#seen !== null) {
      return this.#takeSlowly(change, transaction, records);
    }
    const origin = this.#origin(transaction, change.lsn);
    for (const event of eventsOf(known, change)) {
      this.world.records.append(records, known, event, origin);
    }
    return undefined;
  }

  async #takeSlowly(
    change: RowChange,
    transaction: Begin,
    records: PartialSourceRecord[],
  ): Promise<void> {
    const table = await this.#encoderOf(change.relation);
    if (table === "left out") return;
    const origin = this.#origin(transaction, change.lsn);
    for (const event of eventsOf(table, change)) {
      if (this.#hasSeen(table, event, transaction)) continue;
      this.world.records.append(records, table, event, origin);
    }
  }

  /** What an event was about is its key: before a delete, else after. */
  #hasSeen(table: TableEncoder, event: RowEvent, { commitLsn }: Begin): boolean {
    const row = event.after ?? event.before;
    if (this.#seen === null || row === null) return false;
    return commitLsn < this.#seen.from || this.#seen.has(commitLsn, table.shape, row);
  }

  async #takeTruncate(
    change: Truncate,
    transaction: Begin,
    records: PartialSourceRecord[],
  ): Promise<void> {
    const origin = this.#origin(transaction, change.lsn);
    for (const relation of change.relations) {
      const table = await this.#encoderOf(relation);
      if (table === "left out") continue;
      const event = { op: "t", before: null, isBeforeKeyOnly: false, after: null } as const;
      this.world.records.append(records, table, event, origin);
    }
  }

  async #encoderOf(relation: Relation): Promise<TableEncoder | "left out"> {
    const known = this.#encoders.get(relation);
    if (known !== undefined) return known;
    const { encoders, session } = this.world;
    const isIncluded = encoders.filter.hasTable(relation.schema, relation.table);
    const encoder = isIncluded
      ? await encoders.make(relation, await shapeOfRelation(session, relation))
      : "left out";
    this.#encoders.set(relation, encoder);
    return encoder;
  }

  #origin({ commitUs, xid }: Begin, lsn: bigint): Origin {
    return { commitUs, isSnapshot: false, xid, lsn, lastCommitLsn: this.#lastCommitLsn };
  }
}

/** A change of a row's key is a delete of the old one and a create of the new one, as in Debezium. */
function eventsOf(table: TableEncoder, change: RowChange): readonly RowEvent[] {
  const { kind, old, row, isOldKeyOnly } = change;
  switch (kind) {
    case "insert":
      return [{ op: "c", before: null, isBeforeKeyOnly: false, after: row }];
    case "delete":
      return [{ op: "d", before: old, isBeforeKeyOnly: isOldKeyOnly, after: null }];
    case "update":
      if (old !== null && row !== null && !table.isSameKey(old, row)) {
        return [
          { op: "d", before: old, isBeforeKeyOnly: isOldKeyOnly, after: null },
          { op: "c", before: old, isBeforeKeyOnly: isOldKeyOnly, after: row },
        ];
      }
      return [{
        op: "u",
        before: isOldKeyOnly ? null : old,
        isBeforeKeyOnly: isOldKeyOnly,
        after: row,
      }];
  }
}
