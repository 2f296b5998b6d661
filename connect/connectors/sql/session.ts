/**
 * One connection to a database, whose statements run one after the other. It is not mended: who loses
 * it opens another one, since what was begun on it is undone.
 */
import { Database } from "bun:sqlite";
import { readFileSync } from "node:fs";
import { RetriableError } from "../../index.ts";
import type { TaskClock } from "../../index.ts";
import { SqlError, sqlError } from "./sql-error.ts";
import type { DialectName, Target } from "./target.ts";
import { describeTarget } from "./target.ts";

/** What statements are given. */
export type Param = string | number | bigint | boolean | null | Uint8Array;

/** A row that was read, by the names of columns. */
export type Row = Readonly<Record<string, unknown>>;

export interface Answer {
  readonly rows: readonly Row[];
  /** How many rows a statement has changed. */
  readonly count: number;
}

/** A connection. Its errors are `SqlError`. */
export interface Session {
  readonly dialect: DialectName;
  query(statement: string, params?: readonly Param[]): Promise<Answer>;
  /** The same statement for each of them. */
  queryEach(statement: string, params: readonly (readonly Param[])[]): Promise<void>;
  begin(): Promise<void>;
  commit(): Promise<void>;
  /** How many statements the server keeps prepared for it. */
  readonly prepared: number;
  /** Ends it, whatever runs on it. */
  close(): Promise<void>;
}

/** Bounds of what is waited for. */
export interface SessionLimits {
  readonly clock: TaskClock;
  readonly signal: AbortSignal;
  /** How long a statement may take before the connection is given up. */
  readonly timeoutMs: number;
}

const CONNECT_TIMEOUT_S = 15;
const BUSY_PAUSE_MS = 10;
/** How long a statement may go on once the task is to end: less than the runtime waits for it. */
const END_PATIENCE_MS = 4000;

/** Connects. Throws `SqlError`. */
export async function openSession(target: Target, limits: SessionLimits): Promise<Session> {
  if (target.dialect === "sqlite") return new SqliteSession(target, limits);
  const session = new ServerSession(target, limits);
  try {
    await session.begun();
  } catch (error) {
    await session.close();
    throw error;
  }
  return session;
}

/** Resolves or rejects as `work` does, or rejects when the time is up or the task has to end. */
async function bounded<T>(work: Promise<T>, limits: SessionLimits): Promise<T> {
  const { clock, signal, timeoutMs } = limits;
  const over = new AbortController();
  const late = async (): Promise<never> => {
    await clock.sleep(timeoutMs, AbortSignal.any([over.signal, signal]));
    // What is nearly done need not be done again.
    if (signal.aborted) await clock.sleep(END_PATIENCE_MS, over.signal);
    const why = signal.aborted
      ? "the task ends"
      : `the database did not answer within ${timeoutMs} ms`;
    throw new SqlError("lost", why, "");
  };
  const limit = late();
  limit.catch(() => {});
  work.catch(() => {});
  try {
    return await Promise.race([work, limit]);
  } finally {
    over.abort();
  }
}

function tlsOptions({ tls, trusted, shown }: Target): Bun.TLSOptions | boolean {
  if (tls === "disable") return false;
  return {
    rejectUnauthorized: tls === "verify",
    ...(trusted !== null && { ca: fileText("sslrootcert", trusted) }),
    ...(shown !== null && {
      cert: fileText("sslcert", shown.cert),
      key: fileText("sslkey", shown.key),
    }),
  };
}

function fileText(parameter: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SqlError("other", `${parameter} cannot be read: ${why}`, "");
  }
}

/** PostgreSQL, MySQL and MariaDB by the runtime's client. */
class ServerSession implements Session {
  readonly dialect: "postgresql" | "mysql";
  readonly #client: Bun.SQL;
  readonly #statements = new Set<string>();
  #connection: Bun.ReservedSQL | null = null;

  constructor(target: Target, readonly limits: SessionLimits) {
    this.dialect = target.dialect === "mysql" ? "mysql" : "postgresql";
    this.#client = new Bun.SQL({
      adapter: this.dialect === "mysql" ? "mysql" : "postgres",
      hostname: target.hostname,
      port: target.port,
      database: target.database,
      username: target.user ?? undefined,
      password: target.password ?? "",
      tls: tlsOptions(target),
      max: 1,
      bigint: true,
      idleTimeout: 0,
      maxLifetime: 0,
      connectionTimeout: CONNECT_TIMEOUT_S,
    });
  }

  async begun(): Promise<void> {
    this.#connection = await this.#bounded(this.#client.reserve());
    if (this.dialect === "mysql") {
      // Values that do not fit are refused, never cut; texts of dates are UTC where they have a zone.
      await this.query("SET time_zone = '+00:00'");
      await this.query("SET sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')");
      await this.query("SET NAMES utf8mb4");
    } else {
      await this.query(
        "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET bytea_output = 'hex'; " +
          "SET application_name = 'kstream'; SET extra_float_digits = 1",
      );
    }
  }

  get prepared(): number {
    return this.#statements.size;
  }

  async query(statement: string, params: readonly Param[] = []): Promise<Answer> {
    const connection = this.#connection;
    if (connection === null) throw new SqlError("lost", "the connection is closed", "");
    if (params.length > 0) this.#statements.add(statement);
    const answer: unknown = await this.#bounded(connection.unsafe(statement, [...params]));
    return { rows: rowsOf(answer), count: countOf(answer, this.dialect) };
  }

  async queryEach(statement: string, params: readonly (readonly Param[])[]): Promise<void> {
    for (const each of params) await this.query(statement, each);
  }

  async begin(): Promise<void> {
    await this.query("BEGIN");
  }

  async commit(): Promise<void> {
    await this.query("COMMIT");
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = null;
    try {
      connection?.release();
    } catch {
      // It is gone already.
    }
    await this.#client.close({ timeout: 0 }).catch(() => {});
  }

  async #bounded<T>(work: Promise<T>): Promise<T> {
    try {
      return await bounded(work, this.limits);
    } catch (error) {
      throw sqlError(this.dialect, error);
    }
  }
}

/** SQLite in this thread. A lock that somebody else has is waited for without blocking the thread. */
class SqliteSession implements Session {
  readonly dialect = "sqlite";
  readonly prepared = 0;
  readonly #database: Database;

  constructor(target: Target, readonly limits: SessionLimits) {
    try {
      this.#database = new Database(target.database, { create: true, safeIntegers: true });
      this.#database.exec("PRAGMA busy_timeout = 0; PRAGMA foreign_keys = ON;");
    } catch (error) {
      throw sqlError("sqlite", error);
    }
  }

  query(statement: string, params: readonly Param[] = []): Promise<Answer> {
    return this.#patiently(() => {
      const prepared = this.#database.query<Row, Param[]>(statement);
      if (prepared.columnNames.length > 0) return { rows: prepared.all(...params), count: 0 };
      return { rows: [], count: prepared.run(...params).changes };
    });
  }

  queryEach(statement: string, params: readonly (readonly Param[])[]): Promise<void> {
    return this.#patiently(() => {
      const prepared = this.#database.query<Row, Param[]>(statement);
      for (const each of params) prepared.run(...each);
    });
  }

  async begin(): Promise<void> {
    await this.query("BEGIN IMMEDIATE");
  }

  /** Lets others of this thread have a turn, as nothing else here waits for anything. */
  async commit(): Promise<void> {
    await this.query("COMMIT");
    await new Promise((resolve) => setImmediate(resolve));
  }

  close(): Promise<void> {
    this.#database.close();
    return Promise.resolve();
  }

  async #patiently<T>(work: () => T): Promise<T> {
    const { clock, signal, timeoutMs } = this.limits;
    const until = clock.monotonicMs() + timeoutMs;
    for (;;) {
      try {
        return work();
      } catch (error) {
        const failure = sqlError("sqlite", error);
        const isBusy = /^SQLITE_(BUSY|LOCKED)/.test(failure.code);
        if (!isBusy || signal.aborted || clock.monotonicMs() > until) throw failure;
        await clock.sleep(BUSY_PAUSE_MS, signal);
      }
    }
  }
}

function rowsOf(answer: unknown): readonly Row[] {
  return Array.isArray(answer) ? answer.filter((row): row is Row => typeof row === "object") : [];
}

function countOf(answer: unknown, dialect: DialectName): number {
  if (typeof answer !== "object" || answer === null) return 0;
  const count: unknown = Reflect.get(answer, dialect === "mysql" ? "affectedRows" : "count");
  return typeof count === "number" ? count : 0;
}

/** What a task throws for an error of its database: what may pass is tried again. */
export function taskError(target: Target, error: SqlError): Error {
  const message = `${describeTarget(target)}: ${error.message}`;
  return error.trouble === "lost" ? new RetriableError(message) : new Error(message);
}
