/** `kstream topic` against a running broker. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, kstream, ok } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };

beforeAll(async () => {
  broker = await startBrokerProcess({ args: ["--memory"] });
  at = { brokers: broker.bootstrap };
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

test("a topic is created, listed, described, altered and deleted", async () => {
  const created = await ok(["topic", "create", "life", "-p", "3", "-c", "retention.ms=1000"], at);
  expect(created).toBe("created topic life: 3 partitions, 1 replica\n");
  expect(await ok(["topic", "list"], at)).toMatch(/^TOPIC +PARTITIONS +REPLICAS\n/);
  expect(await ok(["topic", "list"], at)).toMatch(/^life +3 +1$/m);

  const text = await ok(["topic", "describe", "life"], at);
  expect(text).toContain("retention.ms=1000");
  expect(text).toMatch(/durability +memory: nothing is on disk/);
  expect(text).toMatch(/^ +2 +\d+ +\d+ +\d+ +0 +0 +0 B$/m);
  expect(text).not.toMatch(/ $/m);

  await ok(["topic", "alter", "life", "-p", "5", "-c", "segment.bytes=2000000"], at);
  await ok(["topic", "alter", "life", "--delete-config", "retention.ms"], at);
  const [topic] = JSON.parse(await ok(["topic", "describe", "life", "--json"], at));
  expect(topic).toMatchObject({ topic: "life", internal: false, durability: "memory" });
  expect(topic.topicId).toMatch(/^[\w-]{22}$/);
  expect(topic.configs).toEqual([{ name: "segment.bytes", value: "2000000", source: "topic" }]);
  expect(topic.partitions).toHaveLength(5);
  expect(topic.partitions[4]).toMatchObject({ partition: 4, startOffset: 0, endOffset: 0 });
  expect(topic.partitions[4].isr).toEqual([topic.partitions[4].leader]);

  expect(await ok(["topic", "delete", "life"], at)).toBe("deleted topic life\n");
  expect(await ok(["topic", "list"], at)).not.toContain("life");
});

test("every result has its JSON", async () => {
  const create = ["topic", "create", "j1", "j2", "--json", "-p", "2"];
  expect(JSON.parse(await ok(create, at))).toEqual([
    { topic: "j1", created: true, partitions: 2, replicationFactor: 1 },
    { topic: "j2", created: true, partitions: 2, replicationFactor: 1 },
  ]);
  const listed: { topic: string }[] = JSON.parse(await ok(["topic", "list", "--json"], at));
  expect(listed.find(({ topic }) => topic === "j1")).toMatchObject({
    topic: "j1",
    internal: false,
    partitions: 2,
    replicationFactor: 1,
  });
  const alter = ["topic", "alter", "j1", "-c", "retention.ms=5", "--json"];
  expect(JSON.parse(await ok(alter, at))).toEqual({
    topic: "j1",
    partitions: null,
    config: { "retention.ms": "5" },
    deletedConfigs: [],
  });
  expect(JSON.parse(await ok(["topic", "delete", "j1", "j2", "--json"], at))).toEqual([
    { topic: "j1", deleted: true },
    { topic: "j2", deleted: true },
  ]);
});

test("creating twice fails unless that is accepted", async () => {
  await ok(["topic", "create", "twice"], at);
  await fails(["topic", "create", "twice"], 1, ["already exists", "--if-not-exists"], at);
  expect(await ok(["topic", "create", "twice", "--if-not-exists"], at)).toContain("there already");
});

test("what the broker refuses is told in a line, and nothing is half done", async () => {
  const refused: [string[], string[]][] = [
    [["-c", "retenton.ms=1"], ['no topic config "retenton.ms"', 'did you mean "retention.ms"']],
    [["-c", "retention.ms=x"], ["retention.ms", "INVALID_CONFIG"]],
    [["-r", "3"], ["INVALID_REPLICATION_FACTOR"]],
  ];
  for (const [args, words] of refused) {
    await fails(["topic", "create", "refused", ...args], 1, words, at);
  }
  await fails(["topic", "create", "bad/name"], 1, ["bad/name", "letters, digits"], at);
  expect(await ok(["topic", "list"], at)).not.toContain("refused");
  await ok(["topic", "create", "whole", "-p", "2"], at);
  await fails(["topic", "alter", "whole", "-p", "1"], 1, ["2 partition"], at);
  const alter = ["topic", "alter", "whole", "-p", "4", "-c", "retention.mss=1"];
  await fails(alter, 1, ['did you mean "retention.ms"'], at);
  expect(await ok(["topic", "list"], at)).toMatch(/^whole +2 /m);
});

test("a missing topic ends with 1 and the nearest name", async () => {
  await ok(["topic", "create", "orders"], at);
  await fails(["topic", "describe", "order"], 1, ['did you mean "orders"'], at);
  await fails(["topic", "delete", "ordres"], 1, ['did you mean "orders"'], at);
  await fails(["topic", "alter", "oders", "-p", "2"], 1, ['did you mean "orders"'], at);
  await fails(["topic", "describe", "quite-another"], 1, ["does not exist"], at);
  expect(await ok(["topic", "delete", "quite-another", "--if-exists"], at)).toContain("not there");
});

test("of several topics the good ones are done and each failure has its line", async () => {
  await ok(["topic", "create", "several"], at);
  const finished = await kstream(["topic", "delete", "several", "none1", "none2"], at);
  expect(finished.exitCode).toBe(1);
  expect(finished.stdout).toBe("deleted topic several\n");
  expect(finished.stderr.trimEnd().split("\n")).toHaveLength(2);
});

test("describe without names shows all topics but the internal ones", async () => {
  await ok(["topic", "create", "shown"], at);
  const all = await ok(["topic", "describe"], at);
  expect(all).toMatch(/^shown$/m);
  expect(all).not.toContain("__consumer_offsets");
});
