/**
 * Brings a batch to the codec that its topic asks for (`compression.type`). In format v2 a codec
 * covers all records as one run of bytes, so they are unpacked and packed as they are; only the
 * codec's bits, the length and the CRC of the header change (Kafka's `LogValidator`).
 */
import { codecFor, type Codecs, Compression, type CompressionName } from "../compression/codec.ts";
import { Errors } from "../errors.ts";
import {
  attributes,
  BATCH_HEADER_BYTES,
  BatchAttributes,
  BatchField,
  compressionId,
  LOG_OVERHEAD_BYTES,
  updateCrc,
  writeInt16,
  writeInt32,
} from "./batch-header.ts";
import { MAX_DECOMPRESSED_BYTES } from "./record-cursor.ts";
import { type BatchRefusal, refusalOf, validateRecords } from "./validate.ts";

/** What a topic stores. `producer` is what the producer sent, whatever that is. */
export interface TargetCompression {
  readonly type: CompressionName | "producer";
  /** As in `compression.TYPE.level`; undefined for codecs without levels. */
  readonly level: number | undefined;
}

/** The batch to be stored instead, or why it cannot be made. */
export type Recompressed = { readonly ok: true; readonly bytes: Uint8Array } | BatchRefusal;

/**
 * The one batch in `bytes`, in the codec of `target`; the very same bytes where it is so already (a
 * level alone changes nothing). `bytes` are not touched. Never throws on bad input: records that do
 * not unpack or do not parse are refused as by `validateRecords`.
 */
export function recompress(
  bytes: Uint8Array,
  target: TargetCompression,
  codecs: Codecs,
): Recompressed {
  const source = compressionId(bytes, 0);
  if (target.type === "producer" || Compression[target.type] === source) return { ok: true, bytes };
  const refused = validateRecords(bytes, 0, codecs);
  if (refused !== null) return refused;
  try {
    const packed = bytes.subarray(BATCH_HEADER_BYTES);
    const plain = source === Compression.none
      ? packed
      : codecFor(codecs, source).decompress(packed, MAX_DECOMPRESSED_BYTES);
    const codec = Compression[target.type];
    const records = codec === Compression.none
      ? plain
      : codecFor(codecs, codec).compress(plain, target.level);
    return { ok: true, bytes: withRecords(bytes, codec, records) };
  } catch (error) {
    return refusalOf(error, Errors.INVALID_RECORD);
  }
}

function withRecords(bytes: Uint8Array, codec: number, records: Uint8Array): Uint8Array {
  const batch = new Uint8Array(BATCH_HEADER_BYTES + records.length);
  batch.set(bytes.subarray(0, BATCH_HEADER_BYTES));
  batch.set(records, BATCH_HEADER_BYTES);
  const flags = attributes(bytes, 0) & ~BatchAttributes.compressionMask;
  writeInt16(batch, BatchField.attributes, flags | codec);
  writeInt32(batch, BatchField.batchLength, batch.length - LOG_OVERHEAD_BYTES);
  updateCrc(batch, 0);
  return batch;
}
