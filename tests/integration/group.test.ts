/** `kstream group` against a running broker. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, ok } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };

beforeAll(async () => {
  broker = await startBrokerProcess({ args: ["--memory", "--topic", "a:2", "--topic", "b"] });
  at = { brokers: broker.bootstrap };
  await ok(["produce", "a", "-p", "0"], { ...at, input: "1\n2\n3\n4\n5\n" });
  await ok(["produce", "a", "-p", "1"], { ...at, input: "6\n7\n" });
  await ok(["produce", "b"], { ...at, input: "8\n9\n" });
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

async function describe(group: string) {
  return JSON.parse(await ok(["group", "describe", group, "--json"], at))[0];
}

test("lag is told per partition, per topic and in total", async () => {
  await ok(["consume", "a", "-g", "readers", "-e"], at);
  await ok(["consume", "b", "-g", "readers", "-n", "1"], at);
  await ok(["produce", "a", "-p", "0"], { ...at, input: "10\n11\n12\n" });
  const group = await describe("readers");
  expect(group).toMatchObject({ group: "readers", state: "Empty", lag: 4, members: [] });
  expect(group.topics).toEqual([{ topic: "a", lag: 3 }, { topic: "b", lag: 1 }]);
  expect(group.partitions).toEqual([
    { topic: "a", partition: 0, committedOffset: 5, endOffset: 8, lag: 3, memberId: null },
    { topic: "a", partition: 1, committedOffset: 2, endOffset: 2, lag: 0, memberId: null },
    { topic: "b", partition: 0, committedOffset: 1, endOffset: 2, lag: 1, memberId: null },
  ]);
  const text = await ok(["group", "describe", "readers"], at);
  expect(text).toMatch(/^ +lag +4$/m);
  expect(text).toMatch(/^ +a +0 +5 +8 +3 +-$/m);
  expect(await ok(["group", "list"], at)).toMatch(/^readers +Empty +classic +4$/m);
});

test("members show with what they read, and protect their group from deletion", async () => {
  const member = Bun.spawn([KSTREAM, "consume", "a", "-g", "busy", "-b", broker.bootstrap], {
    stdout: "pipe",
    stderr: "ignore",
  });
  // Its first output says that it has joined.
  await member.stdout.getReader().read();
  const group = await describe("busy");
  expect(group).toMatchObject({ state: "Stable", assignor: expect.stringMatching(/./) });
  expect(group.members).toHaveLength(1);
  expect(group.members[0].assignment).toEqual([{ topic: "a", partitions: [0, 1] }]);
  expect(group.partitions[0].memberId).toBe(group.members[0].memberId);
  await fails(["group", "delete", "busy"], 1, ["NON_EMPTY_GROUP", "stop its members"], at);
  member.kill("SIGTERM");
  expect(await member.exited).toBe(0);
  expect((await describe("busy")).members).toEqual([]);
});

test("groups are deleted, missing ones told with the nearest name", async () => {
  await ok(["consume", "a", "-g", "gone", "-n", "1"], at);
  await fails(["group", "describe", "gnoe"], 1, ['did you mean "gone"'], at);
  await fails(["group", "delete", "gnoe"], 1, ['did you mean "gone"'], at);
  expect(await ok(["group", "delete", "gone"], at)).toBe("deleted group gone\n");
  await fails(["group", "describe", "gone"], 1, ["does not exist"], at);
  expect(await ok(["group", "delete", "gone", "--if-exists"], at)).toContain("not there");
  const json = await ok(["group", "delete", "gone", "--if-exists", "--json"], at);
  expect(JSON.parse(json)).toEqual([{ group: "gone", deleted: false }]);
});
