/**
 * `bun bench/stream-restore.ts [--megabytes 300] [--runs 2]`: a machine without state takes up a task: how
 * long until its store is there, by the changelog and by a snapshot, in turns. `KSTREAM_BINARY` or
 * `dist/kstream` runs the broker and the application.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Producer } from "../client/producer.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { freshDir, KSTREAM, startBrokerProcess } from "../tests/harness/broker-process.ts";

const { values } = parseArgs({
  options: {
    megabytes: { type: "string", default: "300" },
    runs: { type: "string", default: "2" },
  },
});
const KEY_BYTES = 16;
const VALUE_BYTES = 100;
const records = Math.round(Number(values.megabytes) * 1e6 / (KEY_BYTES + VALUE_BYTES));
const WRITTEN_AT_ONCE = 20_000;
const PATIENCE_MS = 600_000;
const POLL_MS = 20;
const TICKS_PER_SECOND = 100;

const APP = `
import { string, TopologyBuilder } from "kstream/stream";
const builder = new TopologyBuilder();
builder.stream("rows", { value: string() }).groupByKey().reduce("last", (_before, value) => value);
export default builder;
`;

const dir = freshDir("stream-restore");
const broker = await startBrokerProcess({ args: ["--topic", "rows:1"] });

async function write(): Promise<void> {
  const producer = new Producer(bunIo(), { brokers: [broker.bootstrap] });
  const encoder = new TextEncoder();
  for (let from = 0; from < records; from += WRITTEN_AT_ONCE) {
    await producer.sendAll(
      Array.from({ length: Math.min(WRITTEN_AT_ONCE, records - from) }, (_, i) => {
        // In no order, each once.
        const key = (Math.imul(from + i, 0x9e3779b1) >>> 0).toString(16).padStart(KEY_BYTES, "0");
        const value = crypto.getRandomValues(new Uint8Array(VALUE_BYTES * 3 / 4)).toBase64();
        return { topic: "rows", key: encoder.encode(key), value: encoder.encode(value) };
      }),
    );
  }
  await producer.close();
}

/** A member with nothing, until its log says so; gives that line, and the seconds of processor time. */
async function member(hasSnapshots: boolean, until: (log: string) => string | null) {
  const state = join(dir, "state");
  rmSync(state, { recursive: true, force: true });
  const log = join(dir, "member.log");
  rmSync(log, { force: true });
  writeFileSync(log, "");
  const settings = [
    ...["application.id=restore", `state.dir=${state}`, "session.timeout.ms=6000"],
    ...["heartbeat.interval.ms=1000"],
    ...(hasSnapshots
      ? [`state.snapshot.dir=${join(dir, "snapshots")}`, "state.snapshot.interval.ms=5000"]
      : []),
  ];
  const child = Bun.spawn([
    ...[KSTREAM, "stream", "run", join(dir, "app.ts"), "-b", broker.bootstrap],
    ...["--log-level", "debug", ...settings.flatMap((each) => ["--set", each])],
  ], { stdin: "ignore", stdout: "ignore", stderr: Bun.file(log) });
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = until(readFileSync(log, "utf8"));
    const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    if (found !== null) {
      child.kill("SIGTERM");
      await child.exited;
      return { found, cpuSeconds: (Number(stat[11]) + Number(stat[12])) / TICKS_PER_SECOND };
    }
    if (performance.now() > endMs || child.exitCode !== null) {
      child.kill("SIGKILL");
      throw new Error(`it does not get there:\n${readFileSync(log, "utf8").slice(-3000)}`);
    }
    await Bun.sleep(POLL_MS);
  }
}

const lastOf = (log: string, pattern: RegExp) => [...log.matchAll(pattern)].at(-1) ?? null;

try {
  writeFileSync(join(dir, "app.ts"), APP);
  await write();
  const { found } = await member(true, (log) => {
    const taken = lastOf(log, /snapshot taken .*offset=(\d+) bytes=(\d+).*/g);
    return Number(taken?.[1] ?? 0) >= records ? taken![0] : null;
  });
  console.log(`${records} records, ${values.megabytes} MB; ${found}`);
  for (let run = 0; run < Number(values.runs); run++) {
    for (const hasSnapshots of [false, true]) {
      const { found: ms, cpuSeconds } = await member(hasSnapshots, (log) => {
        return lastOf(log, /task restored .*tookMs=(\d+)/g)?.[1] ?? null;
      });
      const by = hasSnapshots ? "snapshot" : "changelog";
      console.log(`by ${by.padEnd(9)}: ${ms} ms, ${cpuSeconds.toFixed(1)} s of processor time`);
    }
  }
} finally {
  await broker.stop();
  rmSync(dir, { recursive: true, force: true });
}
process.exit(0);
