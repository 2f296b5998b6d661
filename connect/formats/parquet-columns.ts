/**
 * Columns of Parquet without nesting, from lists of values to pages (format 2.x: data pages v2, plain
 * or by dictionary). The library does the same for columns of any kind, several times slower: there
 * each value is boxed, compared and looked up more than once.
 */
import type { ColumnChunk, CompressionCodec, Encoding, ParquetType } from "hyparquet";
import { ByteWriter } from "hyparquet-writer";
import { writePageHeader } from "hyparquet-writer/src/datapage.js";
import { writeRleBitPackedHybrid } from "hyparquet-writer/src/encoding.js";
import { dictionaryOf } from "./parquet-dictionary.ts";
import { PAGE_BYTES, PlainBoolean, PlainDouble, PlainInt64, PlainText } from "./parquet-plain.ts";
import type { Bounds, PlainEncoder } from "./parquet-plain.ts";
import type { ColumnType } from "./parquet-types.ts";

/** Packs the bytes of a page; null: they stay as they are. */
export type Compress = ((bytes: Uint8Array) => Uint8Array) | null;

/** Values of a column: those that its type holds, null or undefined. */
export type ColumnValues = readonly unknown[];

/** Indexes into a dictionary are a byte or two each. */
const ROWS_PER_INDEX_PAGE = 512 * 1024;

interface Physical {
  readonly type: ParquetType;
  readonly encoder: () => PlainEncoder;
}

const PHYSICAL: Partial<Record<ColumnType["kind"], Physical>> = {
  boolean: { type: "BOOLEAN", encoder: () => new PlainBoolean() },
  int64: { type: "INT64", encoder: () => new PlainInt64() },
  double: { type: "DOUBLE", encoder: () => new PlainDouble() },
  string: { type: "BYTE_ARRAY", encoder: () => new PlainText() },
};

/** Whether columns of the type can be written here. */
export function isFlat({ kind }: ColumnType): boolean {
  return PHYSICAL[kind] !== undefined;
}

/** Appends a column of a row group; what the file's metadata have to say of it. */
export function writeFlatColumn(
  writer: ByteWriter,
  name: string,
  { kind }: ColumnType,
  values: ColumnValues,
  codec: CompressionCodec,
  compress: Compress,
): ColumnChunk {
  const physical = PHYSICAL[kind]!;
  const pages = new Pages(writer, compress);
  const fileOffset = BigInt(writer.offset);
  const encoder = physical.encoder();
  const dictionary = kind === "boolean" ? null : dictionaryOf(values);
  let bounds: Bounds;
  let dictionaryOffset: bigint | undefined;
  let dataOffset = fileOffset;
  if (dictionary === null) {
    for (let start = 0; start < values.length;) start = pages.plain(encoder, values, start);
    bounds = encoder.bounds(values);
  } else {
    dictionaryOffset = fileOffset;
    pages.dictionary(encoder, dictionary.entries);
    bounds = encoder.bounds(dictionary.entries);
    dataOffset = BigInt(writer.offset);
    const bitWidth = 32 - Math.clz32(dictionary.entries.length - 1);
    for (let start = 0; start < values.length; start += ROWS_PER_INDEX_PAGE) {
      pages.indexes(dictionary.indexes.subarray(start, start + ROWS_PER_INDEX_PAGE), bitWidth);
    }
  }
  const encoding: Encoding = dictionary === null ? "PLAIN" : "RLE_DICTIONARY";
  return {
    file_offset: fileOffset,
    meta_data: {
      type: physical.type,
      encodings: dictionary === null ? ["PLAIN"] : ["PLAIN", "RLE_DICTIONARY"],
      path_in_schema: [name],
      codec,
      num_values: BigInt(values.length),
      total_compressed_size: BigInt(writer.offset) - fileOffset,
      total_uncompressed_size: BigInt(pages.uncompressedBytes),
      data_page_offset: dataOffset,
      ...(dictionaryOffset === undefined ? {} : { dictionary_page_offset: dictionaryOffset }),
      statistics: { ...bounds, null_count: BigInt(pages.nulls) },
      encoding_stats: [
        ...(dictionary === null ? [] : [
          { page_type: "DICTIONARY_PAGE", encoding: "PLAIN", count: 1 } as const,
        ]),
        { page_type: "DATA_PAGE_V2", encoding, count: pages.count },
      ],
    },
  };
}

/** The pages of one column. */
class Pages {
  nulls = 0;
  count = 0;
  uncompressedBytes = 0;

  constructor(readonly writer: ByteWriter, readonly compress: Compress) {}

  /** A page of the values from `start` on; returns where the next one begins. */
  plain(encoder: PlainEncoder, values: ColumnValues, start: number): number {
    const end = encoder.encode(values, start, PAGE_BYTES);
    const bytes = encoder.take();
    const rows = end - start;
    this.#data(encoder.present, rows, bytes, "PLAIN", (i) => {
      const value = values[start + i];
      return value !== null && value !== undefined;
    });
    return end;
  }

  /** A page of indexes into the dictionary; −1 is null. */
  indexes(indexes: Int32Array, bitWidth: number): void {
    const present = indexes.filter((index) => index >= 0);
    const page = new ByteWriter(present.length + 1024);
    page.appendUint8(bitWidth);
    if (present.length > 0) {
      // TypeScript of the library knows no list of this type, though it only reads it.
      writeRleBitPackedHybrid(page, present, bitWidth);
    }
    const isThere = (i: number) => indexes[i]! >= 0;
    this.#data(present.length, indexes.length, page.getBytes(), "RLE_DICTIONARY", isThere);
  }

  dictionary(encoder: PlainEncoder, entries: ColumnValues): void {
    encoder.encode(entries, 0, Infinity);
    const bytes = encoder.take();
    const packed = this.compress?.(bytes) ?? bytes;
    const before = this.writer.offset;
    writePageHeader(this.writer, {
      type: "DICTIONARY_PAGE",
      uncompressed_page_size: bytes.length,
      compressed_page_size: packed.length,
      dictionary_page_header: { num_values: entries.length, encoding: "PLAIN" },
    });
    this.uncompressedBytes += this.writer.offset - before + bytes.length;
    this.writer.appendBytes(packed);
  }

  #data(
    present: number,
    rows: number,
    bytes: Uint8Array,
    encoding: Encoding,
    isThere: (row: number) => boolean,
  ): void {
    const levels = definitionLevels(present, rows, isThere);
    const packed = this.compress?.(bytes) ?? bytes;
    const before = this.writer.offset;
    writePageHeader(this.writer, {
      type: "DATA_PAGE_V2",
      uncompressed_page_size: levels.length + bytes.length,
      compressed_page_size: levels.length + packed.length,
      data_page_header_v2: {
        num_values: rows,
        num_nulls: rows - present,
        num_rows: rows,
        encoding,
        definition_levels_byte_length: levels.length,
        repetition_levels_byte_length: 0,
        is_compressed: true,
      },
    });
    this.uncompressedBytes += this.writer.offset - before + levels.length + bytes.length;
    this.writer.appendBytes(levels);
    this.writer.appendBytes(packed);
    this.nulls += rows - present;
    this.count++;
  }
}

/** A bit for each row: whether it has a value. */
function definitionLevels(
  present: number,
  rows: number,
  isThere: (row: number) => boolean,
): Uint8Array {
  const levels = new ByteWriter();
  if (present === rows || present === 0) {
    levels.appendVarInt(rows << 1);
    levels.appendUint8(present === 0 ? 0 : 1);
  } else {
    const bits = Uint8Array.from({ length: rows }, (_, i) => isThere(i) ? 1 : 0);
    writeRleBitPackedHybrid(levels, bits, 1);
  }
  return levels.getBytes();
}
