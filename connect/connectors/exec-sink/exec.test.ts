import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  runSink,
  runSource,
  sinkRecords,
  startSink,
  startSource,
  VirtualClock,
} from "../../testing/index.ts";
import execSource from "../exec-source/exec-source.ts";
import execSink from "./exec-sink.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kstream-exec-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test("lines of a command are records; what it starts ends with the task", async () => {
  const command =
    "sleep 1000 & echo $!; echo $KSTREAM_CONNECTOR; while :; do echo x; sleep 0.01; done";
  const run = startSource(execSource, { command, topic: "t" });
  await run.take(5);
  await run.stop();
  expect(run.values().slice(1, 4)).toEqual(["test", "x", "x"]);
  const pid = Number(run.values()[0]);
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
});

test("a command that fails is said with its last words; one that is to be run again is", async () => {
  const failing = startSource(execSource, {
    command: "echo a; echo broken >&2; exit 3",
    topic: "t",
  });
  await failing.take(1);
  // Not with `rejects`: Bun waits for that within the call, and hears less of other streams meanwhile.
  const failure = await failing.next().catch((error: unknown) => error);
  expect(String(failure)).toContain("the command ended with 3: broken");
  await failing.stop();
  const again = { command: "echo a", topic: "t", "when.ended": "restart" };
  const clock = new VirtualClock();
  const run = await runSource(execSource, again, { until: 2, clock });
  expect(run.values()).toEqual(["a", "a"]);
  const done = startSource(execSource, { command: "printf '1\\n2'", topic: "t", format: "jsonl" });
  await done.take(2);
  expect(await done.next()).toBeNull();
  expect(done.values()).toEqual([1, 2]);
});

test("a command that writes faster than is read is held up", async () => {
  const run = startSource(execSource, {
    command: "yes | tee " + join(directory, "copy"),
    topic: "t",
  });
  await run.take(10);
  const sizes: number[] = [];
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    sizes.push(readFileSync(join(directory, "copy")).length);
  }
  await run.stop();
  expect(sizes.at(-1)).toBeLessThan(4_000_000);
});

test("a batch is done when the command ends with 0, else it comes again", async () => {
  const out = join(directory, "out");
  const flag = join(directory, "flag");
  writeFileSync(flag, "");
  const command = `if rm ${flag} 2>/dev/null; then echo not now >&2; exit 1; fi; cat >> ${out}`;
  const run = await runSink(execSink, { command }, sinkRecords(["a", { n: 1 }]));
  expect(run.retries).toBe(1);
  expect(run.log.join()).toContain("not now");
  expect(readFileSync(out, "utf8")).toBe('a\n{"n":1}\n');
  expect(run.committed()).toEqual({ "test-0": 2n });
});

test("a command that never ends is ended, and the batch is not done", async () => {
  const command = `echo >> ${join(directory, "tries")}; sleep 1000`;
  const run = await startSink(execSink, { command, "timeout.ms": "50" });
  const writing = run.write(sinkRecords(["a"]));
  while (run.retries < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  run.task.abort();
  await writing.catch(() => {});
  expect(readFileSync(join(directory, "tries"), "utf8").length).toBeGreaterThanOrEqual(2);
});

test("one command gets all; it gets its end, and is begun again when it has gone", async () => {
  const out = join(directory, "out");
  const config = { command: `cat >> ${out}; echo end >> ${out}`, mode: "stream" };
  const run = await startSink(execSink, config);
  await run.write(sinkRecords(["a"]));
  await run.write(sinkRecords(["b"], { first: 1 }));
  await run.stop();
  expect(readFileSync(out, "utf8")).toBe("a\nb\nend\n");
  const flag = join(directory, "flag");
  const flaky = `if [ ! -e ${flag} ]; then touch ${flag}; exit 1; fi; cat >> ${out}`;
  const second = await startSink(execSink, { command: flaky, mode: "stream" });
  const many = sinkRecords(Array.from({ length: 50_000 }, (_, n) => `line ${n}`));
  await second.write(many);
  await second.stop();
  expect(existsSync(flag)).toBe(true);
  expect(second.retries).toBeGreaterThanOrEqual(1);
  expect(readFileSync(out, "utf8").split("\n").length).toBe(50_000 + 4);
});
