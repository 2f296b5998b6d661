/** Replication slot and publication: made, looked at, dropped; what is wrong with them in one line. */
import type { TaskContext } from "../../index.ts";
import type { CaptureConfig } from "./fields.ts";
import { parseLsn } from "./lsn.ts";
import { PostgresError } from "./session.ts";
import type { Session } from "./session.ts";
import { quoted, quotedTable, tableName } from "./table-shape.ts";
import type { ListedTable } from "./table-shape.ts";

/** A slot that is there. */
export interface Slot {
  readonly confirmed: bigint;
  /** Why it is of no use any more; null: it is. */
  readonly lost: string | null;
}

/** A moment of the database, to be read by `SET TRANSACTION SNAPSHOT`. */
export interface ExportedSnapshot {
  /** It has seen all transactions that committed before. */
  readonly lsn: bigint;
  readonly name: string;
}

/** Null: there is none of that name. Throws where it is another kind of slot. */
export async function findSlot(session: Session, config: CaptureConfig): Promise<Slot | null> {
  const name = config["slot.name"];
  // to_jsonb: newer servers have more to say.
  const [row] = await session.query(
    `SELECT plugin, database, confirmed_flush_lsn, to_jsonb(s)->>'wal_status',
       to_jsonb(s)->>'invalidation_reason'
     FROM pg_replication_slots s WHERE slot_name = $1`,
    [name],
  );
  if (row === undefined) return null;
  const [plugin, database, confirmed, walStatus, reason] = row;
  if (plugin !== "pgoutput" || database !== config["database.dbname"]) {
    throw new PostgresError(
      `PostgreSQL at ${session.where}: replication slot "${name}" is of plugin ${
        plugin ?? "none"
      } ` +
        `and database ${database ?? "none"}: give the connector a slot.name of its own`,
      "",
    );
  }
  const isLost = walStatus === "lost" || (reason ?? null) !== null || confirmed === null;
  return {
    confirmed: confirmed === null || confirmed === undefined ? 0n : parseLsn(confirmed),
    lost: isLost ? reason ?? "the server has let go of its log" : null,
  };
}

/** A slot that goes with the connection, for its snapshot. */
export async function temporarySlot(replication: Session, name: string): Promise<ExportedSnapshot> {
  // One of a predecessor may be there until the server has seen its end.
  const [row] = await replication.query("SELECT pg_backend_pid()");
  return await createSlot(replication, `${name.slice(0, 50)}_${row?.[0]}`, true);
}

/** Makes the slot; the snapshot is there until the connection is used again. */
export async function createSlot(
  replication: Session,
  name: string,
  isTemporary: boolean,
): Promise<ExportedSnapshot> {
  const temporary = isTemporary ? "TEMPORARY " : "";
  const [row] = await replication.query(
    `CREATE_REPLICATION_SLOT "${name}" ${temporary}LOGICAL pgoutput EXPORT_SNAPSHOT`,
  );
  const [, lsn, snapshot] = row ?? [];
  return { lsn: parseLsn(lsn ?? ""), name: snapshot ?? "" };
}

export async function dropSlot(session: Session, name: string): Promise<void> {
  await session.query("SELECT pg_drop_replication_slot($1)", [name]);
}

/** How many bytes of its log the server keeps for the slot; null: there is none. */
export async function slotLag(session: Session, name: string): Promise<number | null> {
  const [row] = await session.query(
    `SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()
       ELSE pg_current_wal_lsn() END, restart_lsn)
     FROM pg_replication_slots WHERE slot_name = $1`,
    [name],
  );
  return row?.[0] === undefined || row[0] === null ? null : Number(row[0]);
}

/** Gives tables the identity that `replica.identity.autoset.values` has for them. */
export async function setIdentities(
  session: Session,
  config: CaptureConfig,
  tables: readonly ListedTable[],
): Promise<void> {
  const rules = identityRules(config);
  for (const table of tables) {
    const wanted = rules(table);
    if (wanted === undefined) continue;
    const [kind = "", index] = wanted.split(" ");
    const isIndex = index !== undefined;
    const letter = isIndex ? "i" : kind.toLowerCase().charAt(0);
    if (!isIndex && table.identity === letter) continue;
    const identity = isIndex ? `USING INDEX ${quoted(index)}` : kind.toUpperCase();
    await session.query(`ALTER TABLE ${quotedTable(table)} REPLICA IDENTITY ${identity}`);
  }
}

/** What `replica.identity.autoset.values` wishes for a table. */
function identityRules(config: CaptureConfig): (table: ListedTable) => string | undefined {
  const rules = config["replica.identity.autoset.values"].map((text) => {
    const at = text.lastIndexOf(":");
    return [new RegExp(`^(?:${text.slice(0, at)})$`), text.slice(at + 1)] as const;
  });
  return (table) => rules.find(([pattern]) => pattern.test(tableName(table)))?.[1];
}

/** Whether the server can say which row an UPDATE or DELETE was about. */
const hasIdentity = ({ identity, hasPrimaryKey }: ListedTable) =>
  identity === "f" || identity === "i" || (identity === "d" && hasPrimaryKey);

/** Makes the publication what `publication.autocreate.mode` says. Throws what keeps it from that. */
export async function preparePublication(
  session: Session,
  config: CaptureConfig,
  tables: readonly ListedTable[],
  log: TaskContext<unknown>["log"],
): Promise<void> {
  const name = config["publication.name"];
  const mode = config["publication.autocreate.mode"];
  const [row] = await session.query(
    "SELECT puballtables FROM pg_publication WHERE pubname = $1",
    [name],
  );
  const published = row === undefined ? new Set<string>() : await publishedTables(session, name);
  const missing = tables.filter((table) => !published.has(tableName(table)));
  if (mode === "disabled") {
    if (row === undefined) {
      throw refusal(
        session,
        `there is no publication "${name}": CREATE PUBLICATION it, or set ` +
          "publication.autocreate.mode=filtered",
      );
    }
    if (missing.length > 0) {
      log.warn("tables are included that the publication has not: they will be silent", {
        publication: name,
        tables: missing.map(tableName).join(", "),
      });
    }
    return;
  }
  if (row?.[0] === "t") return;
  if (mode === "filtered") refuseWithoutIdentity(session, missing);
  const list = missing.map(quotedTable).join(", ");
  const options = "WITH (publish_via_partition_root = true)";
  if (row === undefined) {
    const what = mode === "all_tables"
      ? "FOR ALL TABLES "
      : list === ""
      ? ""
      : `FOR TABLE ${list} `;
    await session.query(`CREATE PUBLICATION ${quoted(name)} ${what}${options}`);
  } else if (mode === "filtered" && list !== "") {
    await session.query(`ALTER PUBLICATION ${quoted(name)} ADD TABLE ${list}`);
    log.warn("tables were added to the publication: changes from now on are sent", {
      publication: name,
      tables: missing.map(tableName).join(", "),
    });
  }
}

async function publishedTables(session: Session, name: string): Promise<Set<string>> {
  const rows = await session.query(
    "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1",
    [name],
  );
  return new Set(rows.map(([schema, table]) => `${schema}.${table}`));
}

/**
 * Refuses tables to be published without a replica identity: once they are, the server refuses every
 * UPDATE and DELETE of anybody.
 */
function refuseWithoutIdentity(session: Session, tables: readonly ListedTable[]): void {
  const without = tables.filter((table) => !hasIdentity(table)).map(tableName);
  if (without.length === 0) return;
  throw refusal(
    session,
    `${
      without.join(", ")
    } cannot be published: without a primary key, UPDATE and DELETE would fail ` +
      "for everybody. Add a key, or set replica.identity.autoset.values=" +
      `${without[0]}:FULL, or leave the table out by table.exclude.list`,
  );
}

/** What `setIdentities` and `preparePublication` would refuse, found out without a change. */
export async function checkPublishable(
  session: Session,
  config: CaptureConfig,
  tables: readonly ListedTable[],
): Promise<void> {
  if (config["publication.autocreate.mode"] !== "filtered") return;
  const published = await publishedTables(session, config["publication.name"]);
  const rules = identityRules(config);
  refuseWithoutIdentity(
    session,
    tables.filter((table) => !published.has(tableName(table)) && rules(table) === undefined),
  );
}

function refusal(session: Session, text: string): PostgresError {
  return new PostgresError(`PostgreSQL at ${session.where}: ${text}`, "");
}
