/**
 * How much JSON a sink turns into Parquet: records are parsed from JSON as the converter does, written by
 * `file-sink` or, with --s3, by `s3-sink` to versitygw on this machine. Prints MB of JSON per second of
 * processor time (this process) and of wall time, each step alone and all together.
 *
 *     bun bench/parquet-sink.ts [--records 400000] [--compression zstd] [--s3]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import fileSink from "../connect/connectors/file-sink/file-sink.ts";
import s3Sink from "../connect/connectors/s3-sink/s3-sink.ts";
import { compileTemplate } from "../connect/connectors/datagen/template.ts";
import { ParquetRows } from "../connect/formats/parquet-writer.ts";
import type { ParquetCompression } from "../connect/formats/parquet-writer.ts";
import type { ConnectObject, SinkRecord } from "../connect/index.ts";
import { sinkRecords, startSink } from "../connect/testing/index.ts";
import { needVersitygw, S3Server } from "../tests/connect/servers/versitygw.ts";

const { values: flags } = parseArgs({
  options: {
    records: { type: "string", default: "400000" },
    compression: { type: "string", default: "zstd" },
    s3: { type: "boolean", default: false },
  },
});
const TEMPLATE =
  '{"id":"{{sequence}}","user":"user-{{int 1 10000}}","total":"{{double 1 500 2}}",' +
  '"country":"{{choice DE FR TR US}}","paid":"{{boolean 0.9}}","created":"{{time 1700000000000 137}}",' +
  '"note":"order {{hex 8}} comes with {{word}} and {{word}}"}';
const BATCH = 2000;

const template = compileTemplate(TEMPLATE);
const lines = Array.from(
  { length: Number(flags.records) },
  (_, n) => Buffer.from(JSON.stringify(template(n, 0, 1))),
);
const megabytes = lines.reduce((sum, line) => sum + line.length, 0) / 1e6;
const decoder = new TextDecoder("utf-8", { fatal: true });
// What JSON has is what connectors' values are.
const parse = (line: Uint8Array) => JSON.parse(decoder.decode(line)) as ConnectObject;

async function measured(name: string, work: () => Promise<void> | void): Promise<void> {
  const startMs = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  const cpuSeconds = (user + system) / 1e6;
  const wallSeconds = (performance.now() - startMs) / 1000;
  const rate = (seconds: number) => (megabytes / seconds).toFixed(0).padStart(5);
  console.log(`${name.padEnd(34)} ${rate(cpuSeconds)} MB/s cpu ${rate(wallSeconds)} MB/s wall`);
}

function* batches(): Generator<SinkRecord[]> {
  for (let first = 0; first < lines.length; first += BATCH) {
    yield sinkRecords(lines.slice(first, first + BATCH).map(parse), { first });
  }
}

const directory = mkdtempSync(join(tmpdir(), "kstream-bench-"));
const compression = flags.compression as ParquetCompression;
const format = { format: "parquet", compression, "path.format": "{topic}" };
console.log(`${lines.length} records, ${megabytes.toFixed(0)} MB of JSON, ${compression}`);
try {
  if (flags.s3) {
    const missing = await needVersitygw();
    if (missing !== null) throw new Error(missing);
    const server = await S3Server.start();
    try {
      const config = { ...server.config, ...format, "rotate.schedule.interval.ms": "3600000" };
      await measured("parse, s3-sink", async () => {
        const sink = await startSink(s3Sink, { ...config, "staging.directory": directory });
        for (const batch of batches()) await sink.write(batch);
        await sink.stop();
      });
    } finally {
      await server.stop();
    }
  } else {
    for (let round = 0; round < 3; round++) {
      await measured("parse", () => {
        for (const _batch of batches());
      });
      const rows = lines.map(parse);
      await measured("Parquet in memory", () => {
        const writer = new ParquetRows(compression, 16 * 1024 * 1024);
        for (const value of rows) {
          writer.add({ value, schema: null });
          writer.drain("ready");
        }
        writer.drain("end");
      });
      await measured("parse, file-sink", async () => {
        const sink = await startSink(fileSink, { directory, ...format });
        for (const batch of batches()) await sink.write(batch);
        await sink.stop();
      });
      rmSync(join(directory, ".kstream"), { recursive: true });
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
