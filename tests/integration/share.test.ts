/** `kstream consume --share` at a shell. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, kstream, ok, shell } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };

beforeAll(async () => {
  broker = await startBrokerProcess({ args: ["--memory", "--topic", "jobs:2"] });
  at = { brokers: broker.bootstrap };
  await ok(["config", "set", "group", "workers", "share.auto.offset.reset=earliest"], at);
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

test("each record is taken once by whoever comes, and what is printed is done", async () => {
  const lines = Array.from({ length: 20 }, (_, i) => `job ${i}`);
  await ok(["produce", "jobs"], { ...at, input: `${lines.join("\n")}\n` });
  const share = ["consume", "jobs", "--share", "workers"];
  const first = await ok([...share, "-n", "5"], at);
  const second = await ok([...share, "-n", "15"], at);
  const printed = `${first}${second}`.trim().split("\n");
  expect(first.trim().split("\n").length).toBe(5);
  expect(printed.sort()).toEqual(lines.sort());
});

test("formats and expressions hold, and what an expression leaves out is done too", async () => {
  await ok(["produce", "jobs", "-p", "0", "--key-delimiter", ":"], {
    ...at,
    input: "a:skip\nb:take\nc:take\n",
  });
  const where = ["--where", 'value != "skip"', "--format", "%k=%v %p\\n", "-n", "2"];
  expect(await ok(["consume", "jobs", "--share", "workers", ...where], at))
    .toBe("b=take 0\nc=take 0\n");
});

test("a reader that goes ends it, and what it has not read comes again", async () => {
  await ok(["produce", "jobs", "-p", "1"], { ...at, input: "x\ny\n" });
  const cut = await shell("kstream consume jobs --share workers -n 2 | head -n 0", at);
  expect(cut.exitCode).toBe(0);
  const rest = await ok(["consume", "jobs", "--share", "workers", "-n", "2"], at);
  expect(rest.trim().split("\n").sort()).toEqual(["x", "y"]);
});

test("what does not go with a share group is refused, as is a topic that is not there", async () => {
  await fails(["consume", "jobs", "--share", "w", "-e"], 2, ["--exit-at-end", "--share"], at);
  await fails(["consume", "jobs", "--share", "w", "-g", "g"], 2, ["--group"], at);
  await fails(["consume", "jbos", "--share", "w"], 1, ["jbos", "jobs"], at);
});

test("a new group is told that it begins at the end, and how to begin at the start", async () => {
  await ok(["produce", "early"], { ...at, input: "x\n" });
  const share = ["consume", "early", "--share", "fresh", "--idle-timeout", "500ms"];
  const first = await kstream(share, at);
  expect([first.exitCode, first.stdout]).toEqual([0, ""]);
  const hint = "kstream config set group fresh share.auto.offset.reset=earliest";
  expect(first.stderr).toContain(hint);
  const second = await kstream(share, at);
  expect([second.exitCode, second.stderr]).toEqual([0, ""]);
});

test("it ends when nothing comes, with 4 if less came than was asked for", async () => {
  await ok(["produce", "jobs"], { ...at, input: "one\ntwo\n" });
  const share = ["consume", "jobs", "--share", "workers", "--idle-timeout", "1s"];
  const some = await kstream([...share, "-n", "3"], at);
  expect([some.exitCode, some.stdout.trim().split("\n").sort()]).toEqual([4, ["one", "two"]]);
  expect(some.stderr).toBe(
    "kstream: nothing came for 1000 ms: 2 of 3 records were written\n",
  );
  expect(await ok(share, at)).toBe("");
});

test("topics that come later are read too, where they match", async () => {
  const group = ["config", "set", "group", "matching", "share.auto.offset.reset=earliest"];
  await ok(group, at);
  await ok(["produce", "match-1"], { ...at, input: "a\n" });
  const reading = ok(
    ["consume", "--topics", "match-.*", "--share", "matching", "-n", "2", "-f", "%t %v\n"],
    at,
  );
  await ok(["wait", "group", "matching", "--members", "1"], at);
  await ok(["produce", "match-2"], { ...at, input: "b\n" });
  expect((await reading).trim().split("\n").sort()).toEqual(["match-1 a", "match-2 b"]);
}, 30_000);
