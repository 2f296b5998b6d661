/** Which changes the rows of a snapshot in several parts have seen already (see `position.ts`). */
import type { Row } from "./pgoutput.ts";
import type { Position, SnapshotPart } from "./position.ts";
import type { Session } from "./session.ts";
import { quoted, quotedTable, tableName } from "./table-shape.ts";
import type { TableShape } from "./table-shape.ts";

/** See the head of the file. */
export class SeenRows {
  /** Transactions from here on are new to all rows. */
  readonly until: bigint;
  /** Transactions before are in all rows. */
  readonly from: bigint;

  constructor(readonly parts: Position["parts"], readonly session: Session) {
    this.from = parts[0]?.lsn ?? 0n;
    this.until = parts.at(-1)?.lsn ?? 0n;
  }

  /** Whether the snapshot of this row has the transaction that committed at `lsn`. */
  async has(lsn: bigint, shape: TableShape, row: Row): Promise<boolean> {
    const name = tableName(shape);
    for (const part of this.parts) {
      if (await this.#isIn(part, name, shape, row)) return lsn < part.lsn;
    }
    // It was not there when tables were listed: all its changes are in the stream.
    return false;
  }

  async #isIn(
    part: SnapshotPart,
    name: string,
    shape: TableShape,
    row: Row,
  ): Promise<boolean> {
    if (name !== part.table) return name < part.table;
    if (part.key === null) return true;
    const key = shape.key.map((column) => row[shape.columns.findIndex((c) => c.name === column)]);
    return await this.#isUpTo(shape, key.map((cell) => cell ?? null), part.key);
  }

  /** Asks the server, which knows how the types, and texts in their collations, are ordered. */
  async #isUpTo(
    shape: TableShape,
    key: readonly (string | null)[],
    last: readonly string[],
  ): Promise<boolean> {
    const { key: names } = shape;
    const object = (values: readonly (string | null)[]) =>
      JSON.stringify(Object.fromEntries(names.map((name, i) => [name, values[i]])));
    const columns = (from: string) => names.map((name) => `${from}.${quoted(name)}`).join(", ");
    const table = quotedTable(shape);
    const [found] = await this.session.query(
      `SELECT ROW(${columns("a")}) <= ROW(${columns("b")})
       FROM jsonb_populate_record(NULL::${table}, $1::jsonb) a,
         jsonb_populate_record(NULL::${table}, $2::jsonb) b`,
      [object(key), object(last)],
    );
    return found?.[0] === "t";
  }
}
