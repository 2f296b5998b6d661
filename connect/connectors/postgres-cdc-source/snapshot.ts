/** The rows that are there, table by table, in the order of their keys, all as of one moment. */
import type { PartialSourceRecord, TaskClock } from "../../index.ts";
import type { ChangeRecords } from "./change-records.ts";
import type { Position, SnapshotPart } from "./position.ts";
import type { Session, TextRow } from "./session.ts";
import type { ExportedSnapshot } from "./slot.ts";
import type { Encoders, TableEncoder } from "./table-encoder.ts";
import { quoted, quotedTable, shapeOfListed, tableName } from "./table-shape.ts";
import type { ListedTable, TableShape } from "./table-shape.ts";

/** Some rows, and where the snapshot has come to with them. */
export interface SnapshotBatch {
  readonly records: readonly PartialSourceRecord[];
  readonly parts: readonly SnapshotPart[];
}

export interface SnapshotWorld {
  readonly session: Session;
  readonly encoders: Encoders;
  readonly records: ChangeRecords;
  readonly clock: TaskClock;
  readonly fetchSize: number;
}

/** Begins a transaction that sees what was exported, or, where nothing was, this moment. */
export async function beginAt(session: Session, snapshot: ExportedSnapshot | null): Promise<void> {
  await session.query("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
  if (snapshot !== null) {
    await session.query(`SET TRANSACTION SNAPSHOT '${snapshot.name.replaceAll("'", "''")}'`);
  }
}

/** Reads on behind `done`, within a transaction begun by `beginAt`. */
export async function* readRows(
  world: SnapshotWorld,
  tables: readonly ListedTable[],
  lsn: bigint,
  done: Position["parts"],
): AsyncGenerator<SnapshotBatch> {
  const last = done.at(-1);
  for (const listed of tables) {
    const name = tableName(listed);
    if (last !== undefined && (name < last.table || (name === last.table && last.key === null))) {
      continue;
    }
    const shape = await shapeOfListed(world.session, listed);
    const encoder = await world.encoders.make(shape, shape);
    const after = last !== undefined && name === last.table ? last.key : null;
    const part = (key: readonly string[] | null) => [...done, { lsn, table: name, key }];
    for await (const rows of readTable(world, shape, after)) {
      const records: PartialSourceRecord[] = [];
      const origin = {
        commitUs: world.clock.wallMs() * 1000,
        isSnapshot: true,
        xid: null,
        lsn,
        lastCommitLsn: null,
      };
      for (const row of rows) {
        const event = { op: "r", before: null, isBeforeKeyOnly: false, after: row } as const;
        world.records.append(records, encoder, event, origin);
      }
      // What has no key cannot be gone on with: it is read again as a whole.
      const key = keyOf(encoder, rows.at(-1));
      yield { records, parts: key === null ? done : part(key) };
    }
    yield { records: [], parts: part(null) };
  }
}

function keyOf({ shape }: TableEncoder, row: TextRow | undefined): string[] | null {
  if (shape.key.length === 0 || row === undefined) return null;
  return shape.key.map((name) => row[shape.columns.findIndex((c) => c.name === name)] ?? "");
}

async function* readTable(
  { session, fetchSize }: SnapshotWorld,
  shape: TableShape,
  after: readonly string[] | null,
): AsyncGenerator<readonly TextRow[]> {
  const columns = shape.columns.map(({ name }) => quoted(name)).join(", ");
  const key = shape.key.map(quoted).join(", ");
  const literals = after?.map((text) => session.client.escapeLiteral(text)).join(", ");
  const where = literals === undefined || key === "" ? "" : ` WHERE (${key}) > (${literals})`;
  const order = key === "" ? "" : ` ORDER BY ${key}`;
  await session.query(
    `DECLARE kstream_rows NO SCROLL CURSOR FOR SELECT ${columns || "NULL"} ` +
      `FROM ${quotedTable(shape)}${where}${order}`,
  );
  for (;;) {
    const rows = await session.query(`FETCH ${fetchSize} FROM kstream_rows`);
    if (rows.length > 0) yield rows;
    if (rows.length < fetchSize) break;
  }
  await session.query("CLOSE kstream_rows");
}
