/**
 * Applications of streams beside the same ones in Java with Kafka Streams, in turn on the same broker
 * (ours): `bun bench/streams.ts [--records 2000000] [--only map,count] [--guarantees
 * exactly_once_v2] [--pairs 1] [--write]`. One member with one
 * thread each, Java with its defaults (G1, heap of 1 GB at the most). A turn begins with an empty state
 * and ends when all offsets are committed. Per turn: thousands of records per second from the first
 * commit that is seen to the last one; processor time of the whole process, its start included, in
 * microseconds per record; milliseconds from its start to the first output; peak of its memory in MB.
 * With `--write` cases go to the result file of the commit, as part `streams`, in place of the same
 * ones of before.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Admin } from "../client/admin.ts";
import { Producer } from "../client/producer.ts";
import { bunClock } from "../core/io/bun/clock.ts";
import { bunNetwork } from "../core/io/bun/network.ts";
import { bunRandom } from "../core/io/bun/random.ts";
import { javaProgram, needJavaPrograms } from "../tests/compat/java-programs.ts";
import { KSTREAM } from "../tests/harness/broker-process.ts";
import { cpuSeconds, memoryBytes, ratios, type Spread, spread } from "./measure.ts";
import { Results } from "./results.ts";
import { startOurs } from "./targets.ts";

const { values: flags } = parseArgs({
  options: {
    records: { type: "string", default: "2000000" },
    pairs: { type: "string", default: "1" },
    only: { type: "string", default: "map,count,window,join" },
    guarantees: { type: "string", default: "exactly_once_v2,at_least_once" },
    write: { type: "boolean", default: false },
  },
});
const RECORDS = Number(flags.records);
const VALUE_BYTES = 100;
const KEYS = 1_000_000;
const ROWS = 100_000;
const CHUNK = 20_000;
const PATIENCE_MS = 300_000;
const LOOK_MS = 20;

const STEPS: Readonly<Record<string, string>> = {
  map:
    `stream.filter((value) => value.length > 3).mapValues((value) => value.slice(1), string()).to("out");`,
  count: `stream.groupByKey().count("counts").toStream().to("out");`,
  window:
    `stream.groupByKey().windowedBy(tumbling({ sizeMs: 60_000 })).count("minutes").toStream().to("out");`,
  join:
    `stream.joinTable(builder.table("table", "table", text), (value, row) => value + row, { result: string() }).to("out");`,
};
/** Kafka's default, and for at-least-once one that is short beside a turn. */
const EOS_COMMIT_MS = 100;
const COMMIT_MS = 1000;

/** Of one turn. */
interface Turn {
  readonly kPerSecond: number;
  readonly cpuMicros: number;
  readonly firstOutputMs: number;
  readonly peakMb: number;
}

type OfTurns = { readonly [K in keyof Turn]: Spread };

/** An application with a guarantee, as result files have it. */
export interface StreamsRow {
  readonly case: string;
  readonly guarantee: string;
  readonly records: number;
  readonly pairs: number;
  readonly ours: OfTurns;
  readonly java: OfTurns;
  /** Ours over Java's, pair by pair. */
  readonly over: OfTurns;
}

function ofTurns(spreadOf: (of: (turn: Turn) => number) => Spread): OfTurns {
  return {
    kPerSecond: spreadOf(({ kPerSecond }) => kPerSecond),
    cpuMicros: spreadOf(({ cpuMicros }) => cpuMicros),
    firstOutputMs: spreadOf(({ firstOutputMs }) => firstOutputMs),
    peakMb: spreadOf(({ peakMb }) => peakMb),
  };
}

const io = { clock: bunClock, network: bunNetwork, random: bunRandom };
const encoder = new TextEncoder();

async function fill(bootstrap: string): Promise<void> {
  const producer = new Producer(io, { brokers: [bootstrap] });
  const startMs = Date.now();
  let state = 12_345;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  const write = async (topic: string, count: number, keyOf: (at: number) => number) => {
    const value = encoder.encode("v".repeat(VALUE_BYTES));
    for (let from = 0; from < count; from += CHUNK) {
      await producer.sendAll(
        Array.from({ length: Math.min(CHUNK, count - from) }, (_, i) => ({
          ...{ topic, value, timestampMs: startMs + Math.floor((from + i) / 10) },
          key: encoder.encode(`key-${keyOf(from + i)}`),
        })),
      );
    }
  };
  await write("in", RECORDS, () => random(KEYS));
  // Every tenth record finds a row.
  await write("table", ROWS, (at) => at);
  await producer.close();
}

function command(isOurs: boolean, of: readonly string[], dir: string): string[] {
  const [bootstrap = "", id = "", name = "", guarantee = "", commitMs = ""] = of;
  const state = join(dir, `state-${id}`);
  if (!isOurs) {
    const all = javaProgram("StreamsBench", bootstrap, id, name, state, guarantee, commitMs);
    const [java = "", ...rest] = all.filter((flag) =>
      !/^-X(mx|X:\+UseSerialGC|X:Tiered)/.test(flag)
    );
    return [java, "-Xmx1g", "-XX:+UseG1GC", ...rest];
  }
  const app = join(dir, `${name}.ts`);
  writeFileSync(
    app,
    `import { string, TopologyBuilder, tumbling } from "kstream/stream";
const builder = new TopologyBuilder();
const text = { key: string(), value: string() };
const stream = builder.stream("in", text);
void tumbling;
${STEPS[name]}
export default builder;
`,
  );
  const settings = {
    "application.id": id,
    "state.dir": state,
    "processing.guarantee": guarantee,
    "commit.interval.ms": commitMs,
  };
  const set = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  return [KSTREAM, "stream", "run", app, "-b", bootstrap, ...set];
}

async function turn(admin: Admin, id: string, argv: readonly string[]): Promise<Turn> {
  const before = await outputs(admin);
  const startMs = performance.now();
  const child = Bun.spawn([...argv], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  try {
    let firstOutputMs = 0;
    let first: { atMs: number; records: number } | null = null;
    for (;;) {
      await Bun.sleep(LOOK_MS);
      const nowMs = performance.now();
      if (child.exitCode !== null || nowMs - startMs > PATIENCE_MS) {
        throw new Error(
          `${id} has ended with ${child.exitCode}, or is too slow: ${argv.join(" ")}`,
        );
      }
      if (firstOutputMs === 0 && await outputs(admin) > before) {
        firstOutputMs = performance.now() - startMs;
      }
      const done = await committed(admin, id);
      if (done > 0 && first === null) first = { atMs: performance.now(), records: done };
      if (first === null || done < RECORDS) continue;
      const ms = performance.now() - first.atMs;
      return {
        kPerSecond: (done - first.records) / ms,
        cpuMicros: cpuSeconds(child.pid) / RECORDS * 1e6,
        firstOutputMs,
        peakMb: memoryBytes(child.pid).peak / 1e6,
      };
    }
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

function write(row: StreamsRow): void {
  // Of its own making.
  const known = (results.read()["streams"] ?? []) as StreamsRow[];
  const others = known.filter((each) => each.case !== row.case || each.guarantee !== row.guarantee);
  results.add({ streams: [...others, row] });
}

/** How far committed output goes. */
async function outputs(admin: Admin): Promise<number> {
  const [end] = await admin.listOffsets([{ topic: "out", partition: 0, at: "latest" }], {
    isolationLevel: "read_committed",
  });
  return Number(end?.offset ?? 0);
}

async function committed(admin: Admin, groupId: string): Promise<number> {
  const offsets = await admin.groups.listOffsets(groupId);
  return Number(offsets.find(({ topic }) => topic === "in")?.offset ?? 0);
}

const results = await Results.ofNow();
const reason = await needJavaPrograms();
if (reason !== null) throw new Error(reason);
const broker = await startOurs("os");
const admin = new Admin(io, { brokers: [broker.bootstrap] });
const dir = mkdtempSync(join(tmpdir(), "kstream-bench-streams-"));
try {
  const topics = ["in", "table", "out"].map((name) => ({
    name,
    partitions: 1,
    replicationFactor: 1,
  }));
  for (const { error } of await admin.createTopics(topics)) if (error !== null) throw error;
  await fill(broker.bootstrap);
  for (const name of flags.only.split(",")) {
    for (const guarantee of flags.guarantees.split(",")) {
      const commitMs = guarantee === "exactly_once_v2" ? EOS_COMMIT_MS : COMMIT_MS;
      const turns: Record<"ours" | "java", Turn[]> = { ours: [], java: [] };
      for (let pair = 0; pair < Number(flags.pairs); pair++) {
        for (const who of ["ours", "java"] as const) {
          const id = `${who}-${name}-${guarantee}-${pair}`;
          const of = [broker.bootstrap, id, name, guarantee, String(commitMs)];
          turns[who].push(await turn(admin, id, command(who === "ours", of, dir)));
        }
      }
      const row: StreamsRow = {
        ...{ case: name, guarantee, records: RECORDS, pairs: turns.ours.length },
        ours: ofTurns((of) => spread(turns.ours.map(of))),
        java: ofTurns((of) => spread(turns.java.map(of))),
        over: ofTurns((of) => ratios(turns.ours.map(of), turns.java.map(of))),
      };
      console.log(JSON.stringify(row));
      if (flags.write) write(row);
    }
  }
} finally {
  admin.close();
  await broker.stop();
  rmSync(dir, { recursive: true, force: true });
}
process.exit(0);
