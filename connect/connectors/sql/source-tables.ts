/** Which tables there are, and what is asked of one of them. */
import { struct } from "../../index.ts";
import type { ConnectObject, ConnectValue, Schema } from "../../index.ts";
import { tableText } from "./dialect.ts";
import type { Dialect, TableName } from "./dialect.ts";
import type { Row, Session } from "./session.ts";
import { describeColumns, readingOf } from "./source-columns.ts";
import type { DescribedColumn, NumericMapping, Reading } from "./source-columns.ts";
import { SqlError } from "./sql-error.ts";

const TABLES = {
  postgresql: "SELECT c.relname AS name FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p') " +
    "AND NOT c.relispartition AND c.relnamespace = current_schema()::regnamespace ORDER BY 1",
  mysql: "SELECT table_name AS name FROM information_schema.tables " +
    "WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY 1",
  sqlite: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' " +
    "ESCAPE '\\' ORDER BY 1",
};

/** The tables of the database's own schema. */
export async function listTables(session: Session): Promise<string[]> {
  const { rows } = await session.query(TABLES[session.dialect]);
  return rows.map((row) => String(row["name"]));
}

/** `TABLE` or `SCHEMA.TABLE`. */
export function parseTableName(text: string): TableName {
  const dot = text.indexOf(".");
  return dot < 0
    ? { schema: null, name: text }
    : { schema: text.slice(0, dot), name: text.slice(dot + 1) };
}

/** Names for what comes along with a row, which no table has. */
export const CURSOR_NAMES = {
  timestamp: "kstream cursor timestamp",
  incrementing: "kstream cursor incrementing",
};

/** A column that values are read of. */
interface ReadColumn {
  readonly described: DescribedColumn;
  readonly reading: Reading;
}

/** What is read of: a table whose columns are known, or a query. */
export interface Source {
  /** Behind FROM. */
  readonly from: string;
  /** Behind SELECT. */
  readonly select: string;
  readonly schema: Schema | null;
  readonly keys: readonly string[];
  /** The type of a column, where it is known. */
  typeOf(name: string): string | null;
  valueOf(row: Row): ConnectObject;
}

/** A table as it is now. Throws `SqlError` where it is not there. */
export async function tableSource(
  session: Session,
  dialect: Dialect,
  name: TableName,
  mapping: NumericMapping,
  zone: string,
  before: { readonly known: string; readonly source: Source } | null,
): Promise<{ readonly known: string; readonly source: Source }> {
  const text = tableText(dialect, name);
  const described = await describeColumns(session, name, text);
  if (described.length === 0) throw new SqlError("other", `there is no table ${text}`, "");
  const known = JSON.stringify(described);
  // The same schema stays one value, as what is made of it is kept with it.
  if (before?.known === known) return before;
  const columns = described.map((column) => ({
    described: column,
    reading: readingOf(column, mapping),
  }));
  const schema = struct(
    columns.map(({ described: { name: field }, reading }) => ({
      name: field,
      schema: reading.schema,
    })),
    { name: name.name },
  );
  const source: Source = {
    from: text,
    select: columns.map((column) => selectText(dialect, column)).join(", "),
    schema,
    keys: described.filter(({ keyPlace }) => keyPlace > 0)
      .sort((a, b) => a.keyPlace - b.keyPlace).map(({ name: key }) => key),
    typeOf: (column) => described.find(({ name: other }) => other === column)?.type ?? null,
    valueOf: (row) => valueOf(text, columns, row, zone),
  };
  return { known, source };
}

function selectText(dialect: Dialect, { described: { name }, reading }: ReadColumn): string {
  const column = dialect.quote(name);
  if (!reading.asText || dialect.name === "sqlite") return column;
  return `${asText(dialect, column)} AS ${column}`;
}

/** An expression as text, which loses nothing. */
export function asText(dialect: Dialect, expression: string): string {
  return dialect.name === "mysql" ? `CAST(${expression} AS CHAR)` : `(${expression})::text`;
}

function valueOf(table: string, columns: readonly ReadColumn[], row: Row, zone: string) {
  const value: Record<string, ConnectValue> = {};
  for (const { described: { name }, reading } of columns) {
    const raw = row[name];
    try {
      define(value, name, raw === null || raw === undefined ? null : reading.read(raw, zone));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`column "${name}" of ${table}: ${why}`);
    }
  }
  return value;
}

/** A query, whose columns say nothing of their types: its records have no schema. */
export function querySource(query: string): Source {
  return {
    from: `(${query.trim().replace(/;$/, "")}\n) AS q`,
    select: "q.*",
    schema: null,
    keys: [],
    typeOf: () => null,
    valueOf(row) {
      const value: Record<string, ConnectValue> = {};
      for (const [name, raw] of Object.entries(row)) {
        if (name !== CURSOR_NAMES.timestamp && name !== CURSOR_NAMES.incrementing) {
          define(value, name, plainValue(raw));
        }
      }
      return value;
    },
  };
}

function define(object: Record<string, ConnectValue>, name: string, value: ConnectValue): void {
  if (name !== "__proto__") object[name] = value;
  else {
    Object.defineProperty(object, name, {
      value,
      ...{ enumerable: true, configurable: true, writable: true },
    });
  }
}

/** What the client makes of a column, as records have it. */
function plainValue(raw: unknown): ConnectValue {
  switch (typeof raw) {
    case "boolean":
    case "number":
    case "string":
      return raw;
    case "bigint":
      return Number.isSafeInteger(Number(raw)) ? Number(raw) : raw;
    case "object": {
      if (raw === null) return null;
      if (raw instanceof Date) return raw.toISOString();
      if (raw instanceof Uint8Array) return new Uint8Array(raw);
      if (Array.isArray(raw)) return raw.map(plainValue);
      if (ArrayBuffer.isView(raw)) return Array.from(raw as unknown as ArrayLike<number>);
      const value: Record<string, ConnectValue> = {};
      for (const [name, part] of Object.entries(raw)) define(value, name, plainValue(part));
      return value;
    }
    default:
      return null;
  }
}
