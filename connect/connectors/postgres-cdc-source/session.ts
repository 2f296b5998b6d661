/** Connections to PostgreSQL: for statements, and for replication. All values come as text. */
import { readFileSync } from "node:fs";
import pg from "pg";
import { RetriableError } from "../../index.ts";
import type { CaptureConfig } from "./fields.ts";

export type ServerConfig = Pick<
  CaptureConfig,
  | "database.hostname"
  | "database.port"
  | "database.user"
  | "database.password"
  | "database.dbname"
  | "database.sslmode"
  | "database.sslrootcert"
  | "database.sslcert"
  | "database.sslkey"
>;

/** A row as text by the order of the columns. */
export type TextRow = readonly (string | null)[];

const CONNECT_TIMEOUT_MS = 20_000;
const KEEP_ALIVE_DELAY_MS = 10_000;

/** How values are written as text, whatever the server's own settings are. */
const OPTIONS = [
  "-c DateStyle=ISO",
  "-c TimeZone=UTC",
  "-c IntervalStyle=postgres",
  "-c extra_float_digits=1",
  "-c bytea_output=hex",
  "-c statement_timeout=0",
  "-c idle_in_transaction_session_timeout=0",
].join(" ");

/** One connection; its end is that of everything asked of it. */
export class Session {
  /** Why it is gone; null: it is not. */
  #lost: Error | null = null;
  #isClosed = false;
  readonly #unhear: () => void;

  private constructor(
    readonly client: pg.Client,
    readonly connection: pg.Connection,
    readonly where: string,
    signal: AbortSignal,
  ) {
    client.on("error", (error) => {
      this.#lost ??= error;
    });
    const close = () => this.destroy();
    signal.addEventListener("abort", close, { once: true });
    this.#unhear = () => signal.removeEventListener("abort", close);
  }

  /** Throws `RetriableError` where the server is not there. */
  static async open(
    config: ServerConfig,
    kind: "sql" | "replication",
    signal: AbortSignal,
  ): Promise<Session> {
    signal.throwIfAborted();
    const ssl = tlsOf(config);
    try {
      return await Session.#open(config, kind, ssl, signal);
    } catch (error) {
      const isRefusal = error instanceof Error && error.message.includes("does not support SSL");
      if (config["database.sslmode"] !== "prefer" || !isRefusal) throw error;
      return await Session.#open(config, kind, false, signal);
    }
  }

  static async #open(
    config: ServerConfig,
    kind: "sql" | "replication",
    ssl: pg.ClientConfig["ssl"],
    signal: AbortSignal,
  ): Promise<Session> {
    const client = new pg.Client({
      host: config["database.hostname"],
      port: config["database.port"],
      user: config["database.user"],
      password: config["database.password"],
      database: config["database.dbname"],
      ssl,
      options: OPTIONS,
      application_name: `kstream ${kind}`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
      types: { getTypeParser: () => (text: string) => text },
      ...(kind === "replication" ? { replication: "database" } : {}),
    });
    const connection: unknown = Reflect.get(client, "connection");
    if (!(connection instanceof pg.Connection)) {
      throw new Error("pg keeps its connection elsewhere");
    }
    const session = new Session(client, connection, serverName(config), signal);
    try {
      await client.connect();
      return session;
    } catch (error) {
      session.destroy();
      throw session.explain(error);
    }
  }

  /** Runs one statement. Throws an error that says where, and `RetriableError` where that may help. */
  async query(text: string, values: readonly unknown[] = []): Promise<readonly TextRow[]> {
    if (this.#lost !== null) throw this.explain(this.#lost);
    try {
      const result = await this.client.query<(string | null)[]>({
        text,
        ...(values.length > 0 ? { values: [...values] } : {}),
        rowMode: "array",
      });
      return result.rows ?? [];
    } catch (error) {
      throw this.explain(error);
    }
  }

  /** What an error of this connection means, with where it comes from. */
  explain(error: unknown): Error {
    if (error instanceof RetriableError) return error;
    const { message, code, isPassing } = describe(error);
    const text = `PostgreSQL at ${this.where}: ${message}${code === "" ? "" : ` (${code})`}`;
    return isPassing ? new RetriableError(text) : new PostgresError(text, code);
  }

  /** Says good-bye. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unhear();
    await this.client.end().catch(() => {});
  }

  /** Lets go of it at once: what is under way fails. */
  destroy(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unhear();
    this.connection.stream.destroy();
  }
}

/** The server has refused something, and would again. */
export class PostgresError extends Error {
  override readonly name = "PostgresError";
  constructor(message: string, readonly code: string) {
    super(message);
  }
}

/** `HOST:PORT/DATABASE`. */
export function serverName(config: ServerConfig): string {
  const { "database.hostname": host, "database.port": port, "database.dbname": name } = config;
  return `${host}:${port}/${name}`;
}

/** Codes of PostgreSQL for what passes: it starts or ends, is full, a slot is in use elsewhere. */
const PASSING = /^(08...|57P0[1-5]|53...|55006|40...)$/;

function describe(error: unknown): { message: string; code: string; isPassing: boolean } {
  if (error instanceof pg.DatabaseError) {
    const code = error.code ?? "";
    const message = [error.message, error.detail, error.hint].filter(Boolean).join("; ");
    return { message, code, isPassing: PASSING.test(code) };
  }
  const message = error instanceof AggregateError && error.errors[0] instanceof Error
    ? error.errors[0].message
    : error instanceof Error
    ? error.message
    : String(error);
  // What is no answer of the server is about the way to it, but for what TLS finds wrong there.
  const isTls = /certificate|SSL|TLS|altname|self.signed/i.test(message);
  return { message, code: "", isPassing: !isTls };
}

function tlsOf(config: ServerConfig): pg.ClientConfig["ssl"] {
  const mode = config["database.sslmode"];
  if (mode === "disable") return false;
  const file = (path: string | null) => path === null ? undefined : readFileSync(path);
  const ca = file(config["database.sslrootcert"]);
  const cert = file(config["database.sslcert"]);
  const key = file(config["database.sslkey"]);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: mode === "verify-ca" || mode === "verify-full",
    // libpq's verify-ca: whoever the authority knows, under any name.
    ...(mode === "verify-ca" ? { checkServerIdentity: () => undefined } : {}),
  };
}
