/**
 * How many rows a second `sql-sink` writes, beside the same rows put in by a plain client in batches of
 * the same size: PostgreSQL, MariaDB and a file of SQLite on this machine. Rounds take turns.
 *
 *     bun bench/sql-sink.ts [--records 100000] [--rounds 3]
 */
import { Database } from "bun:sqlite";
import { parseArgs } from "node:util";
import sqlSink from "../connect/connectors/sql/sql-sink.ts";
import { sinkRecord, startSink } from "../connect/testing/index.ts";
import { DATABASES } from "../tests/connect/servers/databases.ts";
import type { TestDatabase } from "../tests/connect/servers/databases.ts";

const { values: flags } = parseArgs({
  options: {
    records: { type: "string", default: "100000" },
    rounds: { type: "string", default: "3" },
  },
});
const RECORDS = Number(flags.records);
const BATCH = 2000;
const UPSERT = { "insert.mode": "upsert", "pk.mode": "record_value", "pk.fields": "id" };

const rows = Array.from({ length: RECORDS }, (_, id) => ({
  id,
  customer: `customer-${id % 1000}`,
  total: id * 0.37,
  paid: id % 3 === 0,
  note: `order ${id} comes with a note of some length`,
}));
const records = rows.map((value, n) => sinkRecord(value, n));

interface Measured {
  readonly rowsPerSecond: number;
  readonly cpuMicrosPerRow: number;
}

async function measured(work: () => Promise<void>): Promise<Measured> {
  const before = process.cpuUsage();
  const startMs = performance.now();
  await work();
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { rowsPerSecond: RECORDS / seconds, cpuMicrosPerRow: (user + system) / RECORDS };
}

let runs = 0;

async function bySink(database: TestDatabase, more: Record<string, string>): Promise<Measured> {
  const config = {
    ...{ ...database.config, ...more },
    ...{ "table.name.format": `sink${runs++}`, "auto.create": "true" },
  };
  const sink = await startSink(sqlSink, config, { connector: `bench-${runs}`, timeoutMs: 60_000 });
  const result = await measured(async () => {
    for (let at = 0; at < RECORDS; at += BATCH) await sink.write(records.slice(at, at + BATCH));
  });
  await sink.stop();
  return result;
}

/** Statements of many rows in a transaction each, as anybody would write them. */
async function byClient(name: string, database: TestDatabase): Promise<Measured> {
  const table = `plain${runs++}`;
  const text = name === "mysql" ? "longtext" : "text";
  await database.query(
    `CREATE TABLE ${table} (id bigint NOT NULL, customer ${text}, total double precision, paid boolean, note ${text})`,
  );
  const url = database.config["connection.url"]!;
  if (name === "sqlite") {
    const client = new Database(url.slice("sqlite:".length));
    const insert = client.prepare(`INSERT INTO ${table} VALUES (?, ?, ?, ?, ?)`);
    const all = client.transaction((part: typeof rows) => {
      for (const { id, customer, total, paid, note } of part) {
        insert.run(id, customer, total, paid, note);
      }
    });
    const result = await measured(() => {
      for (let at = 0; at < RECORDS; at += BATCH) all(rows.slice(at, at + BATCH));
      return Promise.resolve();
    });
    client.close();
    return result;
  }
  const { hostname, port } = new URL(url);
  const client = new Bun.SQL({
    ...{ adapter: name === "mysql" ? "mysql" : "postgres", hostname, port: Number(port), max: 1 },
    ...{ database: "shop", username: database.config["connection.user"] },
    password: database.config["connection.password"],
  });
  const result = await measured(async () => {
    for (let at = 0; at < RECORDS; at += BATCH) {
      const part = rows.slice(at, at + BATCH);
      await client.begin(async (transaction) => {
        await transaction`INSERT INTO ${client(table)} ${client(part)}`;
      });
    }
  });
  await client.close();
  return result;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

for (const kind of DATABASES) {
  const missing = await kind.need();
  if (missing !== null) {
    console.log(`${kind.name}: ${missing}`);
    continue;
  }
  const database = await kind.start();
  const ways: Readonly<Record<string, () => Promise<Measured>>> = {
    "plain client": () => byClient(kind.name, database),
    "at least once": () => bySink(database, { "delivery.guarantee": "at-least-once" }),
    "exactly once": () => bySink(database, {}),
    "exactly once, upsert": () => bySink(database, UPSERT),
  };
  const results = new Map<string, Measured[]>();
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const [name, way] of Object.entries(ways)) {
      results.set(name, [...results.get(name) ?? [], await way()]);
    }
  }
  const plain = median(results.get("plain client")!.map(({ rowsPerSecond }) => rowsPerSecond));
  for (const [name, each] of results) {
    const rate = median(each.map(({ rowsPerSecond }) => rowsPerSecond));
    const cpu = median(each.map(({ cpuMicrosPerRow }) => cpuMicrosPerRow));
    console.log(
      `${kind.name.padEnd(11)} ${name.padEnd(21)} ${rate.toFixed(0).padStart(8)} rows/s ` +
        `(${(rate / plain).toFixed(2)} of the plain client) ${
          cpu.toFixed(1).padStart(6)
        } µs cpu/row`,
    );
  }
  await database.stop();
}
