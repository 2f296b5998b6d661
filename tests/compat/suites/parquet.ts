/** Parquet files of sinks, read by pyarrow and DuckDB. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ParquetRows } from "../../../connect/formats/parquet-writer.ts";
import type { ConnectValue } from "../../../connect/index.ts";
import { runOk } from "../../harness/process.ts";
import { needParquetReaders, PARQUET_PYTHON } from "../install.ts";
import { type CompatSuite, expectEqual } from "../suite.ts";

const ROWS = 5000;
/** So that there are some forty row groups. */
const GROUP_BYTES = 20_000;
const READER = join(import.meta.dir, "../clients/parquet_rows.py");

/** Columns of all kinds: few values and many, missing ones, nested ones. */
function row(i: number) {
  return {
    id: i,
    large: i * 1_000_000_000_000,
    few: i % 7 === 0 ? null : `user-${i % 50}`,
    many: `ü${i}`,
    score: i % 3 === 0 ? null : i / 7,
    ok: i % 5 === 0 ? null : i % 2 === 0,
    nested: { a: i % 4 === 0 ? null : i, b: [i, i + 1] },
    tags: i % 6 === 0 ? [] : [`t${i % 3}`],
  } satisfies ConnectValue;
}

async function readByOthers(compression: "none" | "snappy" | "gzip" | "zstd"): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kstream-parquet-"));
  try {
    const rows = Array.from({ length: ROWS }, (_, i) => row(i));
    const writer = new ParquetRows(compression, GROUP_BYTES);
    const parts = rows.map((value) => {
      expectEqual(writer.add({ value, schema: null }), true, "the row is taken");
      return writer.drain("ready");
    });
    const file = join(folder, "rows.parquet");
    writeFileSync(file, Buffer.concat([...parts, writer.drain("end")]));
    const { stdout } = await runOk([PARQUET_PYTHON, READER, file]);
    const { pyarrow, duckdb } = JSON.parse(stdout);
    expectEqual(pyarrow, rows, "what pyarrow reads");
    expectEqual(duckdb, rows, "what DuckDB reads");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const parquet: CompatSuite = {
  name: "parquet",
  needs: [needParquetReaders],
  inSample: false,
  cases: (["none", "snappy", "gzip", "zstd"] as const).map((compression) => ({
    name: `${ROWS} rows, ${compression}, are read by pyarrow and DuckDB`,
    run: () => readByOthers(compression),
  })),
};
