/** What databases refuse, and what is to be done about it. */
import type { DialectName } from "./target.ts";

/**
 * - `lost`: of the connection or of the server's mood: the same may work later;
 * - `data`: of the values that were sent: other rows may be taken;
 * - `stale`: a table or a column is not (any more) as it was known;
 * - `other`: somebody has to do something.
 */
export type Trouble = "lost" | "data" | "stale" | "other";

/** An error of a database. Its message is the database's. */
export class SqlError extends Error {
  override readonly name = "SqlError";
  constructor(readonly trouble: Trouble, message: string, readonly code: string) {
    super(message);
  }
}

/** Codes of five letters of PostgreSQL, by how they begin. */
const POSTGRES: readonly (readonly [begin: string, trouble: Trouble])[] = [
  ["08", "lost"],
  ["40", "lost"],
  ["53", "lost"],
  ["55P03", "lost"],
  // Somebody has stopped the statement, or the server stops or begins.
  ["57", "lost"],
  ["58", "lost"],
  // Another session has taken hold of a row of the catalog just now.
  ["XX000", "other"],
  ["22", "data"],
  ["23", "data"],
  ["44", "data"],
  // A trigger says no.
  ["P0001", "data"],
  ["42P01", "stale"],
  ["42703", "stale"],
  // The types of parameters are those that columns had before.
  ["42804", "stale"],
  ["0A000", "stale"],
];

/** Numbers of MySQL and MariaDB that say more than the five letters that come with them. */
const MYSQL: Readonly<Record<number, Trouble>> = {
  1040: "lost",
  1053: "lost",
  1077: "lost",
  1153: "data",
  1203: "lost",
  1205: "lost",
  1213: "lost",
  1290: "lost",
  1317: "lost",
  1836: "lost",
  1927: "lost",
  3024: "lost",
  1054: "stale",
  1146: "stale",
  1265: "data",
  1364: "data",
  1366: "data",
  1644: "data",
  3819: "data",
  4025: "data",
};

function postgresTrouble(code: string): Trouble {
  return POSTGRES.find(([begin]) => code.startsWith(begin))?.[1] ?? "other";
}

function mysqlTrouble(number: number, state: string): Trouble {
  const known = Object.hasOwn(MYSQL, number) ? MYSQL[number] : undefined;
  if (known !== undefined) return known;
  if (state.startsWith("22") || state.startsWith("23") || state === "45000") return "data";
  return state.startsWith("08") ? "lost" : "other";
}

function sqliteTrouble(code: string, message: string): Trouble {
  if (/^SQLITE_(BUSY|LOCKED|IOERR|FULL|PROTOCOL|CANTOPEN)/.test(code)) return "lost";
  if (/^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE)/.test(code)) return "data";
  return /no such (table|column)|has no column named/.test(message) ? "stale" : "other";
}

/** Problems of a connection that trying again does not mend. */
const HOPELESS = /TLS_NOT_AVAILABLE|AUTH|UNSUPPORTED|UNKNOWN_AUTH|SELF_SIGNED|CERT/;

/** What a client has thrown, in one form. */
export function sqlError(dialect: DialectName, error: unknown): SqlError {
  if (error instanceof SqlError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = textIn(error, "code");
  const state = textIn(error, "errno");
  if (dialect === "sqlite") return new SqlError(sqliteTrouble(code, message), message, code);
  if (code.endsWith("_SERVER_ERROR")) {
    const trouble = dialect === "mysql"
      ? mysqlTrouble(Number(state), textIn(error, "sqlState"))
      : postgresTrouble(state);
    return new SqlError(trouble, message, state);
  }
  // What remains is about connections; before this one is gone, a name was not found or refused.
  const trouble = HOPELESS.test(code) ? "other" : /^ERR_|^E[A-Z]+$/.test(code) ? "lost" : "other";
  return new SqlError(trouble, message, code);
}

function textIn(error: unknown, name: string): string {
  if (typeof error !== "object" || error === null) return "";
  const value: unknown = Reflect.get(error, name);
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
