/** Records into objects of an S3-compatible store. */
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import {
  checkFormat,
  intentText,
  isTooLong,
  parseIntent,
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
  txt: "text/plain",
} as const;

export default defineSink({
  name: "s3-sink",
  version: "1.0.0",
  doc:
    "Writes records to objects of any S3-compatible store: TOPICS.DIR/PATH/TOPIC+PARTITION+OFFSET, " +
    "the offset being that of the first record. Exactly once: what is written again after a crash is " +
    "written to the same objects, as what is begun is committed before with the offsets of the group, " +
    "also where settings are changed meanwhile. Where transforms or converters are changed, or the " +
    "bucket, before a crash is made up for, records may be in two objects.",
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
  check(config) {
    const problems = checkFormat(config);
    if (!isTooLong(config, prefixOf(config))) return problems;
    const message = '"path.format" is too long: what names are made of has to go into 4000 bytes';
    return [...problems, { field: "path.format", message }];
  },
  async probe(config, signal) {
    const clock = { ...STANDSTILL, sleep: () => new Promise<void>(() => {}) };
    const bucket = new S3Bucket(config, clock, signal);
    for await (const _page of bucket.list(`${config["topics.dir"]}/`)) return;
  },
  async open(context) {
    const { config, clock, signal, connector, task } = context;
    const bucket = new S3Bucket(config, clock, signal);
    const staging = await stagingFolder(config["staging.directory"], connector, task);
    const prefix = prefixOf(config);
    const settings = rollingSettings(config, {
      prefix,
      // What is closed by the clock is not closed by records alone, so nothing is lost by this either.
      closesWhenLeaving: config["rotate.schedule.interval.ms"] !== null,
    });
    const target: RollingTarget = {
      intent: (next) => intentText(config, prefix, next),
      async publish(_of, files) {
        for (const { path, name } of files) await bucket.put(name, path, typeOf(name));
        // All of them are there: until then they may have to be put again.
        for (const { path } of files) await rm(path, { force: true });
      },
    };
    const files = new RollingFiles(settings, staging, target, context);
    return {
      assigned(partitions) {
        for (const { topic, partition, metadata } of partitions) {
          const begun = metadata === undefined ? null : parseIntent(metadata, config);
          if (begun !== null) files.resume({ topic, partition }, begun);
        }
        return Promise.resolve();
      },
      write: (records) => files.write(records),
      flush: (taken, leaving) => files.flush(taken, leaving),
      revoked: (partitions) => files.drop(partitions),
      close: () => rm(staging, { recursive: true, force: true }),
    };
  },
});

function prefixOf({ "topics.dir": dir }: { readonly "topics.dir": string }): string {
  return dir === "" ? "" : `${dir}/`;
}

/** Of an object as its name says: it may have been begun in another format. */
function typeOf(name: string): string {
  const [, format] = Object.entries(TYPES).find(([extension]) => {
    return name.includes(`.${extension}`, name.lastIndexOf("/"));
  }) ?? [];
  return format ?? "application/octet-stream";
}

const STANDSTILL = { wallMs: () => 0, monotonicMs: () => 0 };
