/** Which database is meant: a URL as its own tools have it, or as JDBC has it. */
import { FieldError } from "../../index.ts";

export type DialectName = "postgresql" | "mysql" | "sqlite";

/** A database and how to get in. */
export interface Target {
  readonly dialect: DialectName;
  readonly hostname: string;
  readonly port: number;
  /** Of SQLite the file. */
  readonly database: string;
  readonly user: string | null;
  readonly password: string | null;
  readonly tls: Tls;
  /** A file of certificates that are trusted instead of the system's. */
  readonly trusted: string | null;
  /** Files of the certificate that is shown to the server, and of its key. */
  readonly shown: { readonly cert: string; readonly key: string } | null;
}

/** `require` believes any certificate, `verify` only one that is known and of that host. */
export type Tls = "disable" | "require" | "verify";

const DIALECTS: Readonly<Record<string, DialectName>> = {
  postgres: "postgresql",
  postgresql: "postgresql",
  mysql: "mysql",
  mariadb: "mysql",
};
const PORTS = { postgresql: 5432, mysql: 3306, sqlite: 0 };
const TLS: Readonly<Record<string, Tls>> = {
  "": "disable",
  disable: "disable",
  disabled: "disable",
  require: "require",
  required: "require",
  trust: "require",
  "verify-ca": "verify",
  verify_ca: "verify",
  "verify-full": "verify",
  verify_identity: "verify",
};

/**
 * Takes `postgresql://HOST:PORT/DATABASE?sslmode=verify-full`, `mysql://…`, `sqlite:FILE`, each with
 * `jdbc:` before it or without. Throws `FieldError`, which does not repeat what may be a password.
 */
export function parseTarget(
  url: string,
  user: string | null = null,
  password: string | null = null,
): Target {
  const text = url.trim().replace(/^jdbc:/i, "");
  const file = /^(?:sqlite|file):(?:\/\/(?=\/))?(.+)$/i.exec(text)?.[1];
  if (file !== undefined) {
    const server = { hostname: "", port: 0, user: null, password: null };
    const tls = { tls: "disable", trusted: null, shown: null } as const;
    return { dialect: "sqlite", database: file, ...tls, ...server };
  }
  const parsed = URL.canParse(text) ? new URL(text) : null;
  const scheme = parsed?.protocol.slice(0, -1) ?? "";
  const dialect = Object.hasOwn(DIALECTS, scheme) ? DIALECTS[scheme] : undefined;
  if (parsed === null || dialect === undefined || parsed.hostname === "") {
    throw new FieldError(
      "must be postgresql://HOST:PORT/DATABASE, mysql://HOST:PORT/DATABASE or sqlite:FILE, with or " +
        "without jdbc: before it",
    );
  }
  const database = decodeURIComponent(parsed.pathname.slice(1));
  if (database === "") throw new FieldError("must name the database: …HOST:PORT/DATABASE");
  const given = (name: string) => parsed.searchParams.get(name);
  return {
    dialect,
    hostname: parsed.hostname.replaceAll(/^\[|\]$/g, ""),
    port: parsed.port === "" ? PORTS[dialect] : Number(parsed.port),
    database,
    user: user ?? (decodeURIComponent(parsed.username) || given("user")),
    password: password ?? (decodeURIComponent(parsed.password) || given("password")),
    tls: tlsOf(given("sslmode") ?? given("sslMode") ?? given("ssl-mode") ?? ""),
    trusted: given("sslrootcert") ?? given("ssl-ca"),
    shown: shownOf(given("sslcert") ?? given("ssl-cert"), given("sslkey") ?? given("ssl-key")),
  };
}

function shownOf(cert: string | null, key: string | null): Target["shown"] {
  if (cert !== null && key !== null) return { cert, key };
  if (cert === null && key === null) return null;
  throw new FieldError("must have both, sslcert and sslkey, or none of them");
}

function tlsOf(mode: string): Tls {
  const lower = mode.toLowerCase();
  const tls = Object.hasOwn(TLS, lower) ? TLS[lower] : undefined;
  if (tls === undefined) throw new FieldError("must have sslmode disable, require or verify-full");
  return tls;
}

/** Why it is refused as a setting, or null. */
export function urlProblem(url: string): string | null {
  try {
    parseTarget(url);
    return null;
  } catch (error) {
    if (error instanceof FieldError) return error.message;
    throw error;
  }
}

/** The database as messages name it. */
export function describeTarget({ dialect, hostname, port, database }: Target): string {
  return dialect === "sqlite" ? database : `${hostname}:${port}/${database}`;
}
