/** Failures say what to do, at once, and in words that are no programmer's. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, ok } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };

beforeAll(async () => {
  broker = await startBrokerProcess({ args: ["--memory", "--topic", "orders"] });
  at = { brokers: broker.bootstrap };
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

const SYSTEM_WORDS = /\b(E[A-Z]{4,}|syscall|errno|open '|getaddrinfo|fetch\(\))/;

test("a file that cannot be read is told without the system's codes", async () => {
  const dir = freshDir("advice");
  const missing = join(dir, "missing");
  mkdirSync(join(dir, "folder"));
  writeFileSync(join(dir, "bad.toml"), "brokers = \n");
  for (
    const args of [
      ["topic", "load", missing],
      ["topic", "apply", "-f", missing],
      ["topic", "dump", "orders", "-o", join(missing, "x")],
      ["inspect", "segment", missing],
      ["inspect", "segment", join(dir, "folder")],
      ["group", "seek", "g", "--to-file", missing],
      ["expect", "orders", "-e", "--count", "0", "--junit", join(missing, "x")],
      ["serve", "--config", missing],
    ]
  ) {
    const { stderr } = await fails(args, args.includes("dump") || args.includes("-e") ? 1 : 2, [
      "directory",
    ], at);
    expect(stderr).not.toMatch(SYSTEM_WORDS);
  }
  const env = { KSTREAM_TOML: join(dir, "bad.toml") };
  await fails(["topic", "list"], 2, ["bad.toml", "line 1, column 11"], { ...at, env });
});

test("an admin API that is not there is told so", async () => {
  const gone = ["--admin", "http://127.0.0.1:1"];
  const { stderr } = await fails(["clients", ...gone], 3, ["the connection is refused"]);
  expect(stderr).not.toMatch(SYSTEM_WORDS);
  const kafka = ["--admin", `http://${at.brokers}`];
  const other = await fails(["topic", "undo", ...kafka], 3, ["it closes the connection"]);
  expect(other.stderr).not.toMatch(SYSTEM_WORDS);
});

test("what is not there is told at once, with what there is", async () => {
  const before = performance.now();
  await fails(["bench", "produce", "orders"], 3, ["no broker answers"]);
  await fails(["bench", "latency", "orders"], 3, ["no broker answers"]);
  await fails(["config", "get", "broker", "9"], 1, ["no broker 9", "there are: 1"], at);
  await fails(["config", "set", "broker", "9", "a=b"], 1, ["no broker 9"], at);
  await fails(["expect", "order", "-e"], 1, ["does not exist", 'did you mean "orders"'], at);
  for (const command of ["get", "clone", "dump"]) {
    await fails(["topic", command, "nope", "x"].slice(0, command === "dump" ? 3 : 4), 1, [
      "does not exist",
      "kstream topic list",
    ], at);
  }
  expect(performance.now() - before).toBeLessThan(10_000);
});

test("names that nobody knows are refused, also where they would be unset", async () => {
  const near = ["has no config", "did you mean retention.ms?"];
  await fails(["config", "unset", "topic", "orders", "retention.m"], 1, near, at);
  await fails(["topic", "alter", "orders", "--delete-config", "retention.m"], 1, near, at);
  await fails(["config", "unset", "group", "g", "bogus"], 1, ["config get group g --all"], at);
  await ok(["config", "unset", "group", "g", "consumer.session.timeout.ms"], at);
  await ok(["config", "unset", "broker", "1", "log.retention.ms"], at);
  await ok(["config", "unset", "broker", "default", "log.retention.ms"], at);
  const quota = ["quota", "set", "--user", "a", "producer_byte_rat=1"];
  await fails(quota, 1, ["no quota", "did you mean producer_byte_rate?"], at);
  await fails(["topic", "create", "a b"], 1, ["letters, digits"], at);
});

test("a range that ends before it begins is refused", async () => {
  for (const range of ["5:2", "+8:+5", "-1:-5", "today..yesterday"]) {
    await fails(["consume", "orders", "-o", range], 2, ["ends before it begins"], at);
  }
  await ok(["consume", "orders", "-o", "0:0"], at);
});
