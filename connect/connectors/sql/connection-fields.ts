/** What sink and source are both configured with. */
import { long, secret, string } from "../../index.ts";
import type { TaskClock } from "../../index.ts";
import { openSession, taskError } from "./session.ts";
import { SqlError } from "./sql-error.ts";
import { parseTarget, urlProblem } from "./target.ts";
import type { Target } from "./target.ts";
import { zoneProblem } from "./times.ts";

const TIMEOUT_MS = 120_000;
const PROBE_TIMEOUT_MS = 15_000;

export const connectionFields = {
  "connection.url": string().importance("HIGH").check(urlProblem).doc(
    "The database: postgresql://HOST:PORT/DATABASE, mysql://HOST:PORT/DATABASE (MariaDB as well) or " +
      "sqlite:FILE; jdbc: may stand before it. sslmode=require has the connection encrypted, " +
      "sslmode=verify-full the server's certificate checked as well, against the system's or those in the " +
      "file sslrootcert. sslcert and sslkey are files of the certificate that the user shows, and its key.",
  ).example("postgresql://db.example.com:5432/shop?sslmode=verify-full"),
  "connection.user": string().optional().importance("HIGH").doc("The user who logs in."),
  "connection.password": secret().optional().importance("HIGH").doc("The password of the user."),
  "query.timeout.ms": long({ min: 100 }).default(TIMEOUT_MS).importance("LOW").doc(
    "How long a statement may take before its connection is given up, and all is tried again.",
  ),
  "db.timezone": string().default("UTC").check(zoneProblem).doc(
    "The zone of columns that have a date and time without saying of which zone: timestamp of " +
      "PostgreSQL, datetime of MySQL, and those of SQLite.",
  ).example("Europe/Berlin"),
};

interface ConnectionConfig {
  readonly "connection.url": string;
  readonly "connection.user": string | null;
  readonly "connection.password": string | null;
}

export function targetOf(config: ConnectionConfig): Target {
  return parseTarget(
    config["connection.url"],
    config["connection.user"],
    config["connection.password"],
  );
}

/** Logs in and asks for one row. Throws what is wrong. */
export async function probeTarget(config: ConnectionConfig, signal: AbortSignal): Promise<void> {
  const target = targetOf(config);
  const limits = { clock: patientClock(signal), signal, timeoutMs: PROBE_TIMEOUT_MS };
  try {
    const session = await openSession(target, limits);
    try {
      await session.query("SELECT 1");
    } finally {
      await session.close();
    }
  } catch (error) {
    throw error instanceof SqlError ? taskError(target, error) : error;
  }
}

/** A clock where there is no task: what is waited for ends with the caller's signal. */
export function patientClock(end: AbortSignal): TaskClock {
  return {
    wallMs: () => 0,
    monotonicMs: () => 0,
    sleep: (_ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted || end.aborted) return resolve();
        signal.addEventListener("abort", () => resolve(), { once: true });
      }),
  };
}
