/**
 * Kafka's compression types and what a codec does. The codecs themselves are injected:
 * `core/compression/bun.ts` has the ones of the binary.
 */
import { type ErrorCode, Errors } from "../errors.ts";
import { CorruptRecordError } from "../records/corrupt-record-error.ts";

/** The id of a codec in the attributes of a batch (Kafka's `CompressionType`). */
export const Compression = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;

/** The name of a codec, as in `compression.type`. */
export type CompressionName = keyof typeof Compression;

/** All names, by id. */
export const COMPRESSION_NAMES: readonly CompressionName[] = [
  "none",
  "gzip",
  "snappy",
  "lz4",
  "zstd",
];

/** One compression format, both ways, in memory. */
export interface Codec {
  /** Compresses the bytes as Kafka's Java clients frame them; `level` as in `compression.*.level`. */
  compress(bytes: Uint8Array, level?: number): Uint8Array;
  /**
   * The original of compressed bytes. Throws `CorruptRecordError` on bytes that are none, and with
   * MESSAGE_TOO_LARGE as soon as it is clear that more than `maxBytes` would come out.
   */
  decompress(bytes: Uint8Array, maxBytes: number): Uint8Array;
}

/** The codecs at hand; a format that is missing here cannot be read or written. */
export type Codecs = Partial<Readonly<Record<CompressionName, Codec>>>;

/** The codecs of a program that knows only uncompressed batches. */
export const NO_CODECS: Codecs = {};

/** The name of a codec id, or null if Kafka has no such codec. */
export function compressionName(id: number): CompressionName | null {
  return COMPRESSION_NAMES[id] ?? null;
}

/** The codec of an id that stands in a batch; throws `CorruptRecordError` if there is none. */
export function codecFor(codecs: Codecs, id: number): Codec {
  const name = compressionName(id);
  const codec = name === null ? undefined : codecs[name];
  if (codec !== undefined) return codec;
  throw new CorruptRecordError(
    name === null ? `unknown compression type ${id}` : `compression type ${name} is not available`,
    Errors.UNSUPPORTED_COMPRESSION_TYPE satisfies ErrorCode,
  );
}

/** The error of a decompressor whose output would exceed its bound. */
export function tooLarge(maxBytes: number): CorruptRecordError {
  return new CorruptRecordError(
    `compressed records hold more than the ${maxBytes} bytes allowed`,
    Errors.MESSAGE_TOO_LARGE,
  );
}
