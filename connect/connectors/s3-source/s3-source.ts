/** Records out of objects of an S3-compatible store. */
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  isOfShare,
  S3Bucket,
  s3Fields,
  sharedConfigs,
  shareFields,
  spoolRecords,
  stagingFolder,
} from "../../formats/index.ts";
import type { Spool } from "../../formats/index.ts";
import { boolean, choice, defineSource, int, list, long, string } from "../../index.ts";

const MIB = 1024 * 1024;

export default defineSource({
  name: "s3-source",
  version: "1.0.0",
  doc:
    "Reads objects of any S3-compatible store, also gzip and zstd, each once, in the order of their " +
    "keys, and those that come later. Objects are not to be changed: another one under the same key is " +
    "read as a whole. What is read behind an offset is the same each time, so with " +
    "exactly.once.support each record is there once. Tasks share the objects; each lists all of them.",
  delivery: "exactly-once",
  example: {
    "s3.bucket.name": "lake",
    prefix: "incoming/",
    topic: "orders",
    format: "jsonl",
  },
  config: {
    ...s3Fields,
    topic: string().importance("HIGH").doc("The topic that records are written to."),
    prefix: string().default("").importance("HIGH").doc("What keys of objects to read begin with."),
    exclude: list().default([]).doc("Patterns of keys that are left alone."),
    format: choice("jsonl", "lines", "csv", "parquet").default("jsonl").doc(
      "What a record is: a line of JSON, a line as text, a row of CSV as an object, a row of Parquet.",
    ),
    encoding: string().default("utf-8").doc("How text is encoded, or bytes: lines as they are."),
    "csv.header": boolean().default(true).doc("Whether CSV begins with the names of its columns."),
    "csv.columns": list().default([]).doc("Names of the columns of CSV without a header."),
    "csv.separator": string().default(",").doc("The character between the columns of CSV."),
    "bad.rows": choice("fail", "skip").default("fail").doc(
      "What becomes of a line that is no record: the task fails, or the line is left out and logged.",
    ),
    "line.bytes.max": int({ min: 64, max: 256 * MIB }).default(16 * MIB).doc(
      "A longer line is no record.",
    ),
    "batch.size": int({ min: 1 }).default(2000).doc("How many records are given on at a time."),
    "poll.interval.ms": long({ min: 10 }).default(60_000).doc("How often it is looked for more."),
    "when.done": choice("keep", "delete").default("keep").doc(
      "What becomes of an object when all of its records are safe in the topic.",
    ),
    "staging.directory": string().default(tmpdir()).doc(
      "The folder that objects are fetched into.",
    ),
    ...shareFields,
  },
  tasks: (_config, raw, max) => sharedConfigs(raw, max),
  async *read(context) {
    const { config, clock, signal, connector, task } = context;
    const bucket = new S3Bucket(config, clock, signal);
    const staging = await stagingFolder(config["staging.directory"], connector, task);
    const spool = bucketSpool(bucket, config, staging);
    const settings = {
      topic: config.topic,
      batchSize: config["batch.size"],
      skipsBadRows: config["bad.rows"] === "skip",
      format: config.format,
      encoding: config.encoding,
      separator: config["csv.separator"],
      hasHeader: config["csv.header"],
      columns: config["csv.columns"],
      lineBytesMax: config["line.bytes.max"],
    };
    try {
      yield* spoolRecords(spool, settings, config["poll.interval.ms"], context);
    } catch (error) {
      // Calls that were under way when the task was to end.
      if (!signal.aborted) throw error;
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  },
});

function bucketSpool(
  bucket: S3Bucket,
  config: {
    readonly prefix: string;
    readonly exclude: readonly string[];
    readonly "s3.bucket.name": string;
    readonly "when.done": "keep" | "delete";
    readonly "task.share": string;
  },
  staging: string,
): Spool {
  const excluded = config.exclude.map((pattern) => new Bun.Glob(pattern));
  const name = config["s3.bucket.name"];
  const isMine = isOfShare(config["task.share"]);
  const isRead = (key: string) =>
    isMine(key) && !key.endsWith("/") && !excluded.some((glob) => glob.match(key));
  return {
    async *list() {
      for await (const page of bucket.list(config.prefix)) {
        yield page.filter(({ key }) => isRead(key)).map(({ key, size, modifiedMs }) => ({
          name: key,
          version: { size, modifiedMs },
        }));
      }
    },
    async fetch(key) {
      const path = join(staging, "object");
      return await bucket.get(key, path)
        ? { path, release: () => rm(path, { force: true }) }
        : null;
    },
    async finish(key) {
      if (config["when.done"] === "delete") await bucket.delete(key);
    },
    partitionOf: (key) => ({ bucket: name, key }),
    nameOf: ({ bucket, key }) => bucket === name && typeof key === "string" ? key : null,
  };
}
