/** Rows of one table or query, from a cursor on. */
import type { PartialSourceRecord, SourceMap, TaskClock } from "../../index.ts";
import { tableText } from "./dialect.ts";
import type { Column, Dialect } from "./dialect.ts";
import type { Param, Row, Session } from "./session.ts";
import type { NumericMapping } from "./source-columns.ts";
import { asText, CURSOR_NAMES, parseTableName, querySource, tableSource } from "./source-tables.ts";
import type { Source } from "./source-tables.ts";
import { SqlError } from "./sql-error.ts";
import { zoned } from "./times.ts";

export type Mode = "bulk" | "incrementing" | "timestamp" | "timestamp+incrementing";

/** Rows of one timestamp that are held in memory at most. */
const SAME_TIMESTAMP_MAX = 1_000_000;
/** Rows of a table without a key, or of a query, that are read as a whole at most. */
const BULK_ROWS_MAX = 1_000_000;

export interface ReaderSettings {
  readonly mode: Mode;
  readonly incrementing: string | null;
  /** The first of them that is not null counts. */
  readonly timestamps: readonly string[];
  readonly delayMs: number;
  readonly rowsMax: number;
  readonly zone: string;
  readonly mapping: NumericMapping;
}

/** Where reading has come to; texts as the database has written them. */
interface Cursor {
  readonly timestamp: string | number | null;
  readonly incrementing: string | null;
}

/** See the head of the file. */
export class SourceReader {
  #known: { readonly known: string; readonly source: Source } | null = null;
  #cursor: Cursor;
  /** Rows of a page; more where one timestamp has more. */
  #rowsMax: number;

  constructor(
    readonly dialect: Dialect,
    /** A table, or null for `query`. */
    readonly table: string | null,
    readonly query: string,
    readonly topic: string,
    readonly settings: ReaderSettings,
    readonly clock: TaskClock,
    offset: SourceMap | null,
  ) {
    const { timestamp = null, incrementing = null } = offset ?? {};
    this.#cursor = {
      timestamp: typeof timestamp === "boolean" ? null : timestamp,
      incrementing: incrementing === null ? null : String(incrementing),
    };
    this.#rowsMax = settings.rowsMax;
  }

  /** What is remembered of. */
  get partition(): SourceMap {
    return partitionOf(this.table);
  }

  /** All rows that are new, in pages. */
  async *pages(session: Session): AsyncGenerator<readonly PartialSourceRecord[]> {
    const source = await this.#source(session);
    if (this.settings.mode === "bulk") return yield* this.#bulk(session, source);
    const until = this.settings.mode === "incrementing" ? null : await this.#until(session, source);
    for (;;) {
      const rows = await this.#page(session, source, until);
      const whole = this.#wholeGroups(rows);
      if (whole === null) continue;
      if (whole.length > 0) yield this.#records(source, whole);
      if (rows.length < this.#rowsMax) return;
      this.#rowsMax = this.settings.rowsMax;
    }
  }

  async #source(session: Session): Promise<Source> {
    if (this.table === null) {
      this.#known ??= { known: "", source: querySource(this.query) };
      return this.#known.source;
    }
    const { mapping, zone } = this.settings;
    const name = parseTableName(this.table);
    this.#known = await tableSource(session, this.dialect, name, mapping, zone, this.#known);
    for (const column of [this.settings.incrementing, ...this.settings.timestamps]) {
      if (column !== null && this.#known.source.typeOf(column) === null) {
        throw new SqlError(
          "other",
          `table ${tableText(this.dialect, name)} has no column "${column}"`,
          "",
        );
      }
    }
    return this.#known.source;
  }

  /** The database's time, less the delay, as the column has it. */
  async #until(session: Session, source: Source): Promise<string> {
    const now = {
      postgresql: "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now",
      mysql: "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) AS now",
      sqlite: "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) AS now",
    };
    const { rows } = await session.query(now[session.dialect]);
    const ms = Number(rows[0]?.["now"]) - this.settings.delayMs;
    const type = source.typeOf(this.settings.timestamps[0] ?? "") ?? "";
    const isMoment = type === "timestamp with time zone" ||
      (session.dialect === "mysql" && type === "timestamp");
    const column: Column = {
      ...{ name: "", type: "", holds: null, isKey: false },
      form: isMoment ? "moment" : "local",
    };
    return zoned(
      { ms, fraction: new Date(ms).toISOString().slice(19, 23) },
      column,
      this.settings.zone,
    );
  }

  async #page(session: Session, source: Source, until: string | null): Promise<readonly Row[]> {
    const params: Param[] = [];
    const param = (value: Param) => {
      params.push(value);
      return this.dialect.param(params.length);
    };
    const conditions: string[] = [];
    const order: string[] = [];
    const select = [source.select];
    const { timestamp, incrementing } = this.#cursor;
    const id = this.#incrementingText();
    const time = this.#timestampText();
    if (time !== null && until !== null) {
      conditions.push(`${time} < ${param(until)}`);
      order.push(time);
      select.push(`${this.#cursorText(time)} AS ${this.dialect.quote(CURSOR_NAMES.timestamp)}`);
      if (timestamp !== null) {
        conditions.push(
          id === null || incrementing === null
            ? `${time} > ${param(timestamp)}`
            : `(${time} > ${param(timestamp)} OR (${time} = ${param(timestamp)} AND ${id} > ${
              param(this.#whole(incrementing))
            }))`,
        );
      }
    }
    if (id !== null) {
      order.push(id);
      select.push(`${this.#cursorText(id)} AS ${this.dialect.quote(CURSOR_NAMES.incrementing)}`);
      if (time === null) {
        conditions.push(
          incrementing === null
            ? `${id} IS NOT NULL`
            : `${id} > ${param(this.#whole(incrementing))}`,
        );
      }
    }
    const { rows } = await session.query(
      `SELECT ${select.join(", ")} FROM ${source.from} WHERE ${conditions.join(" AND ")} ORDER BY ${
        order.join(", ")
      } LIMIT ${this.#rowsMax}`,
      params,
    );
    return rows;
  }

  #incrementingText(): string | null {
    const { mode, incrementing } = this.settings;
    return mode === "timestamp" || incrementing === null ? null : this.dialect.quote(incrementing);
  }

  #timestampText(): string | null {
    const { mode, timestamps } = this.settings;
    if (mode === "incrementing" || timestamps.length === 0) return null;
    const names = timestamps.map((name) => this.dialect.quote(name));
    return names.length === 1 ? names[0]! : `COALESCE(${names.join(", ")})`;
  }

  #cursorText(expression: string): string {
    return this.dialect.name === "sqlite" ? expression : asText(this.dialect, expression);
  }

  #whole(text: string): Param {
    return this.dialect.name === "sqlite" && /^-?\d+$/.test(text) ? BigInt(text) : text;
  }

  /**
   * Of a page that is full the last timestamp may have more rows, which only its cursor could tell:
   * they are left for the next page. Null: all have the same, and a larger page is needed.
   */
  #wholeGroups(rows: readonly Row[]): readonly Row[] | null {
    if (this.settings.mode !== "timestamp" || rows.length < this.#rowsMax) return rows;
    const name = CURSOR_NAMES.timestamp;
    const last = rows.at(-1)?.[name];
    const first = rows.findIndex((row) => row[name] === last);
    if (first > 0) return rows.slice(0, first);
    if (this.#rowsMax >= SAME_TIMESTAMP_MAX) {
      throw new SqlError(
        "other",
        `${SAME_TIMESTAMP_MAX} rows have the same timestamp: mode=timestamp+incrementing reads them`,
        "",
      );
    }
    this.#rowsMax *= 2;
    return null;
  }

  #records(source: Source, rows: readonly Row[]): PartialSourceRecord[] {
    return rows.map((row, i) => {
      const next = rows[i + 1];
      const cursor = cursorOf(row);
      // Until all rows of a timestamp are there, the one before it is where to go on.
      const isSafe = this.settings.mode !== "timestamp" ||
        next?.[CURSOR_NAMES.timestamp] !== row[CURSOR_NAMES.timestamp];
      if (isSafe) this.#cursor = cursor;
      const { timestamp, incrementing } = this.#cursor;
      return this.#record(source, row, {
        ...timestamp === null ? {} : { timestamp },
        ...incrementing === null ? {} : { incrementing },
      });
    });
  }

  #record(source: Source, row: Row, offset: SourceMap | null): PartialSourceRecord {
    return {
      topic: this.topic,
      valueSchema: source.schema,
      value: source.valueOf(row),
      sourcePartition: offset === null ? null : this.partition,
      sourceOffset: offset,
    };
  }

  /** All rows: by the primary key in pages, or at once where there is none. */
  async *#bulk(session: Session, source: Source): AsyncGenerator<readonly PartialSourceRecord[]> {
    const { rowsMax } = this.settings;
    const keys = source.keys.map((key) => this.dialect.quote(key));
    if (keys.length === 0) {
      const { rows } = await session.query(
        `SELECT ${source.select} FROM ${source.from} LIMIT ${BULK_ROWS_MAX + 1}`,
      );
      if (rows.length > BULK_ROWS_MAX) {
        throw new SqlError(
          "other",
          `${source.from} has no primary key and more than ${BULK_ROWS_MAX} rows, too many to be ` +
            "read at once",
          "",
        );
      }
      for (let at = 0; at < rows.length; at += rowsMax) {
        yield rows.slice(at, at + rowsMax).map((row) => this.#record(source, row, null));
      }
      return;
    }
    const cursors = keys.map((key, i) =>
      `${this.#cursorText(key)} AS ${this.dialect.quote(`k${i} `)}`
    );
    let last: readonly Param[] | null = null;
    for (;;) {
      const after: string = last === null
        ? ""
        : `WHERE (${keys.join(", ")}) > (${
          last.map((_value, i) => this.dialect.param(i + 1)).join(", ")
        })`;
      const { rows }: { readonly rows: readonly Row[] } = await session.query(
        `SELECT ${source.select}, ${cursors.join(", ")} FROM ${source.from} ${after} ORDER BY ${
          keys.join(", ")
        } LIMIT ${rowsMax}`,
        last ?? [],
      );
      if (rows.length > 0) yield rows.map((row) => this.#record(source, row, null));
      if (rows.length < rowsMax) return;
      last = keys.map((_key, i) => paramOf(rows.at(-1)?.[`k${i} `]));
    }
  }
}

/** What offsets of a table, or of the query, are stored under. */
export function partitionOf(table: string | null): SourceMap {
  return table === null ? { query: "query" } : { table };
}

function paramOf(value: unknown): Param {
  if (value instanceof Uint8Array) return value;
  return typeof value === "number" || typeof value === "bigint" ? value : String(value);
}

function cursorOf(row: Row): Cursor {
  const timestamp = row[CURSOR_NAMES.timestamp];
  const incrementing = row[CURSOR_NAMES.incrementing];
  return {
    timestamp: timestamp === undefined || timestamp === null
      ? null
      : typeof timestamp === "bigint"
      ? Number(timestamp)
      : typeof timestamp === "number"
      ? timestamp
      : String(timestamp),
    incrementing: incrementing === undefined || incrementing === null ? null : String(incrementing),
  };
}
