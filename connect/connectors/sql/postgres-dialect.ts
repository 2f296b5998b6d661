/**
 * PostgreSQL. Rows go as one array of texts per column, which the server turns into the columns'
 * types: one statement for any number of rows, whose parameters never become too many.
 */
import { others, tableText } from "./dialect.ts";
import type { Column, Dialect, Form, RowSet } from "./dialect.ts";
import { isWhole } from "./kinds.ts";
import type { Kind, KindName } from "./kinds.ts";
import type { Param } from "./session.ts";

const TYPES: Readonly<Record<KindName, string>> = {
  boolean: "boolean",
  int16: "smallint",
  int32: "integer",
  int64: "bigint",
  float32: "real",
  float64: "double precision",
  decimal: "numeric",
  text: "text",
  bytes: "bytea",
  json: "jsonb",
  date: "date",
  time: "time without time zone",
  timestamp: "timestamp with time zone",
};

const FORMS: Readonly<Record<string, Form>> = {
  boolean: "boolean",
  smallint: "number",
  integer: "number",
  bigint: "number",
  real: "number",
  "double precision": "number",
  numeric: "number",
  text: "text",
  "character varying": "text",
  bpchar: "text",
  bytea: "bytes",
  json: "json",
  jsonb: "json",
  date: "date",
  "time without time zone": "time",
  "timestamp without time zone": "local",
  "timestamp with time zone": "moment",
};

const HOLDS: Readonly<Record<string, KindName>> = {
  smallint: "int16",
  integer: "int32",
  bigint: "int64",
};

// A length of -1 keeps casts from cutting: `character varying`, `bpchar`, as the table may be shorter.
const COLUMNS = `
  SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, -1) AS type,
    EXISTS (
      SELECT FROM pg_catalog.pg_index i
      WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)
    ) AS is_key
  FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
  ORDER BY a.attnum`;

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Columns of a set as `unnest` gives them: x.c0, x.c1 … */
function source({ columns }: RowSet): string {
  const arrays = columns.map((_column, i) => `$${i + 1}::text[]`).join(", ");
  return `unnest(${arrays}) AS x(${columns.map((_column, i) => `c${i}`).join(", ")})`;
}

function cast(column: Column, { columns }: RowSet): string {
  return `x.c${columns.indexOf(column)}::${column.type}`;
}

/** An array's text: values by column. */
function arrays({ columns, rows }: RowSet): string[] {
  return columns.map((_column, at) => {
    let text = "{";
    for (let i = 0; i < rows.length; i++) {
      if (i > 0) text += ",";
      text += element(rows[i]![at]!);
    }
    return `${text}}`;
  });
}

function element(value: Param): string {
  switch (typeof value) {
    case "string":
      return `"${/["\\]/.test(value) ? value.replaceAll(/["\\]/g, "\\$&") : value}"`;
    case "object":
      return value === null ? "NULL" : `"\\\\x${value.toHex()}"`;
    default:
      return String(value);
  }
}

function insertText(set: RowSet): string {
  const names = set.columns.map(({ name }) => quote(name)).join(", ");
  const values = set.columns.map((column) => cast(column, set)).join(", ");
  return `INSERT INTO ${tableText({ quote }, set.table)} (${names}) SELECT ${values} FROM ${
    source(set)
  }`;
}

export const POSTGRESQL: Dialect = {
  name: "postgresql",
  quote,
  fold: (name) => name,
  typeOf: ({ name }: Kind) => TYPES[name],
  tableOptions: "",
  async columns(session, table) {
    const { rows } = await session.query(COLUMNS, [tableText({ quote }, table)]);
    if (rows.length === 0) return null;
    return rows.map((row) => {
      const type = String(row["type"]);
      const form = Object.hasOwn(FORMS, type)
        ? FORMS[type]!
        : type.endsWith("[]")
        ? "array"
        : "other";
      const holds = Object.hasOwn(HOLDS, type) ? HOLDS[type]! : null;
      return { name: String(row["name"]), type, form, holds, isKey: row["is_key"] === true };
    });
  },
  widen(table, column, kind) {
    // Of whole numbers and fractions only numeric holds all.
    const wider = isWhole(column.holds) && !isWhole(kind.name) ? "numeric" : TYPES[kind.name];
    return `ALTER TABLE ${tableText({ quote }, table)} ALTER COLUMN ${
      quote(column.name)
    } TYPE ${wider}`;
  },
  async insert(session, set) {
    await session.query(insertText(set), arrays(set));
  },
  async upsert(session, set) {
    const keys = set.keys.map(({ name }) => quote(name)).join(", ");
    const changes = others(set).map(({ name }) => `${quote(name)} = excluded.${quote(name)}`);
    const action = changes.length === 0 ? "NOTHING" : `UPDATE SET ${changes.join(", ")}`;
    await session.query(`${insertText(set)} ON CONFLICT (${keys}) DO ${action}`, arrays(set));
  },
  async update(session, set) {
    const changes = others(set).map((column) => `${quote(column.name)} = ${cast(column, set)}`);
    if (changes.length === 0) return;
    await session.query(
      `UPDATE ${tableText({ quote }, set.table)} AS t SET ${changes.join(", ")} FROM ${
        source(set)
      } WHERE ${matches(set)}`,
      arrays(set),
    );
  },
  async remove(session, set) {
    await session.query(
      `DELETE FROM ${tableText({ quote }, set.table)} AS t USING ${source(set)} WHERE ${
        matches(set)
      }`,
      arrays(set),
    );
  },
  offsetColumns:
    "connector text NOT NULL, topic text NOT NULL, partition_number integer NOT NULL, " +
    "next_offset bigint NOT NULL, epoch bigint NOT NULL, " +
    "PRIMARY KEY (connector, topic, partition_number)",
  claim: (table) =>
    `INSERT INTO ${table} AS o (connector, topic, partition_number, next_offset, epoch) ` +
    "VALUES ($1, $2, $3, -1, 1) " +
    "ON CONFLICT (connector, topic, partition_number) DO UPDATE SET epoch = o.epoch + 1",
  param: (n) => `$${n}`,
};

function matches(set: RowSet): string {
  return set.keys.map((key) => `t.${quote(key.name)} = ${cast(key, set)}`).join(" AND ");
}
