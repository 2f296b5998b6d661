/** `topic undo` and `topic purge`: what was deleted comes back, also over a kill -9. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, ok } from "./cli.ts";

const dataDir = freshDir("trash");
let broker: BrokerProcess;
let at: { brokers: string; env: Record<string, string> };

async function start(...args: string[]) {
  broker = await startBrokerProcess({ dataDir, args: ["--admin", "127.0.0.1:0", ...args] });
  at = { brokers: broker.bootstrap, env: { KSTREAM_ADMIN: broker.admin ?? "" } };
}

beforeAll(() => start("--topic", "orders:2:retention.ms=-1", "--topic", "other"));

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

const records = (topic: string) => ok(["consume", topic, "-e", "-f", "%p:%o %v\\n"], at);

async function trash() {
  return JSON.parse(await ok(["topic", "undo", "--json"], at));
}

test("a deleted topic comes back with its id, records, offsets and configs", async () => {
  await ok(["produce", "orders", "-p", "1"], { ...at, input: "one\ntwo\nthree\n" });
  await ok(["topic", "trim", "orders:1", "--before", "1", "--execute"], at);
  const [before] = JSON.parse(await ok(["topic", "describe", "orders", "--json"], at));
  await ok(["topic", "delete", "orders"], at);
  await fails(["consume", "orders", "-e"], 1, ["does not exist"], at);
  expect(await trash()).toMatchObject([{ topic: "orders", topicId: before.topicId }]);
  expect(await ok(["topic", "undo"], at)).toMatch(/^orders +\S+ +2 /m);
  await fails(["topic", "undo", "ordres"], 1, ['did you mean "orders"'], at);
  expect(await ok(["topic", "undo", "orders"], at)).toBe("restored topic orders\n");
  const [after] = JSON.parse(await ok(["topic", "describe", "orders", "--json"], at));
  expect(after).toMatchObject({ topicId: before.topicId, configs: before.configs });
  expect(await records("orders")).toBe("1:1 two\n1:2 three\n");
  await ok(["produce", "orders", "-p", "1"], { ...at, input: "four\n" });
  expect(await records("orders")).toBe("1:1 two\n1:2 three\n1:3 four\n");
  expect(await trash()).toEqual([]);
});

test("a name that is taken is refused, another one taken, over restarts", async () => {
  await ok(["topic", "delete", "orders"], at);
  await broker.stop("SIGKILL");
  await start();
  await ok(["topic", "create", "orders"], at);
  await fails(["topic", "undo", "orders"], 1, ["already exists", "--as"], at);
  expect(await ok(["topic", "undo", "orders", "--as", "old"], at)).toBe("restored topic old\n");
  expect(await records("old")).toBe("1:1 two\n1:2 three\n1:3 four\n");
  expect(await records("orders")).toBe("");
  await broker.stop("SIGKILL");
  await start();
  expect(await records("old")).toBe("1:1 two\n1:2 three\n1:3 four\n");
  expect(await trash()).toEqual([]);
});

test("the trash can be emptied", async () => {
  await ok(["topic", "delete", "other"], at);
  const [{ topicId }] = await trash();
  const url = `${broker.admin}/v1/trash/${topicId}`;
  const headers = { "content-type": "application/json" };
  const emptied = await fetch(url, { method: "DELETE", headers, body: "{}" });
  expect(await emptied.json()).toEqual({ removed: 1 });
  expect(await trash()).toEqual([]);
  await fails(["topic", "undo", "other"], 1, ["not in the trash"], at);
});

test("purge deletes all records, when it is told to", async () => {
  expect(await ok(["topic", "purge", "old"], at)).toMatch(/^old +1 +1 +4 +4 +3$/m);
  expect(await records("old")).not.toBe("");
  const purged = JSON.parse(await ok(["topic", "purge", "old", "--execute", "--json"], at));
  expect(purged).toMatchObject({ executed: true, partitions: [{ offsets: 0 }, { offsets: 3 }] });
  expect(await records("old")).toBe("");
});
