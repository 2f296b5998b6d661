/** The connectors of S3 against a real server of it. */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "bun:test";
import { parquetReadObjects } from "hyparquet";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync, zstdDecompressSync } from "node:zlib";
import s3Sink from "../../connect/connectors/s3-sink/s3-sink.ts";
import s3Source from "../../connect/connectors/s3-source/s3-source.ts";
import type { SinkRecord } from "../../connect/index.ts";
import {
  runSink,
  sinkRecord,
  sinkRecords,
  startSink,
  startSource,
} from "../../connect/testing/index.ts";
import { needVersitygw, S3Server } from "./servers/versitygw.ts";
import { liveTest } from "./servers/live.ts";

const missing = await needVersitygw();
const live = liveTest(missing);

let server: S3Server;
let staging = "";
let config: Record<string, string> = {};
beforeAll(async () => {
  if (missing === null) server = await S3Server.start();
});
afterAll(() => server?.stop());
let run = 0;
beforeEach(() => {
  staging = mkdtempSync(join(tmpdir(), "kstream-s3-test-"));
  if (missing !== null) return;
  config = { ...server.config, "staging.directory": staging, "topics.dir": `run${run++}` };
});
afterEach(() => {
  // Whatever happened, no file in the making is left.
  const left = readdirSync(staging);
  rmSync(staging, { recursive: true, force: true });
  expect(left).toEqual([]);
});

async function keys(): Promise<string[]> {
  const prefix = `${config["topics.dir"]}/`;
  const { contents } = await server.client().list({ prefix });
  return (contents ?? []).map(({ key }) => key.slice(prefix.length)).sort();
}

const read = async (key: string) =>
  Buffer.from(await server.client().file(`${config["topics.dir"]}/${key}`).bytes());

async function numbers(): Promise<number[]> {
  const found: number[] = [];
  for (const key of await keys()) {
    const bytes = await read(key);
    const text = key.endsWith(".gz") ? gunzipSync(bytes) : bytes;
    const lines = text.toString().trimEnd().split(/\r?\n/);
    if (key.includes(".csv")) found.push(...lines.slice(1).map((line) => parseInt(line)));
    else found.push(...lines.map((line) => Number(JSON.parse(line).n)));
  }
  return found.sort((a, b) => a - b);
}

const numbered = (from: number, to: number): SinkRecord[] =>
  Array.from({ length: to - from }, (_, i) => sinkRecord({ n: from + i, part: i % 3 }, from + i));
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

live("objects are named by topic, partition and first offset; what is not full waits", async () => {
  const sink = await runSink(s3Sink, { ...config, "flush.size": "4" }, numbered(0, 10));
  expect(sink.committed()).toEqual({ "test-0": 8n });
  expect(await keys()).toEqual(
    [0, 4].map((n) => `test/partition=0/test+0+${String(n).padStart(20, "0")}.jsonl`),
  );
  expect(await numbers()).toEqual(upTo(8));
});

live("written again after a crash it is the same objects, by time and field as well", async () => {
  const sharded = { ...config, "flush.size": "7", "path.format": "{yyyy}/{value.part}" };
  const first = await startSink(s3Sink, sharded);
  await first.write(numbered(0, 20));
  const before = await keys();
  await first.crash();
  const second = await runSink(s3Sink, sharded, numbered(0, 35));
  expect(second.committed()).toEqual({ "test-0": 35n });
  const after = new Set(await keys());
  expect(before.filter((key) => !after.has(key))).toEqual([]);
  expect(after.size).toBeGreaterThan(before.length);
  expect(await numbers()).toEqual(upTo(35));
});

const CHANGES: Readonly<Record<string, Record<string, string>>> = {
  "none": {},
  "sizes": { "flush.size": "7" },
  "the clock": { "flush.size": "1000000", "rotate.schedule.interval.ms": "3600000" },
  "names": { "path.format": "day={yyyy}", "flush.size": "4" },
  "format and compression": { format: "csv", compression: "gzip", "flush.size": "11" },
  "the folder": { "topics.dir": "" },
};

live.each(Object.entries(CHANGES))(
  "what a crash has left in the middle is made up for; settings changed meanwhile: %s",
  async (_name, change) => {
    const before = { ...config, "path.format": "{value.part}", "flush.size": "10" };
    const first = await startSink(s3Sink, before);
    await first.write(numbered(0, 34));
    await first.crash();
    const made = await keys();
    expect(made).toHaveLength(9);
    // As though the worker had died before the last object of the last generation was there.
    await server.client().delete(`${config["topics.dir"]}/${made.at(-1)}`);
    const changed: Record<string, string> = { ...before, ...change };
    if (change["topics.dir"] === "") changed["topics.dir"] = `${config["topics.dir"]}/other`;
    const second = await startSink(s3Sink, changed, { after: first });
    await second.write(numbered(0, 25));
    // Again in the middle of it.
    await second.crash();
    const third = await runSink(s3Sink, changed, numbered(0, 64), { after: second });
    const upToNow = Number(third.committed()["test-0"]);
    expect(upToNow).toBeGreaterThan(30);
    expect((await keys()).filter((key) => /^[012]\/[^/]*jsonl$/.test(key))).toEqual(
      expect.arrayContaining(made),
    );
    expect(await numbers()).toEqual(upTo(upToNow));
  },
);

live("gzip, zstd, CSV and Parquet of several parts can be read by others", async () => {
  const part = { ...config, "rotate.schedule.interval.ms": "3600000", "path.format": "" };
  const text = "some text that goes on for a while, as texts do ";
  const rows = Array.from(
    { length: 40_000 },
    (_, n) => ({ n, text: text + crypto.randomUUID().repeat(5) }),
  );
  const of = (topic: string) => sinkRecords(rows, { topic });
  await runSink(s3Sink, { ...part, compression: "gzip" }, of("g"));
  await runSink(s3Sink, { ...part, compression: "zstd" }, of("z"));
  await runSink(s3Sink, { ...part, format: "csv" }, of("c"));
  await runSink(
    s3Sink,
    { ...part, format: "parquet", "parquet.row.group.bytes": "2000000" },
    of("p"),
  );
  const [csv, gz, parquet, zst] = await keys();
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  expect(gunzipSync(await read(gz!)).toString()).toBe(lines);
  expect(zstdDecompressSync(await read(zst!)).toString()).toBe(lines);
  expect((await read(csv!)).toString().split("\n").length).toBe(rows.length + 2);
  const file = Uint8Array.from(await read(parquet!)).buffer;
  const back = await parquetReadObjects({ file, columns: ["n"] });
  expect(back.map((row) => Number(row["n"]))).toEqual(upTo(rows.length));
});

live("a store that is down holds the sink up; nothing is lost or doubled", async () => {
  const sink = await startSink(s3Sink, { ...config, "flush.size": "5" });
  await sink.write(numbered(0, 5));
  await server.down();
  const writing = sink.write(numbered(5, 20));
  while (sink.retries < 2) await Bun.sleep(5);
  await server.up();
  await writing;
  await sink.stop();
  expect(sink.committed()).toEqual({ "test-0": 20n });
  expect(await numbers()).toEqual(upTo(20));
});

live("what trying again does not mend is said", async () => {
  const wrong = { ...config, "flush.size": "1", "aws.secret.access.key": "wr0ng" };
  const denied = await startSink(s3Sink, wrong);
  await expect(denied.write(numbered(0, 1))).rejects.toThrow("SignatureDoesNotMatch");
  await denied.crash();
  const nowhere = await startSink(s3Sink, {
    ...config,
    "flush.size": "1",
    "s3.bucket.name": "none",
  });
  await expect(nowhere.write(numbered(0, 1))).rejects.toThrow("NoSuchBucket");
  await nowhere.crash();
  expect([...denied.log, ...nowhere.log].join("\n")).not.toContain("wr0ng");
});

const source = (more: Record<string, string> = {}) => {
  const { "topics.dir": dir, ...rest } = config;
  return { ...rest, topic: "t", prefix: `${dir}/`, "poll.interval.ms": "10", ...more };
};

live(
  "objects are read once, also packed ones; it goes on within one, and they go when they are safe",
  async () => {
    const client = server.client();
    const put = (key: string, bytes: string | Uint8Array) =>
      client.write(`${config["topics.dir"]}/${key}`, bytes);
    await put("a.jsonl", '{"n":0}\n{"n":1}\n{"n":2}\n');
    await put("b.jsonl.gz", gzipSync('{"n":3}\n'));
    await put("c.tmp", "no\n");
    const more = { exclude: "**/*.tmp", "when.done": "delete", "batch.size": "1" };
    const first = startSource(s3Source, source(more));
    await first.take(4);
    await first.commit(2);
    await first.stop();
    expect(await keys()).toEqual(["a.jsonl", "b.jsonl.gz", "c.tmp"]);
    const second = startSource(s3Source, source(more), { offsets: first.offsets });
    await second.take(2);
    await second.commit();
    expect(await keys()).toEqual(["c.tmp"]);
    await put("a.jsonl", '{"n":4}\n');
    await second.take(1);
    await second.stop();
    expect(second.values()).toEqual([{ n: 2 }, { n: 3 }, { n: 4 }]);
  },
);

live("more objects than a page of the list has, and a store that goes away meanwhile", async () => {
  const client = server.client();
  const dir = config["topics.dir"];
  for (let from = 0; from < 1100; from += 100) {
    await Promise.all(
      upTo(100).map((i) =>
        client.write(`${dir}/${String(from + i).padStart(5, "0")}`, `${from + i}\n`)
      ),
    );
  }
  const reading = startSource(s3Source, source());
  await reading.take(1100);
  expect(reading.values()).toEqual(upTo(1100));
  await server.down();
  await expect(reading.next()).rejects.toThrow("cannot list bucket lake");
  await reading.stop();
  await server.up();
});
