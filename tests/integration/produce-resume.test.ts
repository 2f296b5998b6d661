/** `kstream produce --resume` and `--follow`: killed, rotated, truncated, replaced. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { appendFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { runAndKill } from "../harness/resumed-ingest.ts";
import { clientIo } from "../../cmd/client.ts";
import { Producer } from "../../client/producer.ts";
import { kstream, ok, shell } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };

beforeAll(async () => {
  broker = await startBrokerProcess({ args: ["--memory"] });
  at = { brokers: broker.bootstrap };
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

/** `from` … `to` − 1, one a line. */
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join("");

const committed = (topic: string) =>
  ok(["consume", topic, "-e", "--isolation", "read_committed"], at);

function start(cwd: string, ...args: string[]) {
  return Bun.spawn([KSTREAM, "produce", ...args], {
    cwd,
    env: { ...process.env, KSTREAM_BROKERS: broker.bootstrap },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
}

/** Waits until readers of committed records see exactly this. */
async function until(topic: string, expected: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const { exitCode, stdout } = await kstream(
      ["consume", topic, "-e", "--isolation", "read_committed"],
      at,
    );
    if (exitCode === 0 && stdout === expected) return;
    if (Date.now() > deadline) expect(stdout.slice(-500)).toBe(expected.slice(-500));
  }
}

test("a second run goes on where the first ended, also with a growing file", async () => {
  const cwd = freshDir("resume");
  const file = join(cwd, "in.log");
  writeFileSync(file, lines(0, 100));
  const run = () => kstream(["produce", "grows", "--resume", "grows", "in.log"], { ...at, cwd });
  expect((await run()).stderr).toEndWith("sent 100, acknowledged 100, failed 0\n");
  expect((await run()).stderr)
    .toBe("kstream: going on at byte 790\nsent 0, acknowledged 0, failed 0\n");
  appendFileSync(file, lines(100, 103));
  expect((await run()).stderr).toEndWith("sent 3, acknowledged 3, failed 0\n");
  expect(await committed("grows")).toBe(lines(0, 103));
});

test("killed at any moment and started again, it loses and doubles nothing", async () => {
  const file = join(freshDir("killed"), "in.log");
  const total = 6_000_000;
  writeFileSync(file, lines(0, total));
  const args = ["killed", "--resume", "killed", "--commit-ms", "1", "-b", broker.bootstrap, file];
  const { positions } = await runAndKill(args, 15, 1500);
  expect(new Set(positions).size).toBeGreaterThan(2);
  expect((await kstream(["produce", ...args])).exitCode).toBe(0);
  expect(await committed("killed") === lines(0, total)).toBe(true);
}, 120_000);

test("a pipe is skipped up to where it was taken", async () => {
  const pipe = (count: number) =>
    shell(`seq 1 ${count} | kstream produce piped --resume piped`, at);
  expect((await pipe(5000)).exitCode).toBe(0);
  expect((await pipe(6000)).stderr).toEndWith("sent 1000, acknowledged 1000, failed 0\n");
  expect((await committed("piped")).split("\n").length).toBe(6001);
  const other = await shell("seq 2 9000 | kstream produce piped --resume piped", at);
  expect([other.exitCode, other.stderr]).toEqual([
    1,
    expect.stringContaining("begins differently"),
  ]);
  const short = await shell("seq 1 50 | kstream produce piped --resume piped", at);
  expect(short.stderr).toContain("it has only 141 bytes");
});

test("a replaced input is refused, --from-start takes it; a name keeps to its topic", async () => {
  const cwd = freshDir("replaced");
  const file = join(cwd, "in.log");
  writeFileSync(file, lines(0, 10));
  const run = (topic: string, ...args: string[]) =>
    kstream(["produce", topic, "--resume", "replaced", ...args, "in.log"], { ...at, cwd });
  expect((await run("replaced")).exitCode).toBe(0);
  writeFileSync(`${file}.new`, lines(0, 10));
  renameSync(`${file}.new`, file);
  const refused = await run("replaced");
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain(
    'the input is not the one that "replaced" was reading: another file: --from-start takes it',
  );
  writeFileSync(file, "other\n");
  expect((await run("replaced")).exitCode).toBe(1);
  expect((await run("elsewhere")).stderr).toContain('"replaced" writes to topic "replaced"');
  expect((await run("replaced", "--from-start")).exitCode).toBe(0);
  expect(await committed("replaced")).toBe(`${lines(0, 10)}other\n`);
  expect((await run("replaced")).stderr).toContain("going on at byte 6\n");
});

test("a second run under the same name ends the first", async () => {
  const cwd = freshDir("fenced");
  writeFileSync(join(cwd, "in.log"), lines(0, 10));
  const args = ["fenced", "--resume", "fenced", "--follow", "in.log"];
  const first = start(cwd, ...args);
  await until("fenced", lines(0, 10));
  const second = start(cwd, ...args);
  // It has taken over once it says where it goes on.
  const said = second.stderr.getReader();
  expect(new TextDecoder().decode((await said.read()).value)).toContain("going on at byte 70");
  appendFileSync(join(cwd, "in.log"), lines(10, 20));
  expect(await first.exited).not.toBe(0);
  expect(await new Response(first.stderr).text()).toContain('has taken over "fenced"');
  await until("fenced", lines(0, 20));
  second.kill("SIGTERM");
  expect(await second.exited).toBe(0);
  expect(await committed("fenced")).toBe(lines(0, 20));
});

test("a bad line ends it; behind the line, put right, it goes on", async () => {
  const cwd = freshDir("bad-line");
  const file = join(cwd, "in.ndjson");
  const rows = Array.from({ length: 10 }, (_, i) => `{"value":"${i}"}`);
  writeFileSync(file, `${rows.slice(0, 5).join("\n")}\n{"value":;}\n${rows.slice(5).join("\n")}\n`);
  const args = ["produce", "bad-line", "--resume", "bad-line", "-f", "json", "in.ndjson"];
  const stopped = await kstream(args, { ...at, cwd });
  expect([stopped.exitCode, stopped.stderr]).toEqual([
    4,
    expect.stringContaining("line 6, column"),
  ]);
  expect(stopped.stderr).toEndWith("sent 5, acknowledged 5, failed 0, the rest was not read\n");
  const again = await kstream(args, { ...at, cwd });
  expect(again.stderr).toContain("in.ndjson: line 6, column");
  const skipped = await kstream([...args, "--on-error", "skip"], { ...at, cwd });
  expect(skipped.stderr).toEndWith("sent 5, acknowledged 5, failed 0, skipped 1\n");
  expect(await committed("bad-line")).toBe("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
});

test("CSV goes on in the midst of it, with the columns of its first row", async () => {
  const cwd = freshDir("csv");
  const file = join(cwd, "in.csv");
  writeFileSync(file, "id,name\n1,a\n");
  const args = ["produce", "csv-grows", "--resume", "csv", "-f", "csv", "in.csv"];
  await ok(args, { ...at, cwd });
  appendFileSync(file, "2,b\n");
  await ok(args, { ...at, cwd });
  expect(await committed("csv-grows")).toBe('{"id":"1","name":"a"}\n{"id":"2","name":"b"}\n');
});

test("--follow goes through rotation and truncation, and waits for the end of a line", async () => {
  const cwd = freshDir("follow");
  const file = join(cwd, "app.log");
  writeFileSync(file, lines(0, 3));
  const child = start(cwd, "followed", "--follow", "app.log");
  await until("followed", lines(0, 3));
  appendFileSync(file, "line 3\nline");
  await until("followed", lines(0, 4));
  appendFileSync(file, " 4\n");
  await until("followed", lines(0, 5));
  renameSync(file, `${file}.1`);
  appendFileSync(`${file}.1`, lines(5, 6));
  await until("followed", lines(0, 6));
  writeFileSync(file, lines(6, 8));
  await until("followed", lines(0, 8));
  truncateSync(file, 0);
  await until("followed", lines(0, 8));
  appendFileSync(file, lines(8, 9));
  await until("followed", lines(0, 9));
  child.kill("SIGINT");
  expect(await child.exited).toBe(0);
  expect(await new Response(child.stderr).text())
    .toEndWith("sent 9, acknowledged 9, failed 0, interrupted\n");
}, 30_000);

test("--follow --resume: what was rotated away while it was down is read first", async () => {
  const cwd = freshDir("rotated");
  const file = join(cwd, "app.log");
  const args = ["rotated", "--follow", "--resume", "rotated", "app.log"];
  const stop = async (child: ReturnType<typeof start>) => {
    child.kill("SIGKILL");
    await child.exited;
  };
  writeFileSync(file, lines(0, 5));
  const first = start(cwd, ...args);
  await until("rotated", lines(0, 5));
  await stop(first);
  appendFileSync(file, lines(5, 7));
  renameSync(file, `${file}.2`);
  await Bun.sleep(20);
  writeFileSync(`${file}.1`, lines(7, 9));
  await Bun.sleep(20);
  writeFileSync(file, lines(9, 12));
  const second = start(cwd, ...args);
  await until("rotated", lines(0, 12));
  await stop(second);

  // Copied and cut: the copy is found by how it begins.
  appendFileSync(file, lines(12, 13));
  writeFileSync(`${file}.copy`, lines(9, 13));
  truncateSync(file, 0);
  appendFileSync(file, lines(13, 15));
  const third = start(cwd, ...args);
  await until("rotated", lines(0, 15));
  await stop(third);

  renameSync(file, join(cwd, "gone"));
  writeFileSync(file, "new\n");
  const lost = await kstream(["produce", ...args], { ...at, cwd });
  expect([lost.exitCode, lost.stderr]).toEqual([1, expect.stringContaining("is not found")]);
}, 30_000);

test("somebody else's open transaction among the positions is waited for", async () => {
  const cwd = freshDir("held");
  writeFileSync(join(cwd, "in.log"), lines(0, 5));
  const run = () => kstream(["produce", "held", "--resume", "held", "in.log"], { ...at, cwd });
  expect((await run()).exitCode).toBe(0);
  const [host = "", port = ""] = broker.bootstrap.split(":");
  const other = new Producer(clientIo, {
    brokers: [{ host, port: Number(port) }],
    transactionalId: "kstream-ingest-other",
  });
  await other.transactions.init();
  other.transactions.begin();
  await other.send({
    topic: "kstream-ingest",
    partition: 0,
    key: Buffer.from("other"),
    value: null,
  });
  const waiting = start(cwd, "held", "--resume", "held", "in.log");
  const said = new Response(waiting.stderr).text();
  await Bun.sleep(2500);
  expect(waiting.exitCode).toBe(null);
  await other.transactions.commit();
  await other.close();
  expect(await waiting.exited).toBe(0);
  expect(await said).toBe(
    "kstream: waiting for a transaction that is open in kstream-ingest\n" +
      "kstream: going on at byte 35\nsent 0, acknowledged 0, failed 0\n",
  );
  expect(await committed("held")).toBe(lines(0, 5));
});

test("a shell's pipe by name is taken as a pipe", async () => {
  const run = (count: number) =>
    shell(`kstream produce substituted --resume substituted <(seq 1 ${count})`, at);
  expect((await run(10)).stderr).toEndWith("sent 10, acknowledged 10, failed 0\n");
  expect((await run(12)).stderr).toEndWith("sent 2, acknowledged 2, failed 0\n");
});
