/** `kstream topic apply` against a running broker. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, kstream, ok } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };
const dir = freshDir("apply");

beforeAll(async () => {
  broker = await startBrokerProcess({ args: ["--memory"] });
  at = { brokers: broker.bootstrap };
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

function file(text: string, name = "topics.yaml"): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

const TWO = `
topics:
  orders:
    partitions: 3
    configs: &shared
      retention.ms: 86400000
      cleanup.policy: [compact, delete]
      min.cleanable.dirty.ratio: 0.50
      preallocate: TRUE
  payments:
    configs: *shared
---
topics:
  - name: audit
`;

test("a plan comes first, is carried out when told so, and then nothing is left to do", async () => {
  const apply = ["topic", "apply", "-f", file(TWO)];
  const planned = await kstream(apply, at);
  expect(planned.exitCode).toBe(0);
  expect(planned.stdout).toContain("+ create orders: 3 partitions, retention.ms=86400000");
  expect(planned.stderr).toContain("--execute");
  expect(await ok(["topic", "list"], at)).not.toContain("orders");

  await ok([...apply, "--execute"], at);
  const [orders] = JSON.parse(await ok(["topic", "describe", "orders", "--json"], at));
  expect(orders.partitions).toHaveLength(3);
  expect(orders.configs).toContainEqual({
    name: "cleanup.policy",
    value: "compact,delete",
    source: "topic",
  });
  expect(await ok(apply, at)).toBe("nothing to do: 3 topics as written\n");
  expect(JSON.parse(await ok([...apply, "--execute", "--json"], at))).toMatchObject({
    executed: true,
    changes: [],
    unchanged: ["orders", "payments", "audit"],
  });
});

test("partitions and configs are changed, and what no file has stays unless pruned", async () => {
  await ok(["topic", "create", "mine", "stray", "-c", "segment.bytes=2000000"], at);
  const apply = [
    "topic",
    "apply",
    "-f",
    file("topics: {mine: {partitions: 2, configs: {retention.ms: 5}}}"),
  ];
  const plan = JSON.parse(await ok([...apply, "--json"], at));
  expect(plan).toMatchObject({
    executed: false,
    changes: [{
      action: "alter",
      topic: "mine",
      partitions: 2,
      partitionsBefore: 1,
      set: { "retention.ms": "5" },
      unset: [],
      line: 1,
    }],
  });
  expect(plan.unlisted).toContain("stray");
  await ok([...apply, "--execute"], at);
  const pruned = await ok([...apply, "--prune"], at);
  expect(pruned).toContain("segment.bytes 2000000 → (default)");
  expect(pruned).toContain("- delete stray");
  const nothing = ["topic", "apply", "-f", "-", "--prune", "--yes"];
  await fails(nothing, 2, ["no file names a topic"], { ...at, input: "" });
  await fails(nothing, 2, ["no file names a topic"], { ...at, input: "topics: {}\n" });
  await ok([...apply, "--prune", "--yes"], at);
  expect(await ok(["topic", "list"], at)).toMatch(/^TOPIC.*\nmine +2 +1\n$/);
  const [mine] = JSON.parse(await ok(["topic", "describe", "mine", "--json"], at));
  expect(mine.configs).toEqual([{ name: "retention.ms", value: "5", source: "topic" }]);
});

test("what cannot be done is told with its place, and nothing is done", async () => {
  await ok(["topic", "create", "fixed", "-p", "3"], at);
  const refused: [string, string[], number][] = [
    ["topics:\n  new1:\n  fixed:\n    partitions: 2", [":3:3", "it has 3"], 1],
    ["topics:\n  new1:\n  fixed:\n    replication: 2", [":3:3", "1 replica"], 1],
    ["topics:\n  new1:\n    configs: {retenton.ms: 5}", [":2:3", '"retention.ms"'], 1],
    ["topics:\n  new1:\n    replication: 9", [":2:3", "INVALID_REPLICATION_FACTOR"], 1],
    ["topics:\n  new1:\n    partition: 2", [":3:5", 'did you mean "partitions"'], 2],
    ["topics:\n  new1:\n    partitions: many", [":3:17", "whole number"], 2],
    ["topics:\n  new1:\n    configs:\n      retention.ms:", [":4:7", "no value"], 2],
    ["topics: [a\n", ["topics.yaml:2:1"], 2],
    ["topics:\n  a:\n  a:\n", ["topics.yaml:", "unique"], 2],
    ["topics:\n- a\n---\ntopics:\n- a\n", [":5:3", ":2:3"], 2],
    ["- a\n", [":1:1", '"topics:"'], 2],
  ];
  for (const [text, words, exitCode] of refused) {
    const args = ["topic", "apply", "-f", file(text), "--execute"];
    const finished = await kstream(args, at);
    expect([text, finished.exitCode]).toEqual([text, exitCode]);
    for (const word of words) expect(finished.stderr).toContain(word);
  }
  expect(await ok(["topic", "list"], at)).not.toContain("new1");
  await fails(["topic", "apply", "-f", "none.yaml"], 2, ["none.yaml"], at);
});

test("a directory is all its files, and each mistake has a line", async () => {
  mkdirSync(join(dir, "many"));
  file("topics: {d1: }", "many/a.yaml");
  file("topics: {d2: {x: 1, y: 2}}", "many/b.yml");
  file("{{{", "many/notes.txt");
  const finished = await kstream(["topic", "apply", "-f", join(dir, "many")], at);
  expect(finished.exitCode).toBe(2);
  expect(finished.stderr.trimEnd().split("\n")).toHaveLength(2);
  file("topics: {d2: }", "many/b.yml");
  await ok(["topic", "apply", "-f", join(dir, "many"), "--execute"], at);
  expect(await ok(["topic", "list"], at)).toMatch(/^d1 .*\nd2 /m);
});
