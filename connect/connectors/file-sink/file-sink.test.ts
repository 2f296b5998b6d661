import { afterEach, beforeEach, expect, test } from "bun:test";
import { parquetReadObjects } from "hyparquet";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { JournaledFolder } from "./journal.ts";
import { runSink, sinkRecord, sinkRecords, startSink, VirtualClock } from "../../testing/index.ts";
import fileSink from "./file-sink.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kstream-file-sink-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Names of the files that are there for readers. */
function names(): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes(".kstream"))
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

const lines = (bytes: Buffer) => bytes.toString().trimEnd().split("\n");
const read = (name: string) => readFileSync(join(directory, name));
const numbers = () =>
  names().flatMap((name) => lines(read(name)).map((line) => Number(JSON.parse(line).n)));
const numbered = (from: number, to: number) =>
  sinkRecords(Array.from({ length: to - from }, (_, i) => ({ n: from + i })), { first: from });

test("one file: a line each, as Kafka's FileStreamSink", async () => {
  const file = join(directory, "out.txt");
  writeFileSync(file, "there\n");
  const run = await runSink(fileSink, { file }, sinkRecords(["a", { n: 1 }, null, 5n]));
  expect(run.committed()).toEqual({ "test-0": 4n });
  expect(readFileSync(file, "utf8")).toBe('there\na\n{"n":1}\n\n5\n');
});

test("files are closed by count, by bytes, by the time of records and by the clock", async () => {
  const clock = new VirtualClock();
  const config = { directory, "path.format": "{topic}" };
  await runSink(fileSink, { ...config, "flush.size": "4" }, numbered(0, 10), { clock });
  expect(names()).toEqual([0, 4, 8].map((n) => `test/test+0+${String(n).padStart(20, "0")}.jsonl`));
  expect(numbers()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const bytes = await startSink(fileSink, { ...config, "rotate.bytes": "20" }, { clock });
  await bytes.write(sinkRecords(["x".repeat(30), "y", "z".repeat(30)], { topic: "b" }));
  expect(names().filter((name) => name.startsWith("b/")).length).toBe(2);
  await bytes.stop();
  const timed = { ...config, "rotate.interval.ms": "1000", "rotate.schedule.interval.ms": "5000" };
  const run = await startSink(fileSink, timed, { clock });
  const at = (ms: number, offset: number) =>
    sinkRecord({ ms }, offset, { topic: "c", timestampMs: ms });
  await run.write([at(0, 0), at(999, 1), at(1000, 2), at(1500, 3), at(5000, 4)]);
  const ofC = () =>
    names().filter((name) => name.startsWith("c/")).map((name) => lines(read(name)));
  expect(ofC().map((part) => part.length)).toEqual([2, 2]);
  await run.flush();
  expect(run.committed()).toEqual({ "c-0": 4n });
  clock.advance(5000);
  await run.flush();
  expect(run.committed()).toEqual({ "c-0": 5n });
  expect(ofC().length).toBe(3);
  await run.stop();
});

test("folders are by topic, partition, time and field, and values never lead out of them", async () => {
  const config = { directory, "path.format": "{topic}-{partition}/{yyyy}/{MM}/{dd}/{value.c}" };
  const timestampMs = Date.UTC(2026, 1, 3);
  const values = [{ c: "DE" }, { c: "../../etc" }, { c: null }, { c: "a/b\0" }, {}, { c: "DE" }];
  const run = await runSink(fileSink, config, sinkRecords(values, { timestampMs }));
  expect(run.committed()).toEqual({ "test-0": 6n });
  expect(names().map((name) => name.split("/").slice(0, -1).join("/"))).toEqual([
    "test-0/2026/02/03/%2E.%2F..%2Fetc",
    "test-0/2026/02/03/DE",
    "test-0/2026/02/03/__HIVE_DEFAULT_PARTITION__",
    "test-0/2026/02/03/a%2Fb%00",
  ]);
});

test("gzip, zstd, CSV and Parquet can be read by others", async () => {
  const base = { directory, "path.format": "{value.kind}" };
  await runSink(fileSink, { ...base, compression: "gzip" }, sinkRecords([{ kind: "g", n: 1 }]));
  await runSink(
    fileSink,
    { ...base, compression: "zstd" },
    sinkRecords([{ kind: "z", n: 1 }], { topic: "z" }),
  );
  await runSink(
    fileSink,
    { ...base, format: "csv" },
    sinkRecords([{ kind: "c", n: 1 }], { topic: "c" }),
  );
  const records = sinkRecords(Array.from({ length: 1000 }, (_, n) => ({ kind: "p", n })), {
    topic: "p",
  });
  await runSink(fileSink, {
    ...base,
    format: "parquet",
    compression: "gzip",
    "parquet.row.group.bytes": "5000",
  }, records);
  const [csv, gz, parquet, zst] = names();
  expect(read(csv!).toString()).toBe("kind,n\nc,1\n");
  expect(gunzipSync(read(gz!)).toString()).toBe('{"kind":"g","n":1}\n');
  expect(zstdDecompressSync(read(zst!)).toString()).toBe('{"kind":"z","n":1}\n');
  const rows = await parquetReadObjects({
    file: Uint8Array.from(read(parquet!)).buffer,
    compressors: { GZIP: (packed) => gunzipSync(packed) },
  });
  expect(rows.map((row) => Number(row["n"]))).toEqual(records.map((_, n) => n));
});

test("after a crash at any step each record is in one file", async () => {
  const config = { directory, "flush.size": "3", "path.format": "{value.part}" };
  const records = Array.from({ length: 20 }, (_, n) => sinkRecord({ n, part: n % 2 }, n));
  const first = await startSink(fileSink, config);
  await first.write(records.slice(0, 11));
  await first.crash();
  // Nothing was committed; the journal knows better.
  const second = await startSink(fileSink, config);
  expect(await second.assign([{ topic: "test", partition: 0 }])).toEqual([
    { topic: "test", partition: 0, offset: 9n },
  ]);
  await second.write(records.slice(0, 13));
  await second.crash();
  expect(numbers().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, n) => n));
  // Killed between the journal and the second rename.
  const folder = new JournaledFolder(directory, "test");
  const staged = ["a", "b"].map((name) => {
    const path = join(folder.staging, `test+0+${name}.tmp`);
    writeFileSync(path, `{"n":${name === "a" ? 12 : 13}}\n`);
    return { path, name: `late/${name}.jsonl` };
  });
  mkdirSync(join(directory, "late", "b.jsonl"), { recursive: true });
  await expect(folder.publish({ topic: "test", partition: 0 }, staged, 14n)).rejects.toThrow(
    "cannot write",
  );
  rmSync(join(directory, "late", "b.jsonl"), { recursive: true });
  writeFileSync(join(folder.staging, "test+0+99.tmp"), "half a line");
  writeFileSync(join(folder.staging, "test+1+99.tmp"), "another partition's");
  const third = await startSink(fileSink, config);
  await third.write(records);
  await third.stop();
  expect(third.committed()).toEqual({ "test-0": 20n });
  expect(numbers().toSorted((a, b) => a - b)).toEqual(records.map((_, n) => n));
  expect(readdirSync(folder.staging).sort()).toEqual(["test+0.json", "test+1+99.tmp"]);
});

test("a rebalance closes what is open; another task goes on", async () => {
  const first = await startSink(fileSink, { directory });
  await first.write(numbered(0, 5));
  await first.revoke();
  const second = await startSink(fileSink, { directory });
  await second.write(numbered(0, 8));
  await second.stop();
  await first.stop();
  expect(numbers()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("records that a format cannot take are refused alone, the others are written", async () => {
  const config = { directory, format: "csv", "csv.columns": "n" };
  const run = await runSink(
    fileSink,
    config,
    sinkRecords([{ n: 1 }, "text", { n: 2, m: 1 }, { n: 3 }]),
  );
  expect(run.rejected.map(({ record }) => record.offset)).toEqual([1n, 2n]);
  expect(run.committed()).toEqual({ "test-0": 4n });
  expect(lines(read(names()[0]!))).toEqual(["n", "1", "3"]);
});

test("what waits in memory is bounded", async () => {
  const config = { directory, "path.format": "{value.n}", "buffer.bytes": String(1024 * 1024) };
  const values = Array.from({ length: 64 }, (_, n) => ({ n: n % 16, text: "x".repeat(100_000) }));
  const run = await startSink(fileSink, config);
  await run.write(sinkRecords(values));
  const staging = new JournaledFolder(directory, "test").staging;
  const staged = readdirSync(staging).map((name) => readFileSync(join(staging, name)).length);
  expect(staged.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(5_000_000);
  await run.stop();
  expect(numbers().length).toBe(64);
});

test("a folder that cannot be written, and a journal that is none, are said", async () => {
  writeFileSync(join(directory, "file"), "");
  const inside = join(directory, "file", "x");
  await expect(runSink(fileSink, { directory: inside }, numbered(0, 1))).rejects.toThrow("ENOTDIR");
  const { staging } = new JournaledFolder(directory, "test");
  mkdirSync(staging, { recursive: true });
  writeFileSync(join(staging, "test+0.json"), '{"next":"1","renames":[["../../x","y"]]}');
  await expect(runSink(fileSink, { directory }, numbered(0, 1))).rejects.toThrow("is no journal");
  await expect(startSink(fileSink, { directory, file: "x" })).rejects.toThrow(
    'either "file" or "directory"',
  );
  await expect(startSink(fileSink, { directory, "path.format": "../{topic}" })).rejects.toThrow(
    "upwards",
  );
});

test("a full disk holds the sink up, and nothing is lost or doubled when there is room", async () => {
  const clock = new VirtualClock();
  const run = await startSink(fileSink, { directory, "flush.size": "2" }, { clock });
  await run.write(numbered(0, 1));
  // As good as full: nothing can be made in the staging folder.
  const { staging } = new JournaledFolder(directory, "test");
  rmSync(staging, { recursive: true });
  writeFileSync(staging, "");
  const writing = run.write(numbered(1, 3));
  for (let i = 0; i < 1000 && run.retries < 2; i++) {
    await clock.sleep(1, new AbortController().signal);
  }
  expect(run.retries).toBeGreaterThanOrEqual(2);
  rmSync(staging);
  await writing;
  await run.stop();
  expect(numbers()).toEqual([0, 1, 2]);
});

test("a record whose writing fails half-way is in a file once", async () => {
  const clock = new VirtualClock();
  const config = { directory, "path.format": "{topic}", "buffer.bytes": String(1024 * 1024) };
  const run = await startSink(fileSink, config, { clock });
  await run.write(numbered(0, 1));
  const { staging } = new JournaledFolder(directory, "test");
  rmSync(staging, { recursive: true });
  writeFileSync(staging, "");
  const values = Array.from({ length: 6 }, (_, n) => ({ n: n + 1, text: "x".repeat(400_000) }));
  const writing = run.write(sinkRecords(values, { first: 1 }));
  for (let i = 0; i < 1000 && run.retries < 2; i++) {
    await clock.sleep(1, new AbortController().signal);
  }
  expect(run.retries).toBeGreaterThanOrEqual(2);
  rmSync(staging);
  await writing;
  await run.stop();
  expect(numbers()).toEqual([0, 1, 2, 3, 4, 5, 6]);
});
