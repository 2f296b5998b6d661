/**
 * `bun tests/connect/kill-postgres.ts [--rounds 20] [--rows 20000]`: a source of PostgreSQL's changes
 * with exactly.once.support runs in a process (`kstream connect run`), while rows are inserted, updated,
 * deleted and given other keys. The process, or the server, is killed (kill -9) again and again: while
 * the rows that are there are read, and in the stream of changes. In the end each version of each row is
 * in the topic once, in order.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Consumer } from "../../client/consumer.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunNetwork } from "../../core/io/bun/network.ts";
import { bunRandom } from "../../core/io/bun/random.ts";
import { freshDir, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import { needPostgres, PostgresServer } from "./servers/postgres.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    rows: { type: "string", default: "20000" },
  },
});
const ROUNDS = Number(flags.rounds);
const ROWS = Number(flags.rows);
const PATIENCE_MS = 120_000;
const TOPIC = "shop.public.t";
const MARK = -1;

const missing = await needPostgres();
if (missing !== null) throw new Error(missing);
const dir = freshDir("kill-postgres");
const broker = await startBrokerProcess({ args: ["--topic", `${TOPIC}:1`] });
const server = await PostgresServer.start({ max_wal_size: "1GB" });
let worker: Bun.Subprocess | null = null;

async function startWorker(): Promise<void> {
  const config = {
    name: "cdc",
    connector: "postgres-cdc-source",
    ...server.captureConfig,
    "topic.prefix": "shop",
    envelope: "none",
    "snapshot.fetch.size": "500",
    "max.batch.size": "200",
    "status.update.interval.ms": "500",
    "exactly.once.support": "required",
  };
  const file = join(dir, "cdc.json");
  await Bun.write(file, JSON.stringify(config));
  worker = Bun.spawn(
    [KSTREAM, "connect", "run", file, "--brokers", broker.bootstrap, "--log-level", "warn"],
    { stdin: "ignore", stdout: "inherit", stderr: Bun.file(join(dir, "worker.log")) },
  );
}

async function killWorker(): Promise<void> {
  worker?.kill("SIGKILL");
  await worker?.exited;
}

let isOver = false;
let statements = 0;

/** Changes rows until it is over; while the server is away it waits. */
async function write(): Promise<void> {
  for (let n = ROWS; !isOver; n++) {
    const some = Math.floor(Math.random() * ROWS);
    const statement = [
      `UPDATE t SET v = v + 1 WHERE id BETWEEN ${some} AND ${some + 20}`,
      `INSERT INTO t VALUES (${n}, 0, 'new'), (${n + 1_000_000}, 0, 'new')`,
      `DELETE FROM t WHERE id = ${some}`,
      `UPDATE t SET id = id + 2000000, v = v + 1 WHERE id = ${some}`,
    ][Math.floor(Math.random() * 4)]!;
    await client.unsafe(statement).then(() => statements++, () => Bun.sleep(20));
  }
}

/** What is in the topic: `v` of each record by key, null a delete. */
class Reader {
  readonly versions = new Map<number, (number | null)[]>();
  records = 0;
  marks = 0;
  readonly #consumer: Consumer;

  constructor() {
    const io = { clock: bunClock, network: bunNetwork, random: bunRandom };
    this.#consumer = new Consumer(io, {
      brokers: [broker.bootstrap],
      isolationLevel: "read_committed",
    });
  }

  async begin(): Promise<void> {
    await this.#consumer.assign([{ topic: TOPIC, partition: 0, offset: 0n }]);
  }

  /** Reads until so many records are there. */
  async until(isEnough: () => boolean, what: string): Promise<void> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    while (!isEnough()) {
      const chunk = await this.#consumer.nextChunk(signal).catch(() => {
        throw new Error(`${what} did not come; ${this.records} records have`);
      });
      for (const { key, value } of chunk?.records() ?? []) this.#take(json(key), json(value));
    }
  }

  #take(key: { id: number } | null, value: { v: number } | null): void {
    this.records++;
    if (key === null) throw new Error("a record has no key");
    if (key.id === MARK) this.marks++;
    const list = this.versions.get(key.id) ?? [];
    this.versions.set(key.id, list);
    list.push(value?.v ?? null);
  }

  close(): Promise<void> {
    return this.#consumer.close();
  }
}

// The connector has written it.
const json = <T>(bytes: Uint8Array | null) =>
  bytes === null ? null : JSON.parse(new TextDecoder().decode(bytes)) as T;

/** A row goes on one by one, until it is deleted: then nothing comes. */
function faultOf(list: readonly (number | null)[], final: number | null): string | null {
  if (list.at(-1) !== final) return `ends with ${list.at(-1)} in place of ${final}`;
  for (let i = 1; i < list.length; i++) {
    const [before, now] = [list[i - 1]!, list[i]!];
    if (before === null) return "goes on after it was deleted";
    if (now !== null && now !== before + 1) return `has ${now} after ${before}`;
  }
  return null;
}

const client = server.client();
const reader = new Reader();

async function story(): Promise<void> {
  await client.unsafe("CREATE TABLE t (id int PRIMARY KEY, v int, pad text)");
  await client.unsafe(
    `INSERT INTO t SELECT i, 0, repeat('x', 200) FROM generate_series(0, ${ROWS - 1}) i`,
  );
  await reader.begin();
  const writing = write();
  let inSnapshot = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await startWorker();
    const from = reader.records;
    // In the first rounds that is within the snapshot.
    await reader.until(() => reader.records >= from + 700, `round ${round}`);
    if (reader.records < ROWS) inSnapshot++;
    if (round % 3 === 2) {
      await server.down();
      await Bun.sleep(100);
      await server.up();
      const more = reader.records;
      await reader.until(() => reader.records > more, `after the server's death in ${round}`);
    }
    await killWorker();
  }
  isOver = true;
  await writing;
  await startWorker();
  await server.sql(`INSERT INTO t VALUES (${MARK}, 0, '')`);
  await reader.until(() => reader.marks > 0, "the end");
  await killWorker();
  const rows = await server.sql("SELECT id, v FROM t");
  const final = new Map(rows.map((row) => [Number(row["id"]), Number(row["v"])]));
  const faults: string[] = [];
  for (const id of final.keys()) if (!reader.versions.has(id)) faults.push(`${id} is lost`);
  for (const [id, list] of reader.versions) {
    const fault = faultOf(list, final.get(id) ?? null);
    if (fault !== null) faults.push(`${id} ${fault}`);
  }
  console.log(
    `${ROUNDS} workers killed, ${inSnapshot} of them in the snapshot, ${Math.floor(ROUNDS / 3)} ` +
      `servers; ${statements} statements, ${reader.records} records of ${reader.versions.size} keys, ` +
      `${faults.length} faults`,
  );
  if (faults.length > 0) throw new Error(faults.slice(0, 10).join("\n"));
}

try {
  await story();
} catch (error) {
  console.error(await Bun.file(join(dir, "worker.log")).text().catch(() => ""));
  throw error;
} finally {
  isOver = true;
  await killWorker();
  await reader.close();
  await client.close({ timeout: 0 }).catch(() => {});
  await server.stop();
  await broker.stop();
}
process.exit();
