/** Rows of Parquet, a row group at a time. */
import { parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { ConnectValue } from "../index.ts";
import { FormatError } from "./format-error.ts";

/** Rows from number `from` on, in batches of at most `batchSize`. Throws `FormatError`. */
export async function* parquetRows(
  file: AsyncBuffer,
  from: number,
  batchSize: number,
): AsyncGenerator<readonly ConnectValue[]> {
  const metadata = await orFault(parquetMetadataAsync(file));
  let groupStart = 0;
  for (const { num_rows } of metadata.row_groups) {
    const groupEnd = groupStart + Number(num_rows);
    for (let start = Math.max(groupStart, from); start < groupEnd;) {
      const end = Math.min(groupEnd, start + batchSize);
      yield await readRows(file, metadata, start, end);
      start = end;
    }
    groupStart = groupEnd;
  }
}

async function readRows(
  file: AsyncBuffer,
  metadata: FileMetaData,
  rowStart: number,
  rowEnd: number,
): Promise<ConnectValue[]> {
  const compressors = {
    GZIP: (bytes: Uint8Array) => gunzipSync(bytes),
    ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes),
  };
  const rows = await orFault(parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors }));
  return rows.map(connectValue);
}

async function orFault<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new FormatError(`is no Parquet: ${error instanceof Error ? error.message : error}`);
  }
}

/** What the library gives, with whole numbers as numbers where they are exact. */
function connectValue(value: unknown): ConnectValue {
  switch (typeof value) {
    case "bigint": {
      const number = Number(value);
      return Number.isSafeInteger(number) ? number : value;
    }
    case "string":
    case "number":
    case "boolean":
      return value;
    case "object":
      break;
    default:
      return null;
  }
  if (value === null || value instanceof Date || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(connectValue);
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, connectValue(of)]));
}
