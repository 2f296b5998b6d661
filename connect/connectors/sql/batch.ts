/** Changes of a table as few statements that come to the same. */
import { DataError } from "../../index.ts";
import { cellOf } from "./cells.ts";
import type { Change, Field } from "./changes.ts";
import type { Column, Dialect, RowSet } from "./dialect.ts";
import type { Param, Session } from "./session.ts";
import { noColumn } from "./tables.ts";
import type { Table } from "./tables.ts";

export type InsertMode = "insert" | "upsert" | "update";

/** A change whose values are as the columns of its table take them. */
export interface BoundChange {
  readonly change: Change;
  readonly table: Table;
  readonly key: readonly Cell[];
  readonly fields: readonly Cell[] | null;
}

interface Cell {
  readonly column: Column;
  /** The place of the column in its table. */
  readonly at: number;
  readonly value: Param;
}

/** Throws `DataError` where a value does not go into its column. */
export function bind(change: Change, table: Table, zone: string): BoundChange {
  const key = cellsOf(change.key, table, zone);
  const fields = change.fields === null ? null : cellsOf(change.fields, table, zone);
  return { change, table, key, fields };
}

function cellsOf(fields: readonly Field[], table: Table, zone: string): readonly Cell[] {
  const cells: Cell[] = [];
  for (const field of fields) {
    const placed = table.placed(field.name);
    if (placed === null) {
      // What is null and unknown to the table need not be written.
      if (field.value === null) continue;
      throw noColumn(table, field);
    }
    const { column, at } = placed;
    const value = cellOf(field.name, field.value, field.schema, column, zone);
    // Only names that are not the column's own may mean one that another field means.
    if (column.name !== field.name && fields.some((other) => isTwice(other, field, table, at))) {
      throw new DataError(`two fields are for column "${column.name}"`);
    }
    cells.push({ column, at, value });
  }
  return cells;
}

function isTwice(other: Field, field: Field, table: Table, at: number): boolean {
  return other !== field && table.placed(other.name)?.at === at;
}

/** One statement's rows. */
interface Step {
  readonly verb: InsertMode | "remove";
  /** Places of columns as the row had them that was first, and where each goes. */
  readonly places: readonly number[];
  readonly order: readonly number[];
  readonly set: RowSet & { readonly rows: (readonly Param[])[] };
}

/** Does what the changes of a table ask for, as if one after the other. */
export async function store(
  session: Session,
  dialect: Dialect,
  mode: InsertMode,
  changes: readonly BoundChange[],
): Promise<void> {
  for (const { verb, set } of mode === "insert" ? inTurn(changes) : merged(mode, changes)) {
    await dialect[verb](session, set);
  }
}

/** Inserts in their order as far as they have the same columns, deletions between them. */
function inTurn(changes: readonly BoundChange[]): Step[] {
  const steps: Step[] = [];
  let open = new Map<string, Step>();
  let openVerb: Step["verb"] = "insert";
  for (const { table, key, fields } of changes) {
    const verb = fields === null ? "remove" : "insert";
    if (verb !== openVerb) open = new Map();
    openVerb = verb;
    addTo(steps, open, verb, table, key, fields ?? []);
  }
  return steps;
}

/** The last state of each key: fields of later changes over those before, gone rows first. */
function merged(mode: InsertMode, changes: readonly BoundChange[]): Step[] {
  interface State {
    readonly table: Table;
    readonly key: readonly Cell[];
    readonly isRemoved: boolean;
    readonly fields: readonly Cell[] | null;
  }
  const states = new Map<string, State>();
  for (const { table, key, fields } of changes) {
    const id = JSON.stringify(key.map(({ value }) => identity(value)));
    const before = states.get(id);
    // The last one is written last: to the database keys may be the same that are not to us.
    states.delete(id);
    const isRemoved = fields === null || (before?.isRemoved ?? false);
    if (fields === null || (mode === "update" && isRemoved)) {
      states.set(id, { table, key, isRemoved, fields: null });
      continue;
    }
    states.set(id, { table, key, isRemoved, fields: over(before?.fields ?? [], fields) });
  }
  const steps: Step[] = [];
  const removals = new Map<string, Step>();
  for (const { table, key, isRemoved } of states.values()) {
    if (isRemoved) addTo(steps, removals, "remove", table, key, []);
  }
  const writes = new Map<string, Step>();
  for (const { table, key, fields } of states.values()) {
    if (fields !== null) addTo(steps, writes, mode, table, key, fields);
  }
  return steps;
}

function identity(value: Param): string {
  return value instanceof Uint8Array ? `x${value.toHex()}` : `${typeof value}${value}`;
}

function over(before: readonly Cell[], after: readonly Cell[]): readonly Cell[] {
  if (before.length === 0) return after;
  const kept = before.filter(({ column }) => !after.some((cell) => cell.column === column));
  return kept.length === 0 ? after : [...kept, ...after];
}

/** Puts a row to those of the same columns. */
function addTo(
  steps: Step[],
  open: Map<string, Step>,
  verb: Step["verb"],
  table: Table,
  key: readonly Cell[],
  fields: readonly Cell[],
): void {
  const cells = key.length === 0 ? fields : [...key, ...fields];
  const last = steps.at(-1);
  // As a rule a row has its columns as the one before it.
  const isAlike = last !== undefined && last.verb === verb && open.size > 0 &&
    last.set.table === table.name && last.set.keys.length === key.length &&
    last.places.length === cells.length &&
    cells.every(({ at }, i) => at === last.places[i]);
  const step = isAlike ? last : stepOf(steps, open, verb, table, key, cells);
  step.set.rows.push(step.order.map((from) => cells[from]!.value));
}

function stepOf(
  steps: Step[],
  open: Map<string, Step>,
  verb: Step["verb"],
  table: Table,
  key: readonly Cell[],
  cells: readonly Cell[],
): Step {
  const places = cells.map(({ at }) => at);
  // By the order of fields as well: those few are other statements' rows.
  const shape = `${key.length}:${places.join()}`;
  const known = open.get(shape);
  if (known !== undefined) return known;
  // Columns in the order of the table, so that the statement is the same for all orders.
  const order = places.map((_at, i) => i).sort((a, b) => places[a]! - places[b]!);
  const columns = order.map((from) => cells[from]!.column);
  const keys = key.map(({ column }) => column);
  const step: Step = {
    ...{ verb, places, order },
    set: { table: table.name, columns, keys, rows: [] },
  };
  open.set(shape, step);
  steps.push(step);
  return step;
}
