/**
 * Parquet, a row group at a time: rows wait until there are enough of them, so memory is bounded by
 * the size of a row group. The schema is that of the first group's rows; a row that does not go with
 * it needs another file.
 */
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { CompressionCodec } from "hyparquet";
import { gzipSync } from "node:zlib";
import { isObject } from "../index.ts";
import type { ConnectObject, ConnectValue, Schema } from "../index.ts";
import { FormatError } from "./format-error.ts";
import { converterOf, holds, schemaElements, typeOfSchema, typeOfValue } from "./parquet-types.ts";
import { widen } from "./parquet-types.ts";
import type { ColumnType, StructType } from "./parquet-types.ts";
import type { Drain, FormatWriter, Row } from "./writer.ts";

/** How pages are compressed. */
export type ParquetCompression = "none" | "snappy" | "gzip" | "zstd";

const CODECS: Readonly<Record<ParquetCompression, CompressionCodec>> = {
  none: "UNCOMPRESSED",
  snappy: "SNAPPY",
  gzip: "GZIP",
  zstd: "ZSTD",
};

const NO_FIELDS: StructType = { kind: "struct", fields: new Map() };

/** Bytes that can be taken out while more are written. */
class Bytes extends ByteWriter {
  take(): Uint8Array {
    const bytes = this.getBytes().slice();
    this.index = 0;
    return bytes;
  }
}

export class ParquetRows implements FormatWriter {
  sizeBytes = 0;
  heldBytes = 0;
  #rows: ConnectObject[] = [];
  #type: StructType = NO_FIELDS;
  /** Set once the schema is written. */
  #writer: ParquetWriter | null = null;
  #lastSchema: Schema | null = null;
  readonly #bytes = new Bytes(1024 * 1024);

  constructor(readonly compression: ParquetCompression, readonly rowGroupBytes: number) {}

  add({ value, schema }: Row): void {
    if (value === null || !isObject(value)) {
      throw new FormatError("a row of Parquet is an object, this is none");
    }
    this.#admit(value, schema);
    this.#rows.push(value);
    const size = sizeOf(value);
    this.sizeBytes += size;
    this.heldBytes += size;
  }

  fits({ value, schema }: Row): boolean {
    if (this.#writer === null || value === null || !isObject(value)) return true;
    return (schema !== null && schema === this.#lastSchema) || holds(this.#type, value);
  }

  /** Grows the type as the row wants it. */
  #admit(value: ConnectObject, schema: Schema | null): void {
    if (schema !== null && schema !== this.#lastSchema) {
      this.#lastSchema = schema;
      this.#widen(typeOfSchema(schema));
    }
    if (holds(this.#type, value)) return;
    if (this.#writer !== null) throw new FormatError("a row that does not fit in this file");
    this.#widen(typeOfValue(value));
    // A value that its own schema does not describe, as a decimal with too many digits.
    if (!holds(this.#type, value)) throw new FormatError("a value that Parquet cannot hold");
  }

  #widen(type: ColumnType): void {
    const wider = widen(this.#type, type);
    if (wider.kind === "struct" && this.#writer === null) this.#type = wider;
  }

  drain(what: Drain): Uint8Array {
    const isDue = what !== "ready" || this.heldBytes >= this.rowGroupBytes;
    if (isDue && this.#rows.length > 0) this.#writeGroup();
    if (what === "end") void this.#writer?.finish();
    return this.#bytes.take();
  }

  #writeGroup(): void {
    const rows = this.#rows;
    this.#writer ??= new ParquetWriter({
      writer: this.#bytes,
      schema: schemaElements(this.#type),
      codec: CODECS[this.compression],
      compressors: { GZIP: (bytes) => gzipSync(bytes), ZSTD: zstd },
      createdBy: "kstream",
    });
    const columnData = [...this.#type.fields].map(([name, type]) => ({
      name,
      data: columnOf(rows, name, type),
    }));
    // All rows are there, so nothing is awaited.
    void this.#writer.write({ columnData, rowGroupSize: rows.length });
    this.#rows = [];
    this.heldBytes = 0;
  }
}

function columnOf(rows: readonly ConnectObject[], name: string, type: ColumnType): unknown[] {
  const convert = converterOf(type);
  const read = name in Object.prototype
    ? (row: ConnectObject) => Object.hasOwn(row, name) ? row[name] : null
    : (row: ConnectObject) => row[name];
  return convert === null ? rows.map(read) : rows.map((row) => convert(read(row)));
}

function zstd(bytes: Uint8Array): Uint8Array {
  return Bun.zstdCompressSync(Uint8Array.from(bytes));
}

/** About what it takes as JSON. */
function sizeOf(value: ConnectValue | undefined): number {
  if (value === null || value === undefined) return 4;
  switch (typeof value) {
    case "string":
      return value.length + 2;
    case "number":
    case "bigint":
      return 8;
    case "boolean":
      return 4;
  }
  if (value instanceof Uint8Array) return value.length;
  if (Array.isArray(value)) {
    return value.reduce((sum: number, item: ConnectValue) => sum + sizeOf(item) + 1, 2);
  }
  if (!isObject(value)) return 16;
  let size = 2;
  for (const name of Object.keys(value)) size += name.length + 4 + sizeOf(value[name]);
  return size;
}
