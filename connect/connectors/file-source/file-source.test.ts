import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { runSink, sinkRecords } from "../../testing/index.ts";
import {
  runSource,
  startSource,
  taskConfigs,
  TestOffsets,
  VirtualClock,
} from "../../testing/index.ts";
import fileSink from "../file-sink/file-sink.ts";
import fileSource from "./file-source.ts";

let directory = "";
let file = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kstream-file-source-"));
  file = join(directory, "app.log");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const clock = () => new VirtualClock(Date.now() + 86_400_000);
const start = (config: Record<string, string> = {}, offsets = new TestOffsets()) =>
  startSource(fileSource, { file, topic: "t", ...config }, { offsets, clock: clock() });

test("what is added is read, a last line only with its end; offsets are Kafka's", async () => {
  const run = start();
  writeFileSync(file, "one\ntw");
  expect((await run.take(1)).map(({ value }) => value)).toEqual(["one"]);
  appendFileSync(file, "o\r\n\nthree\n");
  await run.take(3);
  await run.stop();
  expect(run.values()).toEqual(["one", "two", "", "three"]);
  expect(run.records[0]).toMatchObject({
    sourcePartition: { filename: file },
    sourceOffset: { position: 4 },
  });
  const old = new TestOffsets([{ partition: { filename: file }, offset: { position: 4 } }]);
  expect(
    (await runSource(fileSource, { file, topic: "t" }, { until: 1, offsets: old })).values()[0],
  )
    .toBe("two");
});

test("rotation in the middle of a run, twice between two looks, loses and doubles nothing", async () => {
  writeFileSync(file, "1\n2\n");
  const run = start();
  await run.take(2);
  appendFileSync(file, "3\nleft open");
  renameSync(file, `${file}.2`);
  writeFileSync(`${file}.1`, "4\n");
  writeFileSync(file, "5\n");
  await run.take(4);
  expect(run.values()).toEqual(["1", "2", "3", "left open", "4", "5"]);
  appendFileSync(file, "6\n");
  await run.take(1);
  await run.stop();
  expect(run.values().at(-1)).toBe("6");
});

test("rotation and truncation while it was down", async () => {
  writeFileSync(file, "1\n2\n3\n");
  const first = start();
  await first.take(3);
  await first.commit(2);
  await first.stop();
  renameSync(file, `${file}.1`);
  writeFileSync(file, "4\n");
  const second = start({}, first.offsets);
  await second.take(2);
  await second.commit();
  await second.stop();
  expect(second.values()).toEqual(["3", "4"]);
  // Copied and cut (copytruncate), then written to again, longer than it was.
  appendFileSync(file, "5\n");
  copyFileSync(file, `${file}.0`);
  truncateSync(file, 0);
  appendFileSync(file, "sixth\nseventh\n");
  const third = start({}, first.offsets);
  await third.take(3);
  await third.stop();
  expect(third.values()).toEqual(["5", "sixth", "seventh"]);
});

test("a file that is cut while it is read begins anew", async () => {
  writeFileSync(file, "long enough\nto be told apart\n");
  const run = start();
  await run.take(2);
  writeFileSync(file, "new\n");
  await run.take(1);
  writeFileSync(file, "another, longer than what was there before\n");
  await run.take(1);
  await run.stop();
  expect(run.values().slice(2)).toEqual(["new", "another, longer than what was there before"]);
  expect(run.log.filter((line) => line.includes("was cut")).length).toBe(2);
});

test("files come and go under a pattern; a rotated one is not read again under its new name", async () => {
  writeFileSync(file, "a1\n");
  const run = start({ file: join(directory, "*.log*"), exclude: "*.skip*,*.bak" });
  await run.take(1);
  writeFileSync(join(directory, "b.log"), "b1\n");
  writeFileSync(join(directory, "c.log.skip.x"), "c1\n");
  await run.take(1);
  renameSync(file, `${file}.1`);
  writeFileSync(file, "a2\n");
  await run.take(1);
  unlinkSync(join(directory, "b.log"));
  appendFileSync(file, "a3\n");
  await run.take(1);
  writeFileSync(join(directory, "b.log"), "b2\n");
  await run.take(1);
  await run.stop();
  expect(run.values()).toEqual(["a1", "b1", "a2", "a3", "b2"]);
});

test("from the end: only what comes", async () => {
  writeFileSync(file, "old\n");
  const run = start({ "start.at": "end", file: join(directory, "*.log") });
  const taking = run.take(2);
  // Once it has looked, another file is new as a whole.
  while (run.log.length === 0) await new Promise((resolve) => setImmediate(resolve));
  appendFileSync(file, "new\n");
  writeFileSync(join(directory, "b.log"), "whole\n");
  await taking;
  await run.stop();
  expect(run.values().toSorted()).toEqual(["new", "whole"]);
});

test("JSON Lines and CSV, with bad rows named or left out", async () => {
  writeFileSync(file, '{"id":12345678901234567890,"__proto__":{"x":1}}\n\n{oops\n{"id":2}\n');
  const strict = start({ format: "jsonl" });
  await expect(strict.take(2)).rejects.toThrow(
    `${file}: what ends at 55 is no JSON (bad.rows=skip`,
  );
  await strict.stop();
  const run = start({ format: "jsonl", "bad.rows": "skip" });
  await run.take(2);
  await run.stop();
  expect(run.values()[1]).toEqual({ id: 2 });
  const first = run.values()[0] as Record<string, unknown>;
  expect(first["id"]).toBe(12345678901234567890n);
  expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  expect(run.log.join()).toContain("left out");

  writeFileSync(file, 'id,"na me"\n1,"a ""b"""\n2\n3,"two\nlines"\n');
  const csv = start({ format: "csv", "bad.rows": "skip" });
  await csv.take(2);
  await csv.commit(1);
  await csv.stop();
  expect(csv.values()).toEqual([{ id: "1", "na me": 'a "b"' }, { id: "3", "na me": "two\nlines" }]);
  // The header is known again after a restart, and when it comes alone.
  const again = start({ format: "csv", "bad.rows": "skip" }, csv.offsets);
  await again.take(1);
  writeFileSync(file, "x;y\n");
  await again.stop();
  expect(again.values()).toEqual([{ id: "3", "na me": "two\nlines" }]);
  const late = start({ format: "csv", "csv.separator": ";" });
  const taking = late.take(1);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  appendFileSync(file, "1;2\n");
  expect((await taking)[0]?.value).toEqual({ x: "1", y: "2" });
  await late.stop();
});

test("encodings: what is none is bad, bytes are never altered", async () => {
  writeFileSync(file, Buffer.from([0xe4, 10, 0x61, 10]));
  const strict = start();
  await expect(strict.take(1)).rejects.toThrow("is not encoded as utf-8");
  await strict.stop();
  expect(
    (await runSource(fileSource, { file, topic: "t", encoding: "iso-8859-1" }, { until: 2 }))
      .values(),
  )
    .toEqual(["ä", "a"]);
  expect(
    (await runSource(fileSource, { file, topic: "t", encoding: "bytes" }, { until: 2 })).values(),
  )
    .toEqual([Uint8Array.of(0xe4), Uint8Array.of(0x61)]);
  expect(() => start({ encoding: "klingon" })).toThrow("no encoding");
  expect(() => start({ encoding: "utf-16le" })).toThrow("needs mode=spool");
});

test("a line that is too long is bad alone", async () => {
  writeFileSync(file, `a\n${"x".repeat(300_000)}\nb\n`);
  const run = start({ "line.bytes.max": "100000", "bad.rows": "skip" });
  await run.take(2);
  await run.stop();
  expect(run.values()).toEqual(["a", "b"]);
  expect(run.log.join()).toContain("longer than line.bytes.max");
});

const spooled = (config: Record<string, string> = {}, offsets = new TestOffsets()) =>
  start({ mode: "spool", file: join(directory, "in", "*"), ...config }, offsets);

test("a spool: gzip, zstd, UTF-16 and empty files are read once, and moved when they are safe", async () => {
  mkdirSync(join(directory, "in"));
  const put = (name: string, bytes: string | Uint8Array) =>
    writeFileSync(join(directory, "in", name), bytes);
  put("1.gz", Buffer.concat([gzipSync("a\n"), gzipSync("b")]));
  put("2.zst", Buffer.concat([zstdCompressSync("c\n"), zstdCompressSync("d\n")]));
  put("3.txt", "");
  put("4.txt", "e\nf");
  put(".hidden", "no\n");
  const config = { "when.done": "move", "done.directory": join(directory, "done") };
  const run = spooled(config);
  await run.take(6);
  expect(run.values()).toEqual(["a", "b", "c", "d", "e", "f"]);
  expect(readdirSync(join(directory, "in")).sort()).toEqual([".hidden", "1.gz", "2.zst", "4.txt"]);
  await run.commit(5);
  expect(readdirSync(join(directory, "in")).sort()).toEqual([".hidden", "4.txt"]);
  await run.stop();
  // It goes on within the file, which another one of its name may follow.
  const second = spooled(config, run.offsets);
  await second.take(1);
  await second.commit();
  put("4.txt", "another of this name\n");
  await second.take(1);
  await second.commit();
  await second.stop();
  expect(second.values()).toEqual(["f", "another of this name"]);
  expect(readdirSync(join(directory, "done")).length).toBe(5);
  put("5.txt", Buffer.from("ä\nö\n", "utf16le"));
  const wide = await runSource(
    fileSource,
    {
      mode: "spool",
      file: join(directory, "in", "5*"),
      topic: "t",
      encoding: "utf-16le",
      "settle.ms": "0",
    },
    { until: 2 },
  );
  expect(wide.values()).toEqual(["ä", "ö"]);
});

test("files that are kept are not read again, those that were committed before a crash are done", async () => {
  mkdirSync(join(directory, "in"));
  const path = join(directory, "in", "a.csv");
  writeFileSync(path, "n\n1\n2\n");
  const first = spooled({ format: "csv" });
  await first.take(2);
  await first.commit(1);
  await first.stop();
  const second = spooled({ format: "csv" }, first.offsets);
  await second.take(1);
  await second.commit();
  await second.stop();
  expect(second.values()).toEqual([{ n: "2" }]);
  const third = spooled({ format: "csv", "when.done": "delete" }, first.offsets);
  const taking = third.take(1);
  while (existsSync(path)) await new Promise((resolve) => setImmediate(resolve));
  writeFileSync(path, "n\n3\n");
  expect((await taking).map(({ value }) => value)).toEqual([{ n: "3" }]);
  await third.stop();
});

test("archives that are cut off, and files that vanish or may not be read, are said", async () => {
  mkdirSync(join(directory, "in"));
  const lines = Array.from({ length: 50_000 }, (_, i) => `${i * 7919 % 1_000_003}\n`).join("");
  for (
    const [name, bytes] of [["x.gz", gzipSync(lines)], ["x.zst", zstdCompressSync(lines)]] as const
  ) {
    const path = join(directory, "in", name);
    writeFileSync(path, bytes.subarray(0, bytes.length / 2));
    const strict = spooled();
    await expect(strict.take(50_000)).rejects.toThrow(path);
    await strict.stop();
    rmSync(path);
  }
  writeFileSync(join(directory, "in", "bad.gz"), Buffer.concat([gzipSync("a\n").subarray(0, 12)]));
  writeFileSync(join(directory, "in", "good"), "b\n");
  const lenient = spooled({ "bad.rows": "skip", "when.done": "delete" });
  await lenient.take((records) => records.at(-1)?.value === "b");
  await lenient.commit();
  await lenient.stop();
  expect(readdirSync(join(directory, "in"))).toEqual(["bad.gz"]);
  expect(lenient.log.join()).toContain("left in its place");
});

test("Parquet that the sink has written comes back, from any row", async () => {
  const rows = Array.from({ length: 300 }, (_, n) => ({ n, name: `n${n}`, tags: ["x"] }));
  await runSink(
    fileSink,
    { directory, format: "parquet", "path.format": "in", "parquet.row.group.bytes": "2000" },
    sinkRecords(rows),
  );
  const config = { format: "parquet", "batch.size": "7" };
  const first = spooled(config);
  await first.take(200);
  await first.commit(150);
  await first.stop();
  const second = spooled(config, first.offsets);
  await second.take(150);
  await second.stop();
  expect([...first.values().slice(0, 150), ...second.values()]).toEqual(rows);
  writeFileSync(join(directory, "in", "0"), "PAR1 not PAR1");
  await expect(spooled(config).take(1)).rejects.toThrow("is no Parquet");
});

test("a file that was removed is let go of; if it comes back, it goes on", async () => {
  writeFileSync(file, "1\n");
  const run = start();
  await run.take(1);
  const isOpen = () =>
    readdirSync("/proc/self/fd").some((fd) => {
      try {
        return readlinkSync(join("/proc/self/fd", fd)).startsWith(file);
      } catch {
        return false;
      }
    });
  expect(isOpen()).toBe(true);
  renameSync(file, `${file}.away`);
  rmSync(`${file}.away`);
  const taking = run.take(1);
  while (isOpen()) await new Promise((resolve) => setImmediate(resolve));
  writeFileSync(file, "1\n2\n");
  await taking;
  await run.stop();
  expect(run.values()).toEqual(["1", "2"]);
});

test("tasks share whole files, and each is read by one of them; one follows those that grow", async () => {
  mkdirSync(join(directory, "in"));
  const names = Array.from({ length: 40 }, (_, n) => `${n}.txt`);
  for (const name of names) writeFileSync(join(directory, "in", name), `${name}\n`);
  const config = { mode: "spool", file: join(directory, "in", "*"), topic: "t" };
  const configs = await taskConfigs(fileSource, config, 3);
  expect(configs).toHaveLength(3);
  const runs = configs.map((own, task) => {
    return startSource(fileSource, own, { clock: clock(), task });
  });
  const seen = () => runs.flatMap((run) => run.values().map(String));
  const isAll = Promise.withResolvers<void>();
  const reading = runs.map(async (run) => {
    while (await run.next() !== null) if (seen().length >= names.length) isAll.resolve();
  });
  await isAll.promise;
  await Promise.all([...runs.map((run) => run.stop()), ...reading]);
  expect(runs.every(({ records }) => records.length > 0)).toBe(true);
  expect(seen().sort()).toEqual(names.toSorted());
  expect(await taskConfigs(fileSource, { ...config, mode: "tail" }, 3)).toHaveLength(1);
  expect(() => start({ mode: "spool", "task.share": "3/3" })).toThrow("must be TASK/TASKS");
});
