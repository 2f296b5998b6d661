/**
 * Parquet, a row group at a time: rows wait until there are enough of them, so memory is bounded by
 * the size of a row group. The schema is that of the first group's rows; a row that does not go with
 * it needs another file.
 */
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { ColumnChunk, CompressionCodec } from "hyparquet";
import { snappyCompress } from "hyparquet-writer/src/snappy.js";
import { gzipSync } from "node:zlib";
import { isObject } from "../index.ts";
import type { ConnectObject, ConnectValue, Schema } from "../index.ts";
import { FormatError } from "./format-error.ts";
import { isFlat, writeFlatColumn } from "./parquet-columns.ts";
import type { Compress } from "./parquet-columns.ts";
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

const gzip = (bytes: Uint8Array) => gzipSync(bytes);
const zstd = (bytes: Uint8Array) => Bun.zstdCompressSync(bytes as Uint8Array<ArrayBuffer>);

const COMPRESS: Readonly<Record<ParquetCompression, Compress>> = {
  none: null,
  snappy: snappyCompress,
  gzip,
  zstd,
};

const NO_FIELDS: StructType = { kind: "struct", fields: new Map() };
const NOTHING = new Uint8Array(0);

/** Bytes that can be taken out while more are written. */
class Bytes extends ByteWriter {
  take(): Uint8Array {
    const bytes = this.getBytes().slice();
    this.index = 0;
    return bytes;
  }
}

/** The values of a field that came since the last row group, one for each row. */
interface Column {
  readonly name: string;
  readonly index: number;
  readonly type: ColumnType;
  values: (ConnectValue | undefined)[];
}

export class ParquetRows implements FormatWriter {
  sizeBytes = 0;
  heldBytes = 0;
  #rows = 0;
  #type: StructType = NO_FIELDS;
  #columns: readonly Column[] = [];
  #byName: ReadonlyMap<string, Column> = new Map();
  /** Set once the schema is written. */
  #writer: ParquetWriter | null = null;
  #lastSchema: Schema | null = null;
  readonly #bytes = new Bytes(1024 * 1024);

  constructor(readonly compression: ParquetCompression, readonly rowGroupBytes: number) {}

  add({ value, schema }: Row): boolean {
    if (value === null || !isObject(value)) {
      throw new FormatError("a row of Parquet is an object, this is none");
    }
    if (schema !== null && schema !== this.#lastSchema) {
      this.#lastSchema = schema;
      this.#widen(typeOfSchema(schema));
    }
    let size = this.#take(value);
    if (size < 0) {
      if (this.#writer !== null) return false;
      this.#widen(typeOfValue(value));
      size = this.#take(value);
      // A value that its own schema does not describe, as a decimal with too many digits.
      if (size < 0) throw new FormatError("a value that Parquet cannot hold");
    }
    this.#rows++;
    this.sizeBytes += size;
    this.heldBytes += size;
    return true;
  }

  /** Puts a row's values into the columns; about its size as JSON, or −1 if a column cannot hold one. */
  #take(value: ConnectObject): number {
    const columns = this.#columns;
    let size = 2;
    let expected = 0;
    let taken = 0;
    for (const name in value) {
      // Most rows have their fields in the order of the columns.
      let column: Column | undefined = columns[expected];
      if (column?.name !== name) column = this.#byName.get(name);
      const item = value[name];
      if (column === undefined || !holds(column.type, item)) return this.#untake();
      column.values.push(item);
      expected = column.index + 1;
      taken++;
      size += name.length + 4 + sizeOf(item);
    }
    if (taken < columns.length) {
      for (const { values } of columns) if (values.length === this.#rows) values.push(null);
    }
    return size;
  }

  #untake(): -1 {
    for (const { values } of this.#columns) values.length = this.#rows;
    return -1;
  }

  #widen(type: ColumnType): void {
    const wider = widen(this.#type, type);
    if (wider.kind !== "struct" || this.#writer !== null) return;
    this.#type = wider;
    this.#columns = [...wider.fields].map(([name, type], index) => {
      const values = this.#byName.get(name)?.values;
      return { name, index, type, values: values ?? new Array<null>(this.#rows).fill(null) };
    });
    this.#byName = new Map(this.#columns.map((column) => [column.name, column]));
  }

  drain(what: Drain): Uint8Array {
    if (what === "ready" && this.heldBytes < this.rowGroupBytes) return NOTHING;
    if (this.#rows > 0) this.#writeGroup();
    if (what === "end") void this.#writer?.finish();
    return this.#bytes.take();
  }

  #writeGroup(): void {
    const writer = this.#writer ??= new ParquetWriter({
      writer: this.#bytes,
      schema: schemaElements(this.#type),
      codec: CODECS[this.compression],
      compressors: { GZIP: gzip, ZSTD: zstd },
      createdBy: "kstream",
    });
    const start = this.#bytes.offset;
    const columns = this.#columns.flatMap((column) => this.#writeColumn(writer, column));
    writer.num_rows += BigInt(this.#rows);
    writer.row_groups.push({
      columns,
      total_byte_size: columns.reduce(
        (sum, { meta_data }) => sum + (meta_data?.total_uncompressed_size ?? 0n),
        0n,
      ),
      num_rows: BigInt(this.#rows),
      total_compressed_size: BigInt(this.#bytes.offset - start),
    });
    for (const column of this.#columns) column.values = [];
    this.#rows = 0;
    this.heldBytes = 0;
  }

  /** The chunks of a column: one, or one for each leaf of what is nested. */
  #writeColumn(writer: ParquetWriter, { name, type, values }: Column): ColumnChunk[] {
    if (isFlat(type)) {
      const [codec, compress] = [CODECS[this.compression], COMPRESS[this.compression]];
      return [writeFlatColumn(this.#bytes, name, type, values, codec, compress)];
    }
    const convert = converterOf(type);
    const data = convert === null ? values : values.map(convert);
    // All rows are there, so nothing is awaited. The library makes a row group of the column.
    void writer.write({ columnData: [{ name, data }], rowGroupSize: data.length });
    writer.num_rows -= BigInt(data.length);
    return writer.row_groups.pop()?.columns ?? [];
  }
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
