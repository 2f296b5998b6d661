/** `kstream wait`: what comes true in time, what does not, and brokers that are yet to start. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, kstream, ok } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };

beforeAll(async () => {
  broker = await startBrokerProcess({ args: ["--memory", "--topic", "a:2", "--topic", "b"] });
  at = { brokers: broker.bootstrap };
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

test("a cluster is waited for from before its broker starts", async () => {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const port = probe.port;
  probe.stop(true);
  const waiting = kstream(["wait", "ready", "--timeout", "20s"], { brokers: `127.0.0.1:${port}` });
  const late = Bun.spawn([KSTREAM, "serve", "--memory", "--listen", `127.0.0.1:${port}`], {
    stdout: "ignore",
    stderr: "ignore",
  });
  expect(await waiting).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("ready") });
  late.kill("SIGTERM");
  await late.exited;
});

test("without a broker it ends with 3, and not before the time is over", async () => {
  for (const what of [["ready"], ["topic", "a"], ["group", "g"], ["records", "a"]]) {
    await fails(["wait", ...what, "--timeout", "0.3"], 3, ["no broker answers within 300 ms"]);
  }
});

test("topics are waited for", async () => {
  expect(await ok(["wait", "topic", "a", "-p", "2"], at)).toContain("2 partitions");
  await fails(["wait", "topic", "a", "-p", "3", "--timeout", "1"], 1, ["2 partitions of 3"], at);
  await fails(["wait", "topic", "c", "--timeout", "1"], 1, ["does not exist"], at);
  const waiting = ok(["wait", "topic", "late"], at);
  await ok(["topic", "create", "late"], at);
  expect(await waiting).toContain("topic late is there");
});

test("records are counted, those that --where holds for, from a place on", async () => {
  const waiting = ok(["wait", "records", "b", "-n", "2", "--where", "v.n > 1"], at);
  await ok(["produce", "b"], { ...at, input: '{"n":1}\n{"n":2}\n{"n":3}\n' });
  expect(await waiting).toContain("2 records of b");
  const short = ["wait", "records", "b", "--timeout", "1"];
  await fails([...short, "-n", "4"], 1, ["3 records of b, of 3 that were read"], at);
  await fails([...short, "--from", "end"], 1, ["0 records of b"], at);
  await fails(["wait", "records", "aa", "--timeout", "1"], 1, ['did you mean "a"?'], at);
  const json = await kstream([...short, "-n", "4", "--json"], at);
  expect(JSON.parse(json.stdout)).toMatchObject({ subject: 'topic "b"', held: false });
});

test("groups are waited for: lag, state, members", async () => {
  const lag = ["wait", "group", "readers", "--lag", "0"];
  await fails([...lag, "--timeout", "1"], 1, ["does not exist"], at);
  await ok(["consume", "b", "-g", "readers", "-n", "1"], at);
  await fails([...lag, "--timeout", "1"], 1, ["its lag is 2"], at);
  const typo = ["wait", "group", "raeders", "--timeout", "1"];
  await fails(typo, 1, ['did you mean "readers"'], at);
  const waiting = ok([...lag, "--state", "Empty"], at);
  await ok(["consume", "b", "-g", "readers", "-e"], at);
  expect(await waiting).toContain("Empty: 0 members, lag 0");
  const members = ["wait", "group", "readers", "--members", "1", "--timeout", "1"];
  await fails(members, 1, ["0 members of 1"], at);
});

test("usage", async () => {
  const broken = await kstream(["wait", "records", "a", "--where", "v."], at);
  expect(broken).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("--where cannot be read"),
  });
  await fails(["wait", "records", "a", "--from", "somewhere"], 2, ["no place in a topic"], at);
  await fails(["wait", "ready", "--timeout", "soon"], 2, ["--timeout"], at);
  await fails(["wait", "group", "g", "--state", "stabel"], 2, ["did you mean Stable"], at);
});
