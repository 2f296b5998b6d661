/** `kstream topic dump`, `load` and `clone` against running brokers. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clientIo } from "../../cmd/client.ts";
import { Producer } from "../../client/producer.ts";
import { freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, kstream, ok, shell } from "./cli.ts";

let broker: BrokerProcess;
let other: BrokerProcess;
let at: { brokers: string };
const dir = freshDir("copy");

beforeAll(async () => {
  [broker, other] = await Promise.all([
    startBrokerProcess({ args: ["--memory"] }),
    startBrokerProcess({ args: ["--memory"] }),
  ]);
  at = { brokers: broker.bootstrap };
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
  expect(await other.stop()).toBe(0);
});

/** All records of a topic, by partition, without their offsets. */
async function recordsOf(topic: string, options = at): Promise<Record<string, unknown>[]> {
  const lines = await ok(["consume", topic, "-e", "-f", "json"], options);
  return lines.trimEnd().split("\n").filter((line) => line !== "").map((line) => {
    const { topic: _topic, offset: _offset, ...record } = JSON.parse(line);
    return record;
  }).sort((a, b) => a.partition - b.partition);
}

/** A topic with headers, tombstones, old times and every codec. */
async function fill(topic: string, configs: readonly string[] = []): Promise<void> {
  const flags = configs.flatMap((config) => ["-c", config]);
  await ok(["topic", "create", topic, "-p", "3", ...flags], at);
  for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"]) {
    const lines = Array.from({ length: 300 }, (_, i) =>
      JSON.stringify({
        key: i % 7 === 0 ? null : `k${i % 50}`,
        value: i % 11 === 0 ? null : `${codec} ${i} ${"x".repeat(i)}`,
        timestamp: 1_700_000_000_000 + i,
        headers: [["h", `${i}`], ["h", null], ["b", { base64: "/wA=" }]],
      })).join("\n");
    await ok(["produce", topic, "-f", "json", "-z", codec], { ...at, input: lines });
  }
}

test("a dump becomes the same topic again, with configs and groups, also elsewhere", async () => {
  await fill("orders", ["retention.ms=-1", "message.timestamp.type=CreateTime"]);
  await ok(["consume", "orders", "-g", "billing", "-n", "400"], at);
  const file = join(dir, "orders.dump");
  expect(await ok(["topic", "dump", "orders", "-o", file, "--groups"], at)).toContain(
    "1,500 records",
  );
  expect(existsSync(`${file}.partial`)).toBe(false);
  const load = ["topic", "load", file, "--as", "again", "--groups", "--json"];
  const loaded = JSON.parse(await ok(load, at));
  expect(loaded).toMatchObject({ topic: "again", records: 1500, present: 0 });
  expect(await recordsOf("again")).toEqual(await recordsOf("orders"));
  const [described] = JSON.parse(await ok(["topic", "describe", "again", "--json"], at));
  expect(described.configs).toContainEqual({ name: "retention.ms", value: "-1", source: "topic" });
  const group = JSON.parse(await ok(["group", "describe", "billing", "--json"], at))[0];
  const lags = new Map<string, number>(
    group.topics.map(({ topic, lag }: { topic: string; lag: number }) => [topic, lag]),
  );
  expect(lags.get("orders")).toBeGreaterThan(0);
  expect(lags.get("again")).toBe(lags.get("orders"));

  const line = `kstream topic dump orders -o - | kstream topic load - -b ${other.bootstrap}`;
  expect((await shell(line, at)).exitCode).toBe(0);
  expect(await recordsOf("orders", { brokers: other.bootstrap })).toEqual(
    await recordsOf("orders"),
  );
});

test("what was cut goes on where it was, and a second time does nothing", async () => {
  await fill("resumed");
  const file = join(dir, "resumed.dump");
  await ok(["topic", "dump", "resumed", "-o", file], at);
  await fails(["topic", "dump", "resumed", "-o", file], 2, ["there already"], at);
  const whole = readFileSync(file);

  const half = join(dir, "half.dump");
  for (const bytes of [60, 5000, whole.length - 30, whole.length - 5]) {
    copyFileSync(file, half);
    truncateSync(half, bytes);
    await fails(["topic", "load", half, "--as", "never"], 1, ["half.dump"], at);
    const again = join(dir, `again-${bytes}.dump`);
    copyFileSync(half, `${again}.partial`);
    const finished = await kstream(["topic", "dump", "resumed", "-o", again], at);
    if (bytes === 60) {
      expect(finished.exitCode).toBe(1);
      continue;
    }
    expect([bytes, finished.exitCode, finished.stderr]).toEqual([
      bytes,
      0,
      expect.stringContaining("going on"),
    ]);
    await ok(["topic", "load", again, "--as", `again-${bytes}`], at);
    expect(await recordsOf(`again-${bytes}`)).toEqual(await recordsOf("resumed"));
  }
  const twice = await kstream(["topic", "load", file, "--as", "again-5000"], at);
  expect(twice.stdout).toContain("1,500 were there");
  expect(await recordsOf("again-5000")).toHaveLength(1500);
});

test("a load and a clone go on behind what is there, and see what is not theirs", async () => {
  await fill("source");
  await ok(["topic", "clone", "source", "copy"], at);
  await ok(["produce", "source", "-K", ":"], { ...at, input: "a:1\nb:2\nc:3\n" });
  const more = await kstream(["topic", "clone", "source", "copy"], at);
  expect(more.stdout).toContain("1,503 records (1,500 were there)");
  expect(await recordsOf("copy")).toEqual(await recordsOf("source"));

  await ok(["produce", "copy"], { ...at, input: "foreign\n" });
  const foreign = await kstream(["topic", "clone", "source", "copy"], at);
  expect(foreign.exitCode).toBe(1);
  expect(foreign.stderr).toMatch(
    /no beginning of this copy: in partition \d, it has 1 record more/,
  );
  await ok(["topic", "create", "narrow"], at);
  await fails(["topic", "clone", "source", "narrow"], 1, ["1 partition", "3"], at);
  await fails(["topic", "clone", "sourc", "x"], 1, ['did you mean "source"'], at);
  await fails(["topic", "clone", "source", "source"], 2, ["into itself"], at);
  await ok(["topic", "create", "else", "-p", "3"], at);
  await ok(["produce", "else", "-p", "0"], { ...at, input: "foreign\n" });
  const different = await kstream(["topic", "clone", "source", "else"], at);
  expect(different.stderr).toMatch(/no beginning of this copy/);
});

test("of transactions only what is committed is copied", async () => {
  await ok(["topic", "create", "txn"], at);
  const producer = new Producer(clientIo, {
    brokers: [broker.bootstrap],
    transactionalId: "copied",
  });
  const write = async (value: string, end: "commit" | "abort") => {
    producer.transactions.begin();
    await producer.send({ topic: "txn", value: Buffer.from(value) });
    await producer.transactions[end]();
  };
  await producer.transactions.init();
  await write("a", "commit");
  await write("b", "abort");
  await write("c", "commit");
  await producer.close();
  await ok(["topic", "clone", "txn", "txn2"], at);
  expect(await ok(["consume", "txn2", "-e"], at)).toBe("a\nc\n");
  const [described] = JSON.parse(await ok(["topic", "describe", "txn2", "--json"], at));
  expect(described.partitions[0]).toMatchObject({ startOffset: 0, endOffset: 2 });
});

test("deleted records stay behind, and times of the broker are kept", async () => {
  await ok(["topic", "create", "trimmed", "-c", "message.timestamp.type=LogAppendTime"], at);
  const input = Array.from({ length: 1000 }, (_, i) => `${i}\n`).join("");
  await ok(["produce", "trimmed"], { ...at, input });
  await ok(["topic", "trim", "trimmed", "--before", "123", "--execute"], at);
  await ok(["topic", "clone", "trimmed", "trimmed2"], at);
  // A producer cannot say that a broker set the time (Kafka's LogValidator), only which it was.
  const times = ({ timestampType: _type, ...record }: Record<string, unknown>) => record;
  expect((await recordsOf("trimmed2")).map(times)).toEqual((await recordsOf("trimmed")).map(times));
  expect(await recordsOf("trimmed2")).toHaveLength(877);
  const [described] = JSON.parse(await ok(["topic", "describe", "trimmed2", "--json"], at));
  expect(described.configs[0]).toMatchObject({ value: "LogAppendTime" });
});

test("damage in a dump is found before anything is loaded", async () => {
  await fill("sound");
  const file = join(dir, "sound.dump");
  await ok(["topic", "dump", "sound", "-o", file], at);
  const bytes = readFileSync(file);
  bytes[bytes.length - 3000]! ^= 1;
  writeFileSync(file, bytes);
  await fails(["topic", "load", file, "--as", "hurt"], 1, ["checksum", "byte"], at);
  await fails(["topic", "load", "/dev/null", "--as", "hurt"], 1, ["no dump"], at);
  await fails(["topic", "load", join(dir, "none"), "--as", "hurt"], 2, ["none"], at);
  expect(await ok(["topic", "list"], at)).not.toContain("hurt");
});
