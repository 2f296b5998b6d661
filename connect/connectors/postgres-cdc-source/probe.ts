/** What keeps the source from working, found out before it begins. */
import type { CaptureConfig } from "./fields.ts";
import { Session } from "./session.ts";
import { checkPublishable, findSlot } from "./slot.ts";
import { TableFilter } from "./table-filter.ts";
import type { DynamicKeys } from "./table-filter.ts";
import { listTables, tableName } from "./table-shape.ts";

/** Throws the first thing that is wrong, in a line. */
export async function probe(
  config: CaptureConfig,
  signal: AbortSignal,
  dynamic: DynamicKeys,
): Promise<void> {
  const session = await Session.open(config, "sql", signal);
  try {
    const where = `PostgreSQL at ${session.where}`;
    const tables = await listTables(session, new TableFilter(config, dynamic));
    if (tables.length === 0) {
      throw new Error(`${where} has no table that is included: see table.include.list`);
    }
    for (const table of tables) await checkReadable(session, tableName(table), table.oid);
    if (config["snapshot.mode"] === "initial_only") return;
    await checkReplication(session);
    await checkPublishable(session, config, tables);
    const slot = await findSlot(session, config);
    if (slot !== null && slot.lost !== null && config["snapshot.mode"] !== "when_needed") {
      throw new Error(
        `${where}: slot "${config["slot.name"]}" cannot be used any more (${slot.lost}): drop it`,
      );
    }
  } finally {
    await session.close();
  }
}

async function checkReadable(session: Session, name: string, oid: number): Promise<void> {
  const [row] = await session.query("SELECT has_table_privilege($1::oid, 'SELECT')", [oid]);
  if (row?.[0] === "t") return;
  throw new Error(
    `PostgreSQL at ${session.where}: the role may not read ${name}: GRANT SELECT, or leave it out`,
  );
}

async function checkReplication(session: Session): Promise<void> {
  const where = `PostgreSQL at ${session.where}`;
  const [row] = await session.query(
    `SELECT current_setting('wal_level'), rolsuper OR rolreplication OR EXISTS (
       SELECT FROM pg_roles r WHERE r.rolname IN ('rds_replication', 'rds_superuser')
         AND pg_has_role(current_user, r.oid, 'member')), rolname
     FROM pg_roles WHERE rolname = current_user`,
  );
  const [level, mayReplicate, role] = row ?? [];
  if (level !== "logical") {
    throw new Error(
      `${where} has wal_level=${level ?? "?"}: set wal_level=logical and restart the server`,
    );
  }
  if (mayReplicate !== "t") {
    throw new Error(`${where}: role ${role ?? "?"} may not replicate: ALTER ROLE … REPLICATION`);
  }
}
