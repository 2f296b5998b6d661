/** Records into objects of an S3-compatible store. */
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import {
  checkFormat,
  rollingFields,
  RollingFiles,
  rollingSettings,
  S3Bucket,
  s3Fields,
  stagingFolder,
} from "../../formats/index.ts";
import type { RollingTarget } from "../../formats/index.ts";
import { defineSink, string } from "../../index.ts";

const TYPES = {
  jsonl: "application/x-ndjson",
  csv: "text/csv",
  parquet: "application/vnd.apache.parquet",
  lines: "text/plain",
} as const;

export default defineSink({
  name: "s3-sink",
  version: "1.0.0",
  doc:
    "Writes records to objects of any S3-compatible store: TOPICS.DIR/PATH/TOPIC+PARTITION+OFFSET, " +
    "the offset being that of the first record. Exactly once as long as objects are closed by records " +
    "alone (flush.size, rotate.bytes, rotate.interval.ms): what is written again after a crash is " +
    "written to the same objects. With rotate.schedule.interval.ms it is at least once, and so it is " +
    "where those settings are changed while a crash is not made up for.",
  delivery: "exactly-once",
  example: {
    topics: "orders",
    "s3.bucket.name": "lake",
    "s3.region": "eu-central-1",
    format: "parquet",
    compression: "zstd",
    "path.format": "{topic}/{yyyy}/{MM}/{dd}",
    "flush.size": "100000",
  },
  config: {
    ...s3Fields,
    "topics.dir": string().default("topics").doc("What all keys begin with; it may be empty."),
    ...rollingFields,
    "staging.directory": string().default(tmpdir()).doc(
      "The folder for files of objects that are not full yet.",
    ),
  },
  check: (config) => checkFormat(config),
  async probe(config, signal) {
    const clock = { ...STANDSTILL, sleep: () => new Promise<void>(() => {}) };
    const bucket = new S3Bucket(config, clock, signal);
    for await (const _page of bucket.list(`${config["topics.dir"]}/`)) return;
  },
  async open(context) {
    const { config, clock, signal, connector, task } = context;
    const bucket = new S3Bucket(config, clock, signal);
    const staging = await stagingFolder(config["staging.directory"], connector, task);
    const settings = rollingSettings(config, {
      // What is closed by the clock is not closed by records alone, so nothing is lost by this either.
      closesWhenLeaving: config["rotate.schedule.interval.ms"] !== null,
    });
    const prefix = config["topics.dir"] === "" ? "" : `${config["topics.dir"]}/`;
    const target: RollingTarget = {
      async publish(_of, files) {
        for (const { path, name } of files) {
          await bucket.put(prefix + name, path, TYPES[config.format]);
        }
        // All of them are there: until then they may have to be put again.
        for (const { path } of files) await rm(path, { force: true });
      },
    };
    const files = new RollingFiles(settings, staging, target, context);
    return {
      write: (records) => files.write(records),
      flush: (taken, leaving) => files.flush(taken, leaving),
      revoked: (partitions) => files.drop(partitions),
      close: () => rm(staging, { recursive: true, force: true }),
    };
  },
});

const STANDSTILL = { wallMs: () => 0, monotonicMs: () => 0 };
