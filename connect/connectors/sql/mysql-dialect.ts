/** MySQL and MariaDB: rows go as parameters of statements of 1, 2, 4 … rows. */
import { others, tableText } from "./dialect.ts";
import type { Dialect, Form, RowSet } from "./dialect.ts";
import type { Kind, KindName } from "./kinds.ts";
import type { Param, Session } from "./session.ts";

const TYPES: Readonly<Record<KindName, string>> = {
  boolean: "boolean",
  int16: "smallint",
  int32: "int",
  int64: "bigint",
  float32: "float",
  float64: "double",
  decimal: "decimal",
  text: "longtext",
  bytes: "longblob",
  json: "json",
  date: "date",
  time: "time(3)",
  timestamp: "datetime(3)",
};
/** Keys have a length, and one that fits an index. */
const KEY_TYPES: Partial<Record<KindName, string>> = {
  text: "varchar(255)",
  bytes: "varbinary(255)",
};
const DECIMAL_DIGITS_MAX = 65;
const DECIMAL_SCALE_MAX = 30;

const FORMS: Readonly<Record<string, Form>> = {
  date: "date",
  time: "time",
  datetime: "local",
  timestamp: "moment",
  json: "json",
};
const HOLDS: Readonly<Record<string, KindName>> = {
  smallint: "int16",
  int: "int32",
  bigint: "int64",
};
/** Of the protocol. */
const PARAMS_MAX = 65_535;
const ROWS_MAX = 1024;
/** A quarter of what servers take by default, as parameters are not measured exactly. */
const BYTES_MAX = 4 * 1024 * 1024;

// MariaDB's JSON is text with a check.
const COLUMNS = `
  SELECT c.column_name AS name, c.data_type AS type, c.column_type AS whole, c.column_key AS is_key,
    EXISTS (
      SELECT 1 FROM information_schema.check_constraints k
      WHERE k.constraint_schema = c.table_schema AND k.constraint_name = c.column_name
        AND LOWER(k.check_clause) LIKE 'json_valid(%'
    ) AS is_json
  FROM information_schema.columns c
  WHERE c.table_schema = COALESCE(?, DATABASE()) AND c.table_name = ?
  ORDER BY c.ordinal_position`;

function quote(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

function formOf(type: string): Form {
  if (Object.hasOwn(FORMS, type)) return FORMS[type]!;
  if (/int$|^(decimal|float|double|numeric|year)$/.test(type)) return "number";
  if (/char$|text$/.test(type)) return "text";
  return /binary$|blob$|^bit$/.test(type) ? "bytes" : "other";
}

/** Runs statements of as many rows as go into one; their number is a power of two, so that few differ. */
async function inPortions(
  session: Session,
  { columns, rows }: RowSet,
  statement: (count: number) => string,
): Promise<void> {
  for (let at = 0; at < rows.length;) {
    const most = Math.min(rows.length - at, Math.floor(PARAMS_MAX / columns.length), ROWS_MAX);
    let count = 2 ** Math.floor(Math.log2(most));
    while (count > 1 && bytesOf(rows, at, count) > BYTES_MAX) count /= 2;
    const params: Param[] = [];
    for (const end = at + count; at < end; at++) params.push(...rows[at]!);
    await session.query(statement(count), params);
  }
}

function bytesOf(rows: RowSet["rows"], from: number, count: number): number {
  let bytes = 0;
  for (let i = from; i < from + count; i++) {
    for (const value of rows[i]!) {
      if (typeof value === "string") bytes += value.length * 3;
      else bytes += value instanceof Uint8Array ? value.length : 8;
    }
  }
  return bytes;
}

function tuples(columns: number, count: number): string {
  const tuple = `(${Array.from({ length: columns }, () => "?").join(",")})`;
  return Array.from({ length: count }, () => tuple).join(",");
}

function insertText({ table, columns }: RowSet, count: number): string {
  const names = columns.map(({ name }) => quote(name)).join(", ");
  return `INSERT INTO ${tableText({ quote }, table)} (${names}) VALUES ${
    tuples(columns.length, count)
  }`;
}

export const MYSQL: Dialect = {
  name: "mysql",
  quote,
  fold: (name) => name.toLowerCase(),
  typeOf(kind: Kind, isKey: boolean) {
    if (kind.name === "decimal") {
      return `decimal(${DECIMAL_DIGITS_MAX},${Math.min(kind.scale ?? 10, DECIMAL_SCALE_MAX)})`;
    }
    return (isKey ? KEY_TYPES[kind.name] : undefined) ?? TYPES[kind.name];
  },
  // Keys that differ are different.
  tableOptions: " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
  async columns(session, { schema, name }) {
    const { rows } = await session.query(COLUMNS, [schema, name]);
    if (rows.length === 0) return null;
    return rows.map((row) => {
      const type = String(row["type"]).toLowerCase();
      const isBoolean = String(row["whole"]).toLowerCase() === "tinyint(1)";
      const isJson = Number(row["is_json"]) === 1;
      return {
        name: String(row["name"]),
        type,
        form: isBoolean ? "boolean" : isJson ? "json" : formOf(type),
        holds: Object.hasOwn(HOLDS, type) ? HOLDS[type]! : null,
        isKey: row["is_key"] === "PRI",
      };
    });
  },
  widen(table, column, kind) {
    const isExact = kind.name === "int16" || kind.name === "int32" || kind.name === "int64";
    // A double would lose digits of what is there.
    if (column.holds === "int64" && !isExact) return null;
    return `ALTER TABLE ${tableText({ quote }, table)} MODIFY COLUMN ${quote(column.name)} ${
      isExact ? TYPES[kind.name] : "double"
    }`;
  },
  insert: (session, set) => inPortions(session, set, (count) => insertText(set, count)),
  upsert(session, set) {
    const changed = others(set).length === 0 ? set.keys.slice(0, 1) : others(set);
    const changes = changed.map(({ name }) => `${quote(name)} = VALUES(${quote(name)})`).join(", ");
    return inPortions(
      session,
      set,
      (count) => `${insertText(set, count)} ON DUPLICATE KEY UPDATE ${changes}`,
    );
  },
  async update(session, set) {
    const changes = others(set);
    if (changes.length === 0) return;
    const order = [...changes, ...set.keys].map((column) => set.columns.indexOf(column));
    const assign = ({ name }: { readonly name: string }) => `${quote(name)} = ?`;
    await session.queryEach(
      `UPDATE ${tableText({ quote }, set.table)} SET ${changes.map(assign).join(", ")} WHERE ${
        set.keys.map(assign).join(" AND ")
      }`,
      set.rows.map((row) => order.map((at) => row[at]!)),
    );
  },
  remove(session, set) {
    const names = set.columns.map(({ name }) => quote(name)).join(", ");
    return inPortions(
      session,
      set,
      (count) =>
        `DELETE FROM ${tableText({ quote }, set.table)} WHERE (${names}) IN (${
          tuples(set.columns.length, count)
        })`,
    );
  },
  offsetColumns: "connector varchar(255) NOT NULL, topic varchar(249) NOT NULL, " +
    "partition_number int NOT NULL, next_offset bigint NOT NULL, epoch bigint NOT NULL, " +
    "PRIMARY KEY (connector, topic, partition_number)",
  claim: (table) =>
    `INSERT INTO ${table} (connector, topic, partition_number, next_offset, epoch) ` +
    "VALUES (?, ?, ?, -1, 1) ON DUPLICATE KEY UPDATE epoch = epoch + 1",
  param: () => "?",
};
