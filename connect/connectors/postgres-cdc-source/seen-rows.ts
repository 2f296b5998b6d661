/** Which changes the rows of a snapshot in several parts have seen already (see `position.ts`). */
import type { Cell, Row } from "./pgoutput.ts";
import type { Position } from "./position.ts";
import type { Session } from "./session.ts";
import { quoted, quotedTable, tableName } from "./table-shape.ts";
import type { TableShape } from "./table-shape.ts";

/** How many rows' places are remembered. */
const PLACES_MAX = 100_000;

/** See the head of the file. */
export class SeenRows {
  /** Transactions from here on are new to all rows. */
  readonly until: bigint;
  /** Transactions before are in all rows. */
  readonly from: bigint;
  /** By table and key: the first part of that table's keys that a row is in; none: behind them. */
  readonly #places = new Map<string, number>();

  constructor(readonly parts: Position["parts"], readonly session: Session) {
    this.from = parts[0]?.lsn ?? 0n;
    this.until = parts.at(-1)?.lsn ?? 0n;
  }

  /**
   * Has the server say where rows are, which knows how types, and texts in their collations, are
   * ordered: once for many rows. To be done before `has` is asked of them.
   */
  async learn(shape: TableShape, rows: readonly Row[]): Promise<void> {
    const name = tableName(shape);
    const cuts = this.parts.flatMap(({ table, key }, index) =>
      table === name && key !== null ? [{ index, key }] : []
    );
    if (cuts.length === 0) return;
    if (this.#places.size > PLACES_MAX) this.#places.clear();
    const asked = new Map<string, readonly Cell[]>();
    for (const row of rows) {
      const key = keyOf(shape, row);
      const place = placeName(name, key);
      if (!this.#places.has(place)) asked.set(place, key);
    }
    if (asked.size === 0) return;
    const found = await this.#ask(shape, [...asked.values()], cuts.map(({ key }) => key));
    for (const [i, place] of [...asked.keys()].entries()) {
      const cut = found[i] ?? null;
      this.#places.set(place, cut === null ? this.parts.length : cuts[cut]!.index);
    }
  }

  /** Whether the snapshot of this row has the transaction that committed at `lsn`. */
  has(lsn: bigint, shape: TableShape, row: Row): boolean {
    const name = tableName(shape);
    for (const [index, part] of this.parts.entries()) {
      if (name > part.table) continue;
      const isIn = name < part.table || part.key === null ||
        this.#placeOf(name, shape, row) <= index;
      if (isIn) return lsn < part.lsn;
    }
    // It was not there when tables were listed: all its changes are in the stream.
    return false;
  }

  #placeOf(name: string, shape: TableShape, row: Row): number {
    const place = this.#places.get(placeName(name, keyOf(shape, row)));
    if (place === undefined) throw new Error(`nobody asked where a row of ${name} is`);
    return place;
  }

  /** For each key the first of the cuts that is not before it; null: none is. */
  async #ask(
    shape: TableShape,
    keys: readonly (readonly Cell[])[],
    cuts: readonly (readonly string[])[],
  ): Promise<(number | null)[]> {
    const { key: names } = shape;
    const json = (list: readonly (readonly Cell[])[]) =>
      JSON.stringify(
        list.map((values) => Object.fromEntries(names.map((name, i) => [name, values[i] ?? null]))),
      );
    const columns = (from: string) => names.map((name) => `${from}.${quoted(name)}`).join(", ");
    const table = quotedTable(shape);
    const rows = await this.session.query(
      `SELECT (SELECT min(c.n) - 1 FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY c(o, n),
           jsonb_populate_record(NULL::${table}, c.o) b
         WHERE ROW(${columns("a")}) <= ROW(${columns("b")}))
       FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY k(o, n),
         jsonb_populate_record(NULL::${table}, k.o) a
       ORDER BY k.n`,
      [json(keys), json(cuts)],
    );
    return rows.map(([cut]) => cut === null || cut === undefined ? null : Number(cut));
  }
}

function keyOf({ key, columns }: TableShape, row: Row): Cell[] {
  return key.map((name) => row[columns.findIndex((column) => column.name === name)]);
}

function placeName(table: string, key: readonly Cell[]): string {
  return JSON.stringify([table, ...key]);
}
