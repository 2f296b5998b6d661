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

async function purgeBy(topic: string, body: unknown) {
  const answer = await fetch(`${broker.admin}/v1/topics/${topic}/purge`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return [answer.status, (await answer.json()).detail];
}

test("a deleted topic comes back with its id, records, offsets and configs", async () => {
  await ok(["produce", "orders", "-p", "1"], { ...at, input: "one\ntwo\nthree\n" });
  await ok(["topic", "trim", "orders:1", "--before", "1", "--execute"], at);
  const [before] = JSON.parse(await ok(["topic", "describe", "orders", "--json"], at));
  await ok(["topic", "delete", "orders"], at);
  await fails(["consume", "orders", "-e"], 1, ["does not exist"], at);
  expect(await trash()).toMatchObject([{ topic: "orders", topicId: before.topicId }]);
  expect(await ok(["topic", "undo"], at)).toMatch(/^orders +deleted +\S+ +2 /m);
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

test("purge deletes all records, when it is told to, and undo brings them back", async () => {
  const all = "1:1 two\n1:2 three\n1:3 four\n";
  expect(await ok(["topic", "purge", "old"], at)).toMatch(/^old +1 +1 +4 +4 +3$/m);
  expect(await records("old")).toBe(all);
  const purged = JSON.parse(await ok(["topic", "purge", "old", "--execute", "--json"], at));
  const partitions = [{ offsets: 0 }, { offsets: 3 }];
  expect(purged).toMatchObject({ executed: true, undoable: true, partitions });
  expect(await records("old")).toBe("");
  await ok(["produce", "old", "-p", "1"], { ...at, input: "five\n" });
  await broker.stop("SIGKILL");
  await start();
  expect(await records("old")).toBe("1:4 five\n");
  expect(await trash()).toMatchObject([{
    kind: "purged",
    topic: "old",
    partitions: 1,
    offsets: [{ partition: 1, startOffset: 1, endOffset: 4 }],
  }]);
  expect(await ok(["topic", "undo"], at)).toMatch(/^old +purged +\S+ +1 /m);
  await fails(["topic", "undo", "old", "--as", "new"], 2, ["--as is for deleted topics"], at);
  expect(await ok(["topic", "undo", "old"], at)).toBe("restored the purged records of topic old\n");
  expect(await records("old")).toBe(`${all}1:4 five\n`);
  await broker.stop("SIGKILL");
  await start();
  expect([await records("old"), await trash()]).toEqual([`${all}1:4 five\n`, []]);
});

test("what was purged goes with a topic that is deleted, and comes back with it", async () => {
  await ok(["topic", "purge", "old", "--execute"], at);
  await ok(["topic", "delete", "old"], at);
  expect(await trash()).toMatchObject([{ kind: "deleted", topic: "old" }]);
  await ok(["topic", "undo", "old"], at);
  expect(await records("old")).toBe("");
  await ok(["topic", "undo", "old"], at);
  expect(await records("old")).toBe("1:1 two\n1:2 three\n1:3 four\n1:4 five\n");
});

test("what has been deleted since keeps the records from coming back", async () => {
  await ok(["topic", "purge", "old", "--execute"], at);
  await ok(["produce", "old", "-p", "1"], { ...at, input: "six\nseven\n" });
  await ok(["topic", "trim", "old:1", "--before", "6", "--execute"], at);
  await fails(["topic", "undo", "old"], 1, ["partition 1", "have been deleted"], at);
});

test("purge is for good where it is told so, or nothing is kept", async () => {
  const args = ["topic", "purge", "old", "--execute", "--json"];
  const purged = JSON.parse(await ok([...args, "--for-good"], at));
  expect(purged).toMatchObject({ executed: true, undoable: false });
  await ok(["produce", "old", "-p", "1"], { ...at, input: "eight\n" });
  const nowhere = () => ({ ...at, env: { KSTREAM_ADMIN: "127.0.0.1:1" } });
  await fails(args, 3, ["no admin API answers", "--admin", "--for-good"], nowhere());
  await broker.stop();
  await start("--set", "kstream.trash.ms=0");
  expect(JSON.parse(await ok(args, nowhere()))).toMatchObject({ executed: true, undoable: false });
  expect(await records("old")).toBe("");
  expect(await purgeBy("old", {})).toEqual([409, expect.stringMatching(/kstream.trash.ms is 0/)]);
  await broker.stop();
  await start();
});

test("a purge that makes no sense is refused, and changes nothing", async () => {
  await ok(["topic", "create", "tables", "-c", "cleanup.policy=compact"], at);
  expect(await purgeBy("tables", {})).toEqual([409, expect.stringMatching(/policy is compact/)]);
  expect(await purgeBy("none", {})).toEqual([404, "this broker has no topic none"]);
  expect(await purgeBy("old", { topicId: "A".repeat(22) })).toEqual([
    404,
    expect.stringMatching(/id A/),
  ]);
  expect(await purgeBy("old", { partitions: [0, 9] }))
    .toEqual([404, 'topic "old" has no partition 9']);
  expect(await purgeBy("old", { partitions: "0" })).toEqual([
    400,
    expect.stringMatching(/no list/),
  ]);
  expect(await purgeBy("old", { partition: [0] })).toEqual([
    400,
    expect.stringMatching(/not known/),
  ]);
});
