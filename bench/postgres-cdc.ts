/**
 * How fast changes of PostgreSQL get into a topic: a backlog of them waits in a slot, then
 * `kstream connect run` reads it, all on this machine. Prints changes a second from the first to the
 * last in the topic, and what a million of them takes of the processor: of the worker, of the server's
 * sender and of the broker.
 *
 *     bun bench/postgres-cdc.ts [--changes 400000] [--rounds 3]
 *
 * The rows are as those of an order: seven columns, some 150 bytes of JSON. Two of three changes are
 * inserts, the third is an update, in transactions of 1000.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Admin } from "../client/admin.ts";
import { bunClock } from "../core/io/bun/clock.ts";
import { bunNetwork } from "../core/io/bun/network.ts";
import { bunRandom } from "../core/io/bun/random.ts";
import { needPostgres, PostgresServer } from "../tests/connect/servers/postgres.ts";
import { freshDir, KSTREAM, startBrokerProcess } from "../tests/harness/broker-process.ts";
import { cpuSeconds, memoryBytes, spread } from "./measure.ts";

const { values: flags } = parseArgs({
  options: {
    changes: { type: "string", default: "400000" },
    rounds: { type: "string", default: "3" },
  },
});
const CHANGES = Number(flags.changes);
const DEADLINE_MS = 120_000;
/** Of each transaction. */
const INSERTS = 667;
const UPDATES = 333;
const TRANSACTION = INSERTS + UPDATES;

const VARIANTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "rows alone": { envelope: "none" },
  "envelope": { envelope: "debezium" },
  "envelope, exactly once": { envelope: "debezium", "exactly.once.support": "required" },
};

const missing = await needPostgres();
if (missing !== null) throw new Error(missing);
const dir = freshDir("bench-postgres");
const broker = await startBrokerProcess();
const server = await PostgresServer.start({ max_wal_size: "4GB", synchronous_commit: "off" });
const admin = new Admin(
  { clock: bunClock, random: bunRandom, network: bunNetwork },
  { brokers: [broker.bootstrap] },
);

async function count(topic: string): Promise<number> {
  const [end] = await admin.listOffsets([{ topic, partition: 0, at: "latest" }])
    .catch(() => []);
  return Number(end?.offset ?? 0);
}

async function write(table: string): Promise<void> {
  const client = server.client();
  for (let from = 0; from < CHANGES; from += TRANSACTION) {
    const series = `generate_series(${from}, ${from + INSERTS - 1}) i`;
    await client.begin(async (transaction) => {
      await transaction.unsafe(
        `INSERT INTO ${table} SELECT i, i % 1000, 'new', i * 1.01, 'order ' || md5(i::text) FROM ${series}`,
      );
      await transaction.unsafe(
        `UPDATE ${table} SET status = 'paid', total = total + 1
         WHERE id BETWEEN ${from} AND ${from + UPDATES - 1}`,
      );
    });
  }
  await client.close();
}

async function senderPid(slot: string): Promise<number> {
  const [row] = await server.sql(
    `SELECT active_pid FROM pg_replication_slots WHERE slot_name = '${slot}'`,
  );
  return Number(row?.["active_pid"] ?? 0);
}

let run = 0;
async function measure(variant: Readonly<Record<string, string>>): Promise<readonly number[]> {
  const table = `orders${run++}`;
  const topic = `shop.public.${table}`;
  await admin.createTopics([{ name: topic, partitions: 1, replicationFactor: 1 }]);
  await server.sql(
    `CREATE TABLE ${table} (id bigint PRIMARY KEY, customer int NOT NULL, status text NOT NULL,
       total numeric(12, 2), note text, created timestamptz NOT NULL DEFAULT now())`,
    `CREATE PUBLICATION ${table} FOR TABLE ${table}`,
    `SELECT pg_create_logical_replication_slot('${table}', 'pgoutput')`,
  );
  await write(table);
  const file = join(dir, `${table}.json`);
  await Bun.write(
    file,
    JSON.stringify({
      name: table,
      connector: "postgres-cdc-source",
      ...server.captureConfig,
      "topic.prefix": "shop",
      "slot.name": table,
      "publication.name": table,
      "table.include.list": `public.${table}`,
      "snapshot.mode": "no_data",
      ...variant,
    }),
  );
  const worker = Bun.spawn([KSTREAM, "connect", "run", file, "-b", broker.bootstrap], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: Bun.file(join(dir, `${table}.log`)),
  });
  try {
    const beganMs = performance.now();
    let first = 0;
    while ((first = await count(topic)) === 0) {
      if (performance.now() - beganMs > DEADLINE_MS) {
        throw new Error(await Bun.file(join(dir, `${table}.log`)).text());
      }
      await Bun.sleep(5);
    }
    const fromMs = performance.now();
    const pids = [worker.pid, await senderPid(table), broker.pid];
    const before = pids.map(cpuSeconds);
    let now = first;
    while ((now = await count(topic)) < CHANGES) {
      if (performance.now() - fromMs > DEADLINE_MS) throw new Error(`${now} of ${CHANGES}`);
      await Bun.sleep(10);
    }
    const seconds = (performance.now() - fromMs) / 1000;
    const cpu = pids.map((pid, i) => (cpuSeconds(pid) - before[i]!) / (now - first) * 1e6);
    return [(now - first) / seconds, ...cpu, memoryBytes(worker.pid).peak / 1e6];
  } finally {
    worker.kill("SIGKILL");
    await worker.exited;
    await server.sql(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${table}'`,
    );
  }
}

try {
  const found: Record<string, (readonly number[])[]> = {};
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const [name, variant] of Object.entries(VARIANTS)) {
      (found[name] ??= []).push(await measure(variant));
    }
  }
  console.log(
    "changes/s (min, median, max); seconds of processor for a million: worker, sender, broker; MB",
  );
  for (const [name, runs] of Object.entries(found)) {
    const column = (i: number) => spread(runs.map((figures) => figures[i]!));
    const rate = column(0);
    const rest = [1, 2, 3, 4].map((i) => column(i).median.toFixed(i === 4 ? 0 : 1));
    console.log(
      `${name.padEnd(24)} ${rate.min.toFixed(0)} ${rate.median.toFixed(0)} ${rate.max.toFixed(0)}` +
        `; ${rest.join(", ")}`,
    );
  }
} finally {
  admin.close();
  await server.stop();
  await broker.stop();
}
process.exit();
