/** What PostgreSQL, MySQL and SQLite say in different words. */
import type { Kind, KindName } from "./kinds.ts";
import type { Param, Session } from "./session.ts";
import type { DialectName } from "./target.ts";

/** How values go into a column. */
export type Form =
  | "boolean"
  | "number"
  | "text"
  | "bytes"
  | "json"
  | "date"
  | "time"
  /** A date and time of `db.timezone`. */
  | "local"
  /** A date and time that is the same moment everywhere. */
  | "moment"
  | "array"
  | "other";

/** A table by its name and that of its schema, if that is said. */
export interface TableName {
  readonly schema: string | null;
  readonly name: string;
}

export interface Column {
  readonly name: string;
  /** The type as the database names it, without lengths. */
  readonly type: string;
  readonly form: Form;
  /** Of a column of whole numbers which it holds. */
  readonly holds: KindName | null;
  readonly isKey: boolean;
}

/** A column to be made. */
export interface NewColumn {
  readonly name: string;
  readonly kind: Kind;
  readonly isKey: boolean;
}

/** Rows of one table with the same columns. */
export interface RowSet {
  readonly table: TableName;
  /** Of `rows`, in their order. */
  readonly columns: readonly Column[];
  readonly keys: readonly Column[];
  readonly rows: readonly (readonly Param[])[];
}

export interface Dialect {
  readonly name: DialectName;
  quote(name: string): string;
  /** The same for names that mean the same column. */
  fold(name: string): string;
  typeOf(kind: Kind, isKey: boolean): string;
  /** Behind CREATE TABLE (…). */
  readonly tableOptions: string;
  /** The columns of a table; null: there is none. */
  columns(session: Session, table: TableName): Promise<readonly Column[] | null>;
  /** Has a column hold that kind too. Null: it cannot, or must not. */
  widen(table: TableName, column: Column, kind: Kind): string | null;
  insert(session: Session, set: RowSet): Promise<void>;
  upsert(session: Session, set: RowSet): Promise<void>;
  update(session: Session, set: RowSet): Promise<void>;
  /** `rows` are keys alone. */
  remove(session: Session, set: RowSet): Promise<void>;
  /** The table that offsets are in. */
  readonly offsetColumns: string;
  /** Inserts a row of it or adds one to its epoch: connector, topic, partition. */
  claim(table: string): string;
  /** The n-th parameter, from 1. */
  param(n: number): string;
}

/** The table as statements have it. */
export function tableText(dialect: Pick<Dialect, "quote">, { schema, name }: TableName): string {
  return schema === null ? dialect.quote(name) : `${dialect.quote(schema)}.${dialect.quote(name)}`;
}

/** Columns that are not keys. */
export function others({ columns, keys }: RowSet): readonly Column[] {
  return columns.filter((column) => !keys.includes(column));
}
