/**
 * Records per second of the streams engine alone, on one core, without a broker: `bun
 * bench/streams-local.ts [--records N] [--keys N] [--only CASE] [--engine sqlite]
 * [--commit N]`. Records are bytes, as from a broker, and
 * what comes of them is dropped as bytes; stores are on disk, committed every 100,000 records or as
 * said. Thousands
 * per second of the process's time, and of the clock's in brackets.
 */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { offerFasterCrc32c } from "../core/crc32c.ts";
import { loadCrc32cX64 } from "../core/io/bun/crc32c-x64.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { silentLogger } from "../core/logger.ts";
import { json, string, TopologyBuilder, tumbling } from "../stream/index.ts";
import type { RawRecord } from "../stream/record.ts";
import type { StoreSpec } from "../stream/stores/store-spec.ts";
import { CacheBudget } from "../stream/stores/cache-budget.ts";
import { openStoreOf, restoreRecord } from "../stream/stores/open-store.ts";
import { RESTORED_BYTES_MAX } from "../stream/runtime/task-stores.ts";
import type { OpenState } from "../stream/stores/open-state.ts";
import { StateDirectory } from "../stream/stores/state-directory.ts";
import { Task, type TaskWorld } from "../stream/task/task.ts";
import { subtopologiesOf } from "../stream/topology/subtopologies.ts";
import { SqliteEngine } from "./sqlite-engine.ts";

const POLL_RECORDS = 500;
const CACHE_BYTES = 10 * 1024 * 1024;

interface Order {
  readonly id: number;
  readonly total: number;
  readonly country: string;
}

interface Case {
  build(builder: TopologyBuilder): void;
  /** Without: the orders of random keys. */
  readonly value?: Uint8Array;
}

const TEXT = { key: string(), value: string() };

const CASES: Readonly<Record<string, Case>> = {
  "filter+map of JSON": {
    build: (builder) =>
      builder.stream<string, Order>("in", { value: json<Order>() })
        .filter(({ total }) => total > 10)
        .mapValues(({ id, total }) => ({ id, total: total * 2 }))
        .to("out"),
  },
  "filter+map of text": {
    build: (builder) =>
      builder.stream("in", TEXT)
        .filter((value) => value.length > 3)
        .mapValues((value) => value.slice(1), string())
        .to("out"),
    value: new TextEncoder().encode("a line of text that is not very long, as logs have them"),
  },
  "count by key": {
    build: (builder) =>
      builder.stream("in", TEXT).groupByKey().count("counts").toStream().to("out"),
    value: new TextEncoder().encode("a line of text"),
  },
  "count by key and minute": {
    build: (builder) =>
      void builder.stream("in", TEXT).groupByKey()
        .windowedBy(tumbling({ sizeMs: 60_000 })).count("counts").toStream()
        .foreach(() => {}),
    value: new TextEncoder().encode("a line of text"),
  },
};

// As the commands do.
offerFasterCrc32c(loadCrc32cX64);

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "1000000" },
    keys: { type: "string", default: "1000000" },
    only: { type: "string" },
    /** Of the stores. */
    engine: { type: "string", default: "ours" },
    /** Records between commits. */
    commit: { type: "string", default: "100000" },
  },
});
const records = Number(values.records);
const keyCount = Number(values.keys);
const commitRecords = Number(values.commit);

const encoder = new TextEncoder();
const order = (id: number): Uint8Array =>
  encoder.encode(JSON.stringify({ id, total: id % 1000, country: "de", note: "as ordered" }));

/** Polled in turn, so that what makes records costs nothing. */
function polls(value: Uint8Array | undefined): RawRecord[][] {
  let state = 12_345;
  const all: RawRecord[] = [];
  for (let at = 0; at < Math.min(records, 2_000_000); at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const key = encoder.encode(`key-${Math.floor(state / 2 ** 32 * keyCount)}`);
    all.push({
      ...{
        topic: "in",
        partition: 0,
        offset: BigInt(at),
        timestampMs: 1_000_000 + at,
        headers: [],
      },
      ...{ key, value: value ?? order(at) },
    });
  }
  const parts: RawRecord[][] = [];
  for (let at = 0; at < all.length; at += POLL_RECORDS) {
    parts.push(all.slice(at, at + POLL_RECORDS));
  }
  return parts;
}

function openState(
  directory: StateDirectory,
  dir: string,
  spec: StoreSpec,
): Pick<OpenState, "engine" | "commit"> {
  if (values.engine !== "sqlite") return directory.open("0_0", spec);
  const engine = new SqliteEngine(dir, 16_384);
  return { engine, commit: () => engine.commit() };
}

function run(name: string, { build, value }: Case): object {
  const dir = fs.mkdtempSync(join(tmpdir(), "kstream-streams-"));
  const io = { ...bunIo(), logger: silentLogger };
  const directory = StateDirectory.open(io, { dir, applicationId: "bench" });
  const builder = new TopologyBuilder();
  build(builder);
  const budget = new CacheBudget(CACHE_BYTES);
  const states: Pick<OpenState, "engine" | "commit">[] = [];
  let written = 0;
  const world: TaskWorld = {
    output: { send: () => void written++ },
    wallMs: () => 0,
    internalTopic: (topic) => `bench-${topic}`,
    openStore(spec, onChange, context) {
      const state = openState(directory, dir, spec);
      states.push(state);
      const { engine } = state;
      return openStoreOf(spec, { engine, topic: spec.name, onChange, context, budget });
    },
    requestCommit: () => {},
    keepsRead: false,
    dropped: () => {},
    unreadable: (_raw, _part, error) => {
      throw error;
    },
    failed: (_node, _origin, error) => {
      throw error;
    },
    unwritable: (_node, _origin, error) => {
      throw error;
    },
  };
  const task = new Task(builder.topology, subtopologiesOf(builder.topology)[0]!, 0, world);
  const given = polls(value);
  let committed = 0;
  const commit = () => {
    task.flush();
    for (const state of states) state.commit(BigInt(committed));
  };
  const cpuMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1000;
  const [cpu, start] = [cpuMs(), performance.now()];
  for (const poll of given) {
    task.add("in", poll);
    while (task.process());
    committed += poll.length;
    if (committed % commitRecords === 0) commit();
  }
  commit();
  const perMs = (ms: number) => Math.round(committed / ms);
  const speed = `${perMs(cpuMs() - cpu)} (${perMs(performance.now() - start)})`;
  task.close();
  directory.close();
  fs.rmSync(dir, { recursive: true });
  const rssMb = Math.round(process.memoryUsage().rss / 1e6);
  return { case: name, records: committed, written, "k records/s": speed, rssMb };
}

/** Fills a store from its changelog, committing every 16 MB as tasks do. */
function restore(valueBytes: number): object {
  const dir = fs.mkdtempSync(join(tmpdir(), "kstream-streams-"));
  const directory = StateDirectory.open({ ...bunIo(), logger: silentLogger }, {
    ...{ dir, applicationId: "bench" },
  });
  const builder = new TopologyBuilder();
  builder.table("table", "in", TEXT);
  const spec = builder.topology.stores.get("table")!;
  const state = openState(directory, dir, spec);
  const value = new Uint8Array(valueBytes).fill(7);
  const keys = Array.from({ length: 100_000 }, () => new Uint8Array(16));
  const cpuMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1000;
  const count = Math.min(records, Math.floor(1e9 / valueBytes));
  const commitEvery = Math.ceil(RESTORED_BYTES_MAX / (16 + valueBytes));
  let [cpu, wall] = [0, 0];
  for (let at = 0; at < count;) {
    const end = Math.min(count, at + keys.length);
    for (let index = at; index < end; index++) {
      const view = new DataView(keys[index - at]!.buffer);
      view.setUint32(0, Math.imul(index, 2654435761));
      view.setUint32(8, index);
    }
    const [cpuStart, start] = [cpuMs(), performance.now()];
    const first = at;
    while (at < end) {
      restoreRecord(spec, state.engine, keys[at - first]!, value, 1000);
      if (++at % commitEvery === 0) state.commit(BigInt(at));
    }
    cpu += cpuMs() - cpuStart;
    wall += performance.now() - start;
  }
  const mb = count * (16 + valueBytes) / 1e6;
  state.engine.close();
  directory.close();
  fs.rmSync(dir, { recursive: true });
  const speed = (ms: number) => Math.round(mb / ms * 1000);
  const name = `restore of ${valueBytes} bytes`;
  const rssMb = Math.round(process.memoryUsage().rss / 1e6);
  return { case: name, records: count, "MB/s": `${speed(cpu)} (${speed(wall)})`, rssMb };
}

function measured(name: string): object {
  const restored = /^restore of (\d+) bytes$/.exec(name)?.[1];
  return restored === undefined ? run(name, CASES[name]!) : restore(Number(restored));
}

if (values.only !== undefined) console.log(JSON.stringify(measured(values.only)));
else {
  const all = [...Object.keys(CASES), "restore of 100 bytes", "restore of 1000 bytes"];
  const rows = all.map((name) => {
    const command = [process.execPath, import.meta.path, "--only", name];
    const { records, keys, engine, commit } = values;
    const options = ["--records", records, "--keys", keys, "--engine", engine, "--commit", commit];
    const { stdout } = Bun.spawnSync([...command, ...options], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    return JSON.parse(stdout.toString()) as object;
  });
  console.table(rows);
}
