/**
 * What state stores of streams could be kept in: `bun bench/stores.ts [--keys N] [--engines LIST]
 * [--lmdb DIR]`, DIR being a folder with `node_modules/lmdb`. Keys of 16 bytes in no order, values of 100
 * bytes, commits of 10,000 writes, sorted by key for the B-trees. Each engine has a process of its own;
 * thousands per second of the process's time, since the machine may be shared. Works compiled as well:
 * `bun build --compile bench/stores.ts`.
 */
import { Database } from "bun:sqlite";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { offerFasterCrc32c } from "../core/crc32c.ts";
import { loadCrc32cX64 } from "../core/io/bun/crc32c-x64.ts";
import { BunDisk } from "../core/io/bun/disk.ts";
import { BlockCache } from "../stream/stores/log-structured/block-cache.ts";
import { LogStructuredEngine } from "../stream/stores/log-structured/log-structured-engine.ts";

const BATCH = 10_000;
const CACHE_BYTES = 64 * 1024 * 1024;
const TASKS_MAX = 1_000_000;

/** What is measured. */
interface Candidate {
  commit(keys: readonly Uint8Array[], value: Uint8Array): void;
  get(key: Uint8Array): boolean;
  /** Counts all entries in the order of keys. */
  scan(): number;
  /** What goes on beside has ended. */
  settled(): Promise<void>;
  close(): void;
}

/** `isSynced` false: a power cut may damage it, a killed process does not. */
function sqlite(dir: string, pageBytes: number, isSynced: boolean): Candidate {
  const db = new Database(join(dir, "store.db"), { create: true });
  const pragmas = {
    ...{ page_size: pageBytes, journal_mode: "WAL", synchronous: isSynced ? "NORMAL" : "OFF" },
    ...{ cache_size: -CACHE_BYTES / 1024, locking_mode: "EXCLUSIVE", wal_autocheckpoint: 16_384 },
    ...(!isSynced && { mmap_size: 2 ** 32, temp_store: "MEMORY" }),
  };
  for (const [name, value] of Object.entries(pragmas)) db.run(`pragma ${name} = ${value}`);
  db.run("create table if not exists t (k blob primary key, v blob not null) without rowid");
  const put = db.prepare("insert or replace into t values (?, ?)");
  const get = db.prepare("select v from t where k = ?");
  const all = db.prepare("select k, v from t order by k");
  // Not `db.transaction`: its statements are never finalized, so closing would not let go of the lock.
  const [begin, end] = [db.prepare("begin"), db.prepare("commit")];
  return {
    commit(keys, value) {
      begin.run();
      for (const key of keys) put.run(key, value);
      end.run();
    },
    get: (key) => get.values(key).length > 0,
    scan: () => Array.from(all.iterate(), () => 0).length,
    settled: () => Promise.resolve(),
    close() {
      for (const statement of [put, get, all, begin, end]) statement.finalize();
      db.close(true);
    },
  };
}

/** As much of `lmdb` as is used here. */
interface Lmdb {
  open(options: Readonly<Record<string, unknown>>): {
    transactionSync(body: () => void): void;
    put(key: Uint8Array, value: Uint8Array): unknown;
    getBinary(key: Uint8Array): Uint8Array | undefined;
    getRange(options: object): Iterable<unknown>;
    close(): Promise<void>;
  };
}

function lmdb(dir: string, modules: string, isSynced: boolean): Candidate {
  const { open } = createRequire(join(modules, "/"))("lmdb") as Lmdb;
  const db = open({
    ...{ path: join(dir, "store.mdb"), keyEncoding: "binary", encoding: "binary" },
    ...{ noMemInit: true, overlappingSync: false, noSync: !isSynced, mapSize: 2 ** 36 },
  });
  return {
    commit: (keys, value) => db.transactionSync(() => keys.forEach((key) => db.put(key, value))),
    get: (key) => db.getBinary(key) !== undefined,
    scan: () => Array.from(db.getRange({}), () => 0).length,
    settled: () => Promise.resolve(),
    close: () => void db.close(),
  };
}

function ours(dir: string): Candidate {
  const engine = LogStructuredEngine.open(new BunDisk(), dir, {
    cache: new BlockCache(CACHE_BYTES),
  });
  let offset = 0n;
  return {
    commit(keys, value) {
      for (const key of keys) engine.put(key, value);
      engine.commit(offset++);
    },
    get: (key) => engine.get(key) !== null,
    scan: () => Array.from(engine.range({ from: null, to: null }), () => 0).length,
    settled: () => engine.settled(),
    close: () => engine.close(),
  };
}

function candidate(name: string, dir: string, modules: string): Candidate {
  if (name === "sqlite") return sqlite(dir, 4096, true);
  if (name === "sqlite-16k") return sqlite(dir, 16_384, true);
  if (name === "sqlite-unsynced") return sqlite(dir, 4096, false);
  if (name === "sqlite-unsynced-16k") return sqlite(dir, 16_384, false);
  if (name === "lmdb") return lmdb(dir, modules, true);
  if (name === "lmdb-nosync") return lmdb(dir, modules, false);
  if (name === "ours") return ours(dir);
  throw new Error(`there is no engine "${name}"`);
}

/** 16 bytes, in no order. */
function keyOf(index: number): Uint8Array {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(Math.imul(index, 2654435761) >>> 0, 0);
  key.writeUInt32BE(Math.imul(index ^ 0x55555, 40503) >>> 0, 4);
  key.writeUInt32BE(index, 8);
  return key;
}

const cpuMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1000;

async function measure(name: string, keys: number, modules: string): Promise<object> {
  const dir = fs.mkdtempSync(join(tmpdir(), "kstream-stores-"));
  const opened = candidate(name, dir, modules);
  const value = Buffer.alloc(100, 7);
  let state = 12_345;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor(state / 2 ** 32 * keys);
  };
  const tasks = Math.min(keys, TASKS_MAX);
  const row: Record<string, unknown> = { engine: name, keys };
  const timed = async (what: string, count: number, work: () => void | Promise<void>) => {
    const [cpu, start] = [cpuMs(), performance.now()];
    await work();
    await opened.settled();
    const perMs = (ms: number) => Math.round(count / ms);
    row[what] = `${perMs(cpuMs() - cpu)} (${perMs(performance.now() - start)})`;
  };
  const batches = async (count: number, indexOf: (at: number) => number, reads: boolean) => {
    for (let from = 0; from < count; from += BATCH) {
      const batch = Array.from({ length: BATCH }, (_, at) => keyOf(indexOf(from + at)));
      if (reads) { for (const key of batch) opened.get(key); }
      if (name !== "ours") batch.sort(Buffer.compare);
      opened.commit(batch, value);
      if (from % (BATCH * 10) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const gets = (indexOf: (at: number) => number, isThere: boolean) => () => {
    for (let at = 0; at < tasks; at++) {
      if (opened.get(keyOf(indexOf(at))) !== isThere) throw new Error("found what is not there");
    }
  };
  await timed("load", keys, () => batches(keys, (at) => at, false));
  await timed("overwrite", tasks, () => batches(tasks, random, false));
  await timed("get", tasks, gets(random, true));
  await timed("missing", tasks, gets((at) => keys + at, false));
  await timed("get+put", tasks, () => batches(tasks, random, true));
  await timed("scan", keys, () => {
    if (opened.scan() !== keys) throw new Error("entries are missing");
  });
  row["rssMb"] = Math.round(process.memoryUsage().rss / 1e6);
  opened.close();
  const sizes = fs.readdirSync(dir).map((file) => fs.statSync(join(dir, file)).blocks * 512);
  row["diskMb"] = Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1e6);
  const start = performance.now();
  const again = candidate(name, dir, modules);
  again.get(keyOf(1));
  row["openMs"] = Math.round(performance.now() - start);
  again.close();
  fs.rmSync(dir, { recursive: true });
  return row;
}

// As the commands do.
offerFasterCrc32c(loadCrc32cX64);

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "1000000" },
    engines: { type: "string", default: "ours,sqlite,sqlite-16k" },
    lmdb: { type: "string", default: "." },
    only: { type: "string" },
  },
});
if (values.only !== undefined) {
  console.log(JSON.stringify(await measure(values.only, Number(values.keys), values.lmdb)));
} else {
  const isCompiled = import.meta.path.startsWith("/$bunfs");
  const rows = values.engines.split(",").map((name) => {
    const own = isCompiled ? [process.execPath] : [process.execPath, import.meta.path];
    const options = ["--keys", values.keys, "--lmdb", values.lmdb];
    const { stdout } = Bun.spawnSync([...own, "--only", name, ...options], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    return stdout.length === 0
      ? { engine: name, keys: "failed" }
      : JSON.parse(`${stdout}`) as object;
  });
  console.table(rows);
}
