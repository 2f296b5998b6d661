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

test("seek shows where a group would go, and goes there with --execute only", async () => {
  await ok(["consume", "b", "-g", "seeker", "-e"], at);
  const offsets = async () =>
    (await describe("seeker")).partitions.map((each: { committedOffset: number }) =>
      each.committedOffset
    );
  const seek = (...args: string[]) => ok(["group", "seek", "seeker", ...args], at);
  const before = await offsets();
  expect(await seek("--to", "start")).toMatch(/^b +0 +2 +0 +-2$/m);
  expect(await offsets()).toEqual(before);
  await seek("--to", "start", "--execute");
  expect(await offsets()).toEqual([0]);
  await seek("--shift", "1", "--execute");
  expect(await offsets()).toEqual([1]);
  await seek("--shift", "-1", "--execute");
  await seek("--to", "@-1h", "--execute");
  expect(await offsets()).toEqual([0]);
  expect(await seek("--to", "@-0s", "--execute")).toContain("no record that young: the end");
  expect(await offsets()).toEqual([2]);
  expect(JSON.parse(await seek("--to", "-1", "-t", "a:1", "--execute", "--json"))).toEqual({
    group: "seeker",
    type: "classic",
    executed: true,
    partitions: [{ topic: "a", partition: 1, currentOffset: null, newOffset: 1, note: null }],
  });
  const backup = await ok(["group", "describe", "seeker", "--json"], at);
  await seek("--to", "start", "--execute");
  await ok(["group", "seek", "seeker", "--to-file", "-", "--execute"], { ...at, input: backup });
  expect(await offsets()).toEqual([1, 2]);
  const csv = { ...at, input: "topic,partition,offset\na,0,3\n" };
  await ok(["group", "seek", "seeker", "--to-file", "-", "--execute"], csv);
  expect(await offsets()).toEqual([3, 1, 2]);
});

test("seek says what is wrong in one line", async () => {
  await ok(["consume", "b", "-g", "known", "-e"], at);
  const cases: [args: string[], exitCode: number, words: string[]][] = [
    [["known"], 2, ["not said where"]],
    [["known", "--to", "start", "--shift", "1"], 2, ["several destinations"]],
    [["known", "--to", "somewhere"], 2, ["no place in a topic"]],
    [["known", "--to", "1:2"], 2, ["no place in a topic"]],
    [["known", "--to", "start", "-t", "a:x"], 2, ["names no topic"]],
    [["known", "--to", "start", "-t", "a:7"], 1, ["no partition 7", "0 to 1"]],
    [["known", "--to", "start", "-t", "bb"], 1, ['"bb" does not exist', 'did you mean "b"']],
    [["known", "--shift", "1", "-t", "a:0"], 1, ["has no offset there"]],
    [["knwon", "--to", "start"], 1, ['did you mean "known"']],
    [["known", "--to-file", "/nowhere"], 2, ["cannot read /nowhere"]],
    [["known", "--to-file", "x", "-t", "a"], 2, ["exclude each other"]],
  ];
  for (const [args, exitCode, words] of cases) {
    await fails(["group", "seek", ...args], exitCode, words, at);
  }
  await fails(["group", "seek", "new", "--to", "end", "-t", "a"], 1, ["--create makes it"], at);
  await ok(["group", "seek", "new", "--to", "end", "-t", "a", "--create", "--execute"], at);
  expect(await describe("new")).toMatchObject({ lag: 0, state: "Empty" });
  await fails(["group", "list", "--type", "shara"], 2, ["did you mean share"], at);
  expect(await ok(["group", "list", "--state", "stable"], at)).toBe("GROUP  STATE  TYPE  LAG\n");
});

test("a group forgets the topics that it is told to", async () => {
  await ok(
    ["group", "seek", "mixed", "--to", "end", "-t", "a", "-t", "b", "--create", "--execute"],
    at,
  );
  await fails(["group", "forget", "mixed", "aa"], 1, ["no offsets", 'did you mean "a"'], at);
  expect(await ok(["group", "forget", "mixed", "a"], at)).toBe("group mixed forgot topic a\n");
  expect((await describe("mixed")).topics).toEqual([{ topic: "b", lag: 0 }]);
});
