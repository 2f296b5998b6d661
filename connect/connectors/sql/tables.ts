/** Tables as they are, and how they are made to have what records have. */
import { DataError } from "../../index.ts";
import type { TaskContext } from "../../index.ts";
import type { Change, Field } from "./changes.ts";
import { tableText } from "./dialect.ts";
import type { Column, Dialect, NewColumn, TableName } from "./dialect.ts";
import { joined, kindOf } from "./kinds.ts";
import type { Kind } from "./kinds.ts";
import type { Session } from "./session.ts";
import { SqlError } from "./sql-error.ts";

const INT16_MAX = 2 ** 15;
const INT32_MAX = 2 ** 31;

export interface TableSettings {
  readonly creates: boolean;
  readonly evolves: boolean;
}

/** Names of fields whose columns are remembered. */
const NAMES_MAX = 10_000;

/** A column and its place among those of its table. */
export interface PlacedColumn {
  readonly column: Column;
  readonly at: number;
}

/** A table as it was when it was looked at. */
export class Table {
  readonly #byName: ReadonlyMap<string, PlacedColumn>;
  readonly #asked = new Map<string, PlacedColumn | null>();

  constructor(
    readonly dialect: Dialect,
    readonly name: TableName,
    readonly columns: readonly Column[],
  ) {
    this.#byName = new Map(
      columns.map((column, at) => [dialect.fold(column.name), { column, at }]),
    );
  }

  column(name: string): Column | null {
    return this.placed(name)?.column ?? null;
  }

  placed(name: string): PlacedColumn | null {
    let found = this.#asked.get(name);
    if (found === undefined) {
      found = this.#byName.get(this.dialect.fold(name)) ?? null;
      if (this.#asked.size < NAMES_MAX) this.#asked.set(name, found);
    }
    return found;
  }
}

/** The tables that are written to. */
export class Tables {
  readonly #known = new Map<string, Table>();

  constructor(
    readonly dialect: Dialect,
    readonly settings: TableSettings,
    readonly log: TaskContext<unknown>["log"],
  ) {}

  /** What is known is forgotten: somebody else has changed it. */
  forget(): void {
    this.#known.clear();
  }

  /** The table once it has what the changes need and may be given. Throws where there is none. */
  async ready(session: Session, name: TableName, changes: readonly Change[]): Promise<Table> {
    const text = tableText(this.dialect, name);
    let table = this.#known.get(text) ?? await this.#read(session, name);
    if (table === null) table = await this.#create(session, name, changes);
    if (this.settings.evolves) table = await this.#evolve(session, table, changes);
    this.#known.set(text, table);
    return table;
  }

  async #read(session: Session, name: TableName): Promise<Table | null> {
    const columns = await this.dialect.columns(session, name);
    return columns === null ? null : new Table(this.dialect, name, columns);
  }

  async #create(session: Session, name: TableName, changes: readonly Change[]): Promise<Table> {
    const text = tableText(this.dialect, name);
    if (!this.settings.creates) {
      throw new SqlError(
        "other",
        `there is no table ${text}; create it, or have it created with auto.create=true`,
        "",
      );
    }
    const columns = newColumns(this.dialect, changes, () => false);
    const keys = columns.filter(({ isKey }) => isKey).map(({ name }) => this.dialect.quote(name));
    const parts = columns.map((column) => this.#definition(column));
    if (keys.length > 0) parts.push(`PRIMARY KEY (${keys.join(", ")})`);
    await this.#change(
      session,
      `CREATE TABLE ${text} (${parts.join(", ")})${this.dialect.tableOptions}`,
      async () => await this.#read(session, name) !== null,
    );
    const table = await this.#read(session, name);
    if (table === null) {
      throw new SqlError("other", `table ${text} was created, and is not there`, "");
    }
    return table;
  }

  async #evolve(session: Session, table: Table, changes: readonly Change[]): Promise<Table> {
    const text = tableText(this.dialect, table.name);
    const lacking = newColumns(
      this.dialect,
      changes,
      (name) => table.column(name) !== null,
    );
    const tooNarrow = widenings(table, changes);
    if (lacking.length === 0 && tooNarrow.size === 0) return table;
    for (const column of lacking) {
      await this.#change(
        session,
        `ALTER TABLE ${text} ADD COLUMN ${this.#definition(column)}`,
        async () => (await this.#read(session, table.name))?.column(column.name) != null,
      );
    }
    for (const [column, kind] of tooNarrow) {
      const statement = this.dialect.widen(table.name, column, kind);
      if (statement === null) continue;
      await this.#change(session, statement, () => Promise.resolve(false));
    }
    return await this.#read(session, table.name) ?? table;
  }

  /** Only keys must not be null: a record with another schema may come at any time. */
  #definition({ name, kind, isKey }: NewColumn): string {
    const type = this.dialect.typeOf(kind, isKey);
    return `${this.dialect.quote(name)} ${type}${isKey ? " NOT NULL" : " NULL"}`;
  }

  /** Another task may do the same at the same time: what it has done need not be done. */
  async #change(
    session: Session,
    statement: string,
    isDone: () => Promise<boolean>,
  ): Promise<void> {
    this.log.info("the database is changed", { statement });
    try {
      await session.query(statement);
    } catch (error) {
      if (!(error instanceof SqlError) || error.trouble === "lost" || !await isDone()) throw error;
    }
  }
}

/** Columns that the changes have and that are not there yet, as wide as all of them need. */
function newColumns(
  dialect: Dialect,
  changes: readonly Change[],
  isThere: (name: string) => boolean,
): NewColumn[] {
  const found = new Map<string, NewColumn>();
  const add = ({ name, schema, value }: Field, isKey: boolean) => {
    if (isThere(name)) return;
    const kind = kindOf(schema, value);
    if (kind === null) return;
    const id = dialect.fold(name);
    const before = found.get(id);
    found.set(
      id,
      before === undefined ? { name, kind, isKey } : { ...before, kind: joined(before.kind, kind) },
    );
  };
  for (const { key, fields } of changes) {
    for (const field of key) add(field, true);
    for (const field of fields ?? []) add(field, false);
  }
  return [...found.values()];
}

/** Columns of numbers that are too narrow for what comes, and the kind that has come. */
function widenings(table: Table, changes: readonly Change[]): Map<Column, Kind> {
  const found = new Map<Column, Kind>();
  if (table.columns.every(({ holds }) => holds === null)) return found;
  for (const { fields } of changes) {
    for (const { name, value, schema } of fields ?? []) {
      if (typeof value !== "number" && typeof value !== "bigint") continue;
      const column = table.column(name);
      if (column === null || column.holds === null || isHeld(column, value)) continue;
      const kind = kindOf(schema, value);
      const before = found.get(column);
      if (kind !== null) found.set(column, before === undefined ? kind : joined(before, kind));
    }
  }
  return found;
}

function isHeld({ holds }: Column, value: number | bigint): boolean {
  if (typeof value === "number" && !Number.isInteger(value)) return false;
  if (holds === "int64") return true;
  const max = holds === "int16" ? INT16_MAX : INT32_MAX;
  return value >= -max && value < max;
}

/** A field that has no column. */
export function noColumn(table: Table, { name }: Field): DataError {
  return new DataError(
    `field "${name}" has no column in table ${
      tableText(table.dialect, table.name)
    }: add it, have it ` +
      "added with auto.evolve=true, or leave it out with fields.whitelist",
  );
}
