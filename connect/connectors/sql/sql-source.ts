/** Records of tables of PostgreSQL, MySQL, MariaDB and SQLite, asked for again and again. */
import { choice, defineSource, int, list, long, RetriableError, string } from "../../index.ts";
import type { ConfigOf, ConfigProblem, PartialSourceRecord, SourceContext } from "../../index.ts";
import { connectionFields, patientClock, probeTarget, targetOf } from "./connection-fields.ts";
import { DIALECTS } from "./dialects.ts";
import { openSession, taskError } from "./session.ts";
import type { Session, SessionLimits } from "./session.ts";
import { partitionOf, SourceReader } from "./source-reader.ts";
import { listTables } from "./source-tables.ts";
import { SqlError } from "./sql-error.ts";

const LIST_TIMEOUT_MS = 30_000;

const fields = {
  ...connectionFields,
  mode: choice("bulk", "incrementing", "timestamp", "timestamp+incrementing").importance("HIGH")
    .group("Mode").doc(
      "How new rows are found: bulk reads all of them each time; incrementing those with a larger " +
        "number; timestamp those with a later time, so changed ones as well; timestamp+incrementing " +
        "tells rows of the same time apart.",
    ),
  "incrementing.column.name": string().optional().group("Mode").importance("HIGH").doc(
    "The column whose numbers only grow.",
  ).example("id"),
  "timestamp.column.name": list().default([]).group("Mode").importance("HIGH").doc(
    "The column that says when a row was last changed; of several the first that is not null.",
  ).example("updated_at"),
  "timestamp.delay.interval.ms": long({ min: 0 }).default(0).group("Mode").doc(
    "How old a row must be before it is read. Give it more than transactions take that write rows: " +
      "what is committed later with an earlier time is not seen.",
  ),
  "table.whitelist": list().default([]).group("Tables").importance("HIGH").doc(
    "The tables that are read, as TABLE or SCHEMA.TABLE. Empty: all of the database's own schema, " +
      "those that come later included.",
  ).example("orders,customers"),
  "table.blacklist": list().default([]).group("Tables").doc("Tables that are not read."),
  "table.poll.interval.ms": long({ min: 100 }).default(60_000).group("Tables").doc(
    "How often it is looked which tables there are.",
  ),
  query: string().optional().group("Tables").importance("HIGH").doc(
    "What is read instead of tables. It must have the columns of the mode, and no WHERE is needed: " +
      "it is asked as a subquery. Its records have no schema.",
  ).example("SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer"),
  "topic.prefix": string().default("").importance("HIGH").doc(
    "What is before the name of the table in the name of the topic. With query it is the whole name.",
  ).example("shop-"),
  "poll.interval.ms": long({ min: 1 }).default(5000).doc("The pause before all is asked again."),
  "batch.max.rows": int({ min: 1, max: 100_000 }).default(1000).doc(
    "How many rows are asked for at a time.",
  ),
  "numeric.mapping": choice("none", "best_fit").default("none").doc(
    "What decimal numbers become: with none Connect's Decimal, or a text where the column says no " +
      "scale; with best_fit whole numbers or doubles, which may lose digits.",
  ),
};

type Config = ConfigOf<typeof fields>;

export default defineSource({
  name: "sql-source",
  version: "1.0.0",
  doc:
    "Reads rows of tables of PostgreSQL, MySQL, MariaDB or SQLite again and again, those that are new " +
    "or changed by a number or a time in them. Exactly once where that is required, but for mode=bulk, " +
    "where all come each time. Deletions are not seen, nor rows that are committed later than ones " +
    "with a larger number: a source of change data sees both.",
  delivery: "exactly-once",
  whyNotExactlyOnce: ({ mode }) =>
    mode === "bulk"
      ? "mode=bulk reads all rows each time; take another mode, or leave it out"
      : null,
  config: fields,
  example: {
    "connection.url": "postgresql://db.example.com:5432/shop",
    "connection.user": "kstream",
    "connection.password": "${env:DB_PASSWORD}",
    mode: "timestamp+incrementing",
    "timestamp.column.name": "updated_at",
    "incrementing.column.name": "id",
    "table.whitelist": "orders,customers",
    "topic.prefix": "shop-",
  },
  check,
  probe: probeTarget,
  async tasks(config, raw, max, signal) {
    if (config.query !== null) return [raw];
    const limits = { clock: patientClock(signal), signal, timeoutMs: LIST_TIMEOUT_MS };
    const tables = await wantedTables(config, limits);
    const shares = Array.from({ length: Math.min(max, tables.length) }, (): string[] => []);
    for (const [i, table] of tables.entries()) shares[i % shares.length]!.push(table);
    return shares.map((share) => ({ ...raw, "table.whitelist": share.join(",") }));
  },
  async watch(config, changed, { clock, signal, log }) {
    if (config.query !== null || config["table.whitelist"].length > 0) return;
    let before: string | null = null;
    while (!signal.aborted) {
      try {
        const limits = { clock, signal, timeoutMs: LIST_TIMEOUT_MS };
        const now = JSON.stringify(await wantedTables(config, limits));
        if (before !== null && now !== before) changed();
        before = now;
      } catch (error) {
        if (signal.aborted) return;
        const why = error instanceof Error ? error.message : String(error);
        log.warn("the tables cannot be listed", { error: why });
      }
      await clock.sleep(config["table.poll.interval.ms"], signal);
    }
  },
  read,
});

function check(config: Config): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const needs = (field: string, isGiven: boolean) => {
    if (!isGiven) {
      problems.push({ field, message: `"${field}" must be given with mode=${config.mode}` });
    }
  };
  if (config.mode.includes("incrementing")) {
    needs("incrementing.column.name", config["incrementing.column.name"] !== null);
  }
  if (config.mode.includes("timestamp")) {
    needs("timestamp.column.name", config["timestamp.column.name"].length > 0);
  }
  if (config.query !== null) {
    if (config["table.whitelist"].length > 0) {
      problems.push({
        field: "query",
        message: '"query" and "table.whitelist" exclude each other',
      });
    }
    if (config["topic.prefix"] === "") {
      problems.push({
        field: "topic.prefix",
        message: '"topic.prefix" must name the topic of the query',
      });
    }
  }
  return problems;
}

async function wantedTables(config: Config, limits: SessionLimits): Promise<string[]> {
  const unwanted = new Set(config["table.blacklist"]);
  const named = config["table.whitelist"];
  if (named.length > 0) return named.filter((table) => !unwanted.has(table));
  const target = targetOf(config);
  try {
    const session = await openSession(target, limits);
    try {
      return (await listTables(session)).filter((table) => !unwanted.has(table));
    } finally {
      await session.close();
    }
  } catch (error) {
    throw error instanceof SqlError ? taskError(target, error) : error;
  }
}

async function* read(
  context: SourceContext<Config>,
): AsyncGenerator<readonly PartialSourceRecord[]> {
  const { config, signal, clock } = context;
  const target = targetOf(config);
  const readers = await readersOf(context);
  let session: Session | null = null;
  try {
    session = await openSession(target, { clock, signal, timeoutMs: config["query.timeout.ms"] });
    while (!signal.aborted) {
      for (const reader of readers) yield* reader.pages(session);
      await clock.sleep(config["poll.interval.ms"], signal);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof SqlError)) throw error;
    // What was known of a table has changed meanwhile: the next look at it is another one.
    if (error.trouble === "stale") throw new RetriableError(error.message);
    throw taskError(target, error);
  } finally {
    await session?.close();
  }
}

async function readersOf({ config, clock, offsets }: SourceContext<Config>) {
  const dialect = DIALECTS[targetOf(config).dialect];
  const settings = {
    mode: config.mode,
    incrementing: config["incrementing.column.name"],
    timestamps: config["timestamp.column.name"],
    delayMs: config["timestamp.delay.interval.ms"],
    rowsMax: config["batch.max.rows"],
    zone: config["db.timezone"],
    mapping: config["numeric.mapping"],
  };
  const names = config.query === null ? config["table.whitelist"] : [null];
  const stored = await offsets.getAll(names.map(partitionOf));
  return names.map((table, i) =>
    new SourceReader(
      dialect,
      table,
      config.query ?? "",
      `${config["topic.prefix"]}${table ?? ""}`,
      settings,
      clock,
      stored[i] ?? null,
    )
  );
}
