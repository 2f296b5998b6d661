/** SQLite: a statement per row, as nothing goes over a network. */
import { others, tableText } from "./dialect.ts";
import type { Dialect, Form, RowSet } from "./dialect.ts";
import type { Kind, KindName } from "./kinds.ts";

/** By SQLite's rules a type is what its name contains: what must stay text has TEXT in it. */
const TYPES: Readonly<Record<KindName, string>> = {
  boolean: "BOOLEAN",
  int16: "SMALLINT",
  int32: "INTEGER",
  int64: "BIGINT",
  float32: "REAL",
  float64: "REAL",
  decimal: "DECIMAL_TEXT",
  text: "TEXT",
  bytes: "BLOB",
  json: "JSON_TEXT",
  date: "DATE",
  time: "TIME",
  timestamp: "DATETIME",
};

const FORMS: readonly (readonly [part: RegExp, form: Form])[] = [
  [/BOOL/, "boolean"],
  [/DECIMAL_TEXT/, "text"],
  [/JSON/, "json"],
  [/DATETIME|TIMESTAMP/, "local"],
  [/DATE/, "date"],
  [/INT|REAL|FLOA|DOUB|NUM|DEC/, "number"],
  [/TIME/, "time"],
  [/CHAR|CLOB|TEXT/, "text"],
  [/BLOB/, "bytes"],
];

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function insertText({ table, columns }: RowSet): string {
  const names = columns.map(({ name }) => quote(name)).join(", ");
  const params = columns.map(() => "?").join(", ");
  return `INSERT INTO ${tableText({ quote }, table)} (${names}) VALUES (${params})`;
}

const assign = ({ name }: { readonly name: string }) => `${quote(name)} = ?`;

export const SQLITE: Dialect = {
  name: "sqlite",
  quote,
  fold: (name) => name.toLowerCase(),
  typeOf: ({ name }: Kind) => TYPES[name],
  tableOptions: "",
  async columns(session, { schema, name }) {
    const { rows } = await session.query(
      "SELECT name, type, pk FROM pragma_table_xinfo(?, ?)",
      [name, schema ?? "main"],
    );
    if (rows.length === 0) return null;
    return rows.map((row) => {
      const type = String(row["type"]).toUpperCase();
      const form = FORMS.find(([part]) => part.test(type))?.[1] ?? "other";
      return { name: String(row["name"]), type, form, holds: null, isKey: Number(row["pk"]) > 0 };
    });
  },
  // Its columns hold all numbers.
  widen: () => null,
  insert: (session, set) => session.queryEach(insertText(set), set.rows),
  async upsert(session, set) {
    const keys = set.keys.map(({ name }) => quote(name)).join(", ");
    const changes = others(set).map(({ name }) => `${quote(name)} = excluded.${quote(name)}`);
    const action = changes.length === 0 ? "NOTHING" : `UPDATE SET ${changes.join(", ")}`;
    await session.queryEach(`${insertText(set)} ON CONFLICT (${keys}) DO ${action}`, set.rows);
  },
  async update(session, set) {
    const changes = others(set);
    if (changes.length === 0) return;
    const order = [...changes, ...set.keys].map((column) => set.columns.indexOf(column));
    await session.queryEach(
      `UPDATE ${tableText({ quote }, set.table)} SET ${changes.map(assign).join(", ")} WHERE ${
        set.keys.map(assign).join(" AND ")
      }`,
      set.rows.map((row) => order.map((at) => row[at]!)),
    );
  },
  remove: (session, set) =>
    session.queryEach(
      `DELETE FROM ${tableText({ quote }, set.table)} WHERE ${
        set.columns.map(assign).join(" AND ")
      }`,
      set.rows,
    ),
  offsetColumns:
    "connector TEXT NOT NULL, topic TEXT NOT NULL, partition_number INTEGER NOT NULL, " +
    "next_offset INTEGER NOT NULL, epoch INTEGER NOT NULL, " +
    "PRIMARY KEY (connector, topic, partition_number)",
  claim: (table) =>
    `INSERT INTO ${table} (connector, topic, partition_number, next_offset, epoch) ` +
    "VALUES (?, ?, ?, -1, 1) " +
    "ON CONFLICT (connector, topic, partition_number) DO UPDATE SET epoch = epoch + 1",
  param: () => "?",
};
