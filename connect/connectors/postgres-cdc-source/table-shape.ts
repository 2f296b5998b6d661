/** What is known of a table: from the catalog, or as a message of the stream describes it. */
import type { Relation } from "./pgoutput.ts";
import type { Session, TextRow } from "./session.ts";
import type { TableFilter } from "./table-filter.ts";

export interface ColumnShape {
  readonly name: string;
  readonly typeOid: number;
  /** −1: none. */
  readonly typeModifier: number;
  readonly isRequired: boolean;
}

export interface TableShape {
  readonly schema: string;
  readonly table: string;
  /** As of `Relation`. */
  readonly identity: string;
  readonly columns: readonly ColumnShape[];
  /** Of the primary key, else of the replica identity's index; empty: there is none. */
  readonly key: readonly string[];
}

/** `schema.table`, as filters and offsets have it. */
export function tableName({ schema, table }: { schema: string; table: string }): string {
  return `${schema}.${table}`;
}

/** A name as it stands in SQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quotedTable({ schema, table }: { schema: string; table: string }): string {
  return `${quoted(schema)}.${quoted(table)}`;
}

/** A table that may be read. */
export interface ListedTable {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  readonly identity: string;
  readonly hasPrimaryKey: boolean;
}

/** Tables that are included, in the order of their names; partitions count as their root. */
export async function listTables(session: Session, filter: TableFilter): Promise<ListedTable[]> {
  const rows = await session.query(
    `SELECT c.oid, n.nspname, c.relname, c.relreplident,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'`,
  );
  return rows.map(([oid, schema, table, identity, hasPrimaryKey]) => ({
    oid: Number(oid),
    schema: schema ?? "",
    table: table ?? "",
    identity: identity ?? "d",
    hasPrimaryKey: hasPrimaryKey === "t",
  })).filter((table) => filter.hasTable(table.schema, table.table))
    .sort((a, b) => tableName(a) < tableName(b) ? -1 : 1);
}

interface CatalogColumn extends ColumnShape {
  /** From 1 in the primary key; 0: not in it. */
  readonly inPrimaryKey: number;
  readonly inIdentityIndex: boolean;
}

async function columnsOf(session: Session, oid: number): Promise<CatalogColumn[]> {
  // What is generated is not sent by pgoutput, so a snapshot leaves it out as well.
  const rows = await session.query(
    `SELECT a.attname, a.atttypid, a.atttypmod, a.attnotnull,
       coalesce((SELECT array_position(i.indkey::int2[], a.attnum) + 1 FROM pg_index i
         WHERE i.indrelid = a.attrelid AND i.indisprimary), 0),
       EXISTS (SELECT FROM pg_index i
         WHERE i.indrelid = a.attrelid AND i.indisreplident AND a.attnum = ANY (i.indkey))
     FROM pg_attribute a
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     ORDER BY a.attnum`,
    [oid],
  );
  return rows.map(([name, typeOid, modifier, notNull, position, inIdentity]: TextRow) => ({
    name: name ?? "",
    typeOid: Number(typeOid),
    typeModifier: Number(modifier),
    isRequired: notNull === "t",
    inPrimaryKey: Number(position),
    inIdentityIndex: inIdentity === "t",
  }));
}

function keyOf(columns: readonly CatalogColumn[]): string[] {
  const primary = columns.filter(({ inPrimaryKey }) => inPrimaryKey > 0)
    .sort((a, b) => a.inPrimaryKey - b.inPrimaryKey);
  const key = primary.length > 0 ? primary : columns.filter((column) => column.inIdentityIndex);
  return key.map(({ name }) => name);
}

/** A table as it is now, for a snapshot. */
export async function shapeOfListed(session: Session, listed: ListedTable): Promise<TableShape> {
  const { schema, table, identity } = listed;
  const columns = await columnsOf(session, listed.oid);
  return { schema, table, identity, columns, key: keyOf(columns) };
}

/**
 * A table as the stream describes it. What the stream does not say (what must not be null, what the
 * primary key is) is that of the catalog now, as far as its columns are still there.
 */
export async function shapeOfRelation(session: Session, relation: Relation): Promise<TableShape> {
  const { schema, table, identity } = relation;
  const now = await columnsOf(session, relation.oid);
  const required = new Set(now.filter(({ isRequired }) => isRequired).map(({ name }) => name));
  const columns = relation.columns.map(({ name, typeOid, typeModifier }) => ({
    name,
    typeOid,
    typeModifier,
    isRequired: required.has(name),
  }));
  const names = new Set(columns.map(({ name }) => name));
  const key = keyOf(now);
  if (key.length > 0 && key.every((name) => names.has(name))) {
    return { schema, table, identity, columns, key };
  }
  const flagged = identity === "f" ? [] : relation.columns.filter(({ isKey }) => isKey);
  return { schema, table, identity, columns, key: flagged.map(({ name }) => name) };
}
