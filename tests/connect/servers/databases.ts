/** The databases that SQL connectors are tried with, one interface over all. */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MariadbServer, needMariadb } from "./mariadb.ts";
import { needPostgres, PostgresServer } from "./postgres.ts";

type Row = Record<string, unknown>;

/** A database, looked at by a client of its own. */
export interface TestDatabase {
  readonly config: Record<string, string>;
  /** Null for a file. */
  readonly server: { down(): Promise<void>; up(): Promise<void> } | null;
  query(statement: string): Promise<Row[]>;
  /** Runs the statement in a transaction that is left open until it is released, and undone then. */
  lock(statement: string): Promise<{ release(): Promise<void> }>;
  stop(): Promise<void>;
}

export interface DatabaseKind {
  readonly name: "postgresql" | "mysql" | "sqlite";
  need(): Promise<string | null>;
  start(): Promise<TestDatabase>;
}

function ofServer(server: PostgresServer | MariadbServer): TestDatabase {
  let client: Bun.SQL | null = null;
  return {
    config: server.config,
    server,
    async query(statement) {
      client ??= server.client();
      const rows: Row[] = await client.unsafe(statement);
      return [...rows];
    },
    async lock(statement) {
      const locker = server.client();
      const connection = await locker.reserve();
      await connection.unsafe("BEGIN");
      await connection.unsafe(statement);
      return {
        async release() {
          await connection.unsafe("ROLLBACK");
          connection.release();
          await locker.close({ timeout: 0 });
        },
      };
    },
    async stop() {
      await client?.close({ timeout: 0 });
      await server.stop();
    },
  };
}

function ofFile(): TestDatabase {
  const folder = mkdtempSync(join(tmpdir(), "kstream-sqlite-"));
  const file = join(folder, "shop.db");
  const database = new Database(file, { create: true });
  database.exec("PRAGMA busy_timeout = 5000");
  return {
    config: { "connection.url": `sqlite:${file}` },
    server: null,
    query: (statement) =>
      Promise.resolve(statement).then((text) => database.query<Row, []>(text).all()),
    lock(statement) {
      const locker = new Database(file);
      locker.exec("BEGIN IMMEDIATE");
      locker.exec(statement);
      return Promise.resolve({
        release() {
          locker.exec("ROLLBACK");
          locker.close();
          return Promise.resolve();
        },
      });
    },
    stop() {
      database.close();
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

export const DATABASES: readonly DatabaseKind[] = [
  {
    name: "postgresql",
    need: needPostgres,
    start: async () => ofServer(await PostgresServer.start()),
  },
  { name: "mysql", need: needMariadb, start: async () => ofServer(await MariadbServer.start()) },
  { name: "sqlite", need: () => Promise.resolve(null), start: () => Promise.resolve(ofFile()) },
];
