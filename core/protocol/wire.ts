/**
 * What compiled codecs call: reading and writing of what is more than one instruction. The source
 * that `compile-decoder.ts` and `compile-encoder.ts` produce sees all exports by their names.
 */
import {
  ENCODE_MESSAGE_BYTES_MAX,
  ENCODE_SCRATCH_BYTES,
  ENCODE_SCRATCH_KEPT_BYTES,
  WIRE_STRING_BYTES_MAX,
} from "../limits.ts";
import type { Chunk } from "../io.ts";
import { ProtocolError } from "./protocol-error.ts";
import { type Field, type Fields, type UnknownTag, ZERO_UUID } from "./schema.ts";

/** Bun's and Node's own string methods of a Buffer, which their types leave out. */
export interface FastBuffer extends Uint8Array<ArrayBuffer> {
  utf8Slice(start: number, end: number): string;
  utf8Write(text: string, offset: number): number;
  base64urlSlice(start: number, end: number): string;
  base64urlWrite(text: string, offset: number, length: number): number;
}

/** A Buffer over the same memory. */
export function fastBuffer(bytes: Uint8Array, offset: number): FastBuffer {
  return Buffer.from(
    bytes.buffer,
    bytes.byteOffset + offset,
    bytes.byteLength - offset,
  ) as unknown as FastBuffer;
}

// ---- Reading. A fixed-size read past the end throws the DataView's RangeError. ----

/** What the decoder that runs has to remember; one runs at a time, as decoding is synchronous. */
export const cursor = {
  /** Where the last multi-byte varint, or the last decoded message, ended. */
  position: 0,
  /** How many more array elements and unknown tags the message may hold. */
  elementsLeft: 0,
};

/** Reads an unsigned varint of two bytes or more at `p`; leaves the end in `cursor`. */
export function readVarint(view: DataView, p: number): number {
  let value = view.getUint8(p) & 0x7f;
  for (let shift = 7; shift < 28; shift += 7) {
    const byte = view.getUint8(++p);
    value |= (byte & 0x7f) << shift;
    if (byte < 128) {
      cursor.position = p + 1;
      return value;
    }
  }
  const last = view.getUint8(++p);
  if (last > 7) return malformed("varint of more than 31 bits");
  cursor.position = p + 1;
  return value | last << 28;
}

/** Reads `length` bytes of UTF-8 at `p`; invalid sequences become U+FFFD, as in Kafka. */
export function readText(buffer: FastBuffer, p: number, length: number): string {
  if (length > buffer.length - p) return malformed(`string of ${length} bytes exceeds the message`);
  if (length > WIRE_STRING_BYTES_MAX) return malformed(`string of ${length} bytes is too long`);
  if (length === 0) return "";
  return buffer.utf8Slice(p, p + length);
}

/** Reads a UUID at `p`. */
export function readUuid(buffer: FastBuffer, p: number): string {
  if (16 > buffer.length - p) return malformed("uuid exceeds the message");
  return buffer.base64urlSlice(p, p + 16);
}

/** A view of `length` bytes at `p`. */
export function readBytes(buffer: FastBuffer, p: number, length: number): Uint8Array {
  if (length > buffer.length - p) {
    return malformed(`byte field of ${length} bytes exceeds the message`);
  }
  return new Uint8Array(buffer.buffer, buffer.byteOffset + p, length);
}

/** Refuses an array that cannot fit into the bytes that are left, and too many elements in all. */
export function checkCount(buffer: FastBuffer, p: number, count: number, minBytes: number): void {
  if (count * minBytes > buffer.length - p) {
    malformed(`array of ${count} elements exceeds the message`);
  }
  cursor.elementsLeft -= count;
  if (cursor.elementsLeft < 0) malformed("more elements than any message may hold");
}

/** Refuses a tagged field that cannot fit into the bytes that are left. */
export function checkTag(buffer: FastBuffer, p: number, sizeBytes: number): void {
  if (sizeBytes > buffer.length - p) malformed(`tag of ${sizeBytes} bytes exceeds the message`);
  if (--cursor.elementsLeft < 0) malformed("more elements than any message may hold");
}

/** Refuses bytes that are no such message. */
export function malformed(message: string): never {
  throw new ProtocolError("malformed", message);
}

// ---- Writing. Everything is written into one scratch room, and copied out at the end. ----

/** Thrown when the scratch room is too small: the message is then encoded again in more room. */
export const GROW = new RangeError("scratch room is too small");

/** Where messages are encoded. One exists, as encoding is synchronous. */
export const scratch = {
  ...room(ENCODE_SCRATCH_BYTES),
  /** Pairs of a position and the bytes that belong there but are passed on by reference. */
  cutPositions: [] as number[],
  cutBytes: [] as Chunk[],
  /** Index of the next unknown tag that is to be written. */
  unknownIndex: 0,
};
/** Room for messages in the three forms that writing wants. */
function room(sizeBytes: number) {
  const bytes = new Uint8Array(sizeBytes);
  return { bytes, buffer: fastBuffer(bytes, 0), view: new DataView(bytes.buffer) };
}

function resize(sizeBytes: number): void {
  Object.assign(scratch, room(sizeBytes));
}

/**
 * Runs `write` (from position 0, returns its end) in the scratch room, with more room as often as
 * it takes, and returns what was written: chunks in a row, of which byte fields of some size are
 * the caller's own.
 */
export function encodeInScratch(what: string, write: () => number): Chunk[] {
  try {
    for (;;) {
      scratch.cutPositions.length = 0;
      scratch.cutBytes.length = 0;
      try {
        return takeChunks(write());
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        const sizeBytes = scratch.buffer.length * 4;
        if (sizeBytes > ENCODE_MESSAGE_BYTES_MAX) invalid(what, "is too large");
        resize(sizeBytes);
      }
    }
  } finally {
    scratch.cutBytes.length = 0;
    if (scratch.buffer.length > ENCODE_SCRATCH_KEPT_BYTES) resize(ENCODE_SCRATCH_BYTES);
  }
}

function takeChunks(end: number): Chunk[] {
  const { bytes, cutPositions, cutBytes } = scratch;
  if (end > bytes.length) throw GROW;
  const chunks: Chunk[] = [];
  let from = 0;
  for (let i = 0; i < cutBytes.length; i++) {
    const to = cutPositions[i]!;
    if (to > from) chunks.push(bytes.slice(from, to));
    chunks.push(cutBytes[i]!);
    from = to;
  }
  if (end > from) chunks.push(bytes.slice(from, end));
  return chunks;
}

/** Bytes that are passed on by reference from the position `p`. */
export function writeByReference(p: number, bytes: Chunk): void {
  scratch.cutPositions.push(p);
  scratch.cutBytes.push(bytes);
}

/** Copies bytes to `p`; returns their end. */
export function writeCopy(p: number, bytes: Uint8Array): number {
  if (p + bytes.length > scratch.buffer.length) throw GROW;
  scratch.buffer.set(bytes, p);
  return p + bytes.length;
}

/** Writes an unsigned varint; returns its end. */
export function writeVarint(p: number, value: number): number {
  const { view } = scratch;
  while (value > 127) {
    view.setUint8(p++, value & 0x7f | 0x80);
    value >>>= 7;
  }
  view.setUint8(p, value);
  return p + 1;
}

function varintBytes(value: number): number {
  let count = 1;
  for (; value > 127; value >>>= 7) count++;
  return count;
}

/** Writes the UTF-8 of `text` at `p`; returns its end. `GROW` unless three bytes a unit fit. */
function writeUtf8(p: number, text: string): number {
  const { buffer } = scratch;
  const { length } = text;
  if (length > WIRE_STRING_BYTES_MAX) invalid("string", `has ${length} characters`);
  if (p + length * 3 > buffer.length) throw GROW;
  if (length <= 24) {
    // A loop beats the native call for short ASCII, which most names are.
    let i = 0;
    for (; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 127) break;
      buffer[p + i] = unit;
    }
    if (i === length) return p + length;
  }
  const count = buffer.utf8Write(text, p);
  if (count > WIRE_STRING_BYTES_MAX) invalid("string", `has ${count} bytes`);
  return p + count;
}

/** Writes a string with an int16 length before it; returns its end. */
export function writeText(p: number, text: string): number {
  const end = writeUtf8(p + 2, text);
  scratch.view.setInt16(p, end - p - 2);
  return end;
}

/** Writes a string with a varint of its length + 1 before it; returns its end. */
export function writeCompactText(p: number, text: string): number {
  // Three bytes a unit at most: if that fits one byte of varint, so does the real length.
  if (text.length * 3 + 1 < 128) {
    const end = writeUtf8(p + 1, text);
    scratch.view.setUint8(p, end - p);
    return end;
  }
  return writeUtf8(writeVarint(p, Buffer.byteLength(text) + 1), text);
}

/** Writes a UUID; returns its end. */
export function writeUuid(p: number, uuid: string): number {
  const { buffer } = scratch;
  if (p + 16 > buffer.length) throw GROW;
  if (uuid.length !== 22 || buffer.base64urlWrite(uuid, p, 16) !== 16) {
    invalid("uuid", `is no base64url of 16 bytes: ${JSON.stringify(uuid)}`);
  }
  return p + 16;
}

/** Puts the size of a tagged field, whose content begins at `start` + 1, to `start`. */
export function closeTag(start: number, end: number): number {
  const { buffer } = scratch;
  const sizeBytes = end - start - 1;
  const shift = varintBytes(sizeBytes) - 1;
  if (end + shift > buffer.length) throw GROW;
  if (shift > 0) buffer.copyWithin(start + 1 + shift, start + 1, end);
  writeVarint(start, sizeBytes);
  return end + shift;
}

/**
 * Writes the unknown tags from `scratch.unknownIndex` on that come before `limit`; returns their
 * end. Tags must ascend, and none may be one that the schema knows.
 */
export function writeUnknownTags(p: number, tags: readonly UnknownTag[], limit: number): number {
  let i = scratch.unknownIndex;
  for (; i < tags.length; i++) {
    const { tag, bytes } = tags[i]!;
    if (tag > limit) break;
    if (tag === limit) invalid("unknown tag", `${tag} is known`);
    if (i > 0 && tags[i - 1]!.tag >= tag) invalid("unknown tags", "do not ascend");
    p = writeVarint(p, tag);
    p = writeVarint(p, bytes.length);
    p = writeCopy(p, bytes);
  }
  scratch.unknownIndex = i;
  return p;
}

/** Refuses a value that does not fit its field. */
export function invalid(field: string, message: string): never {
  throw new ProtocolError("invalid-value", `${field} ${message}`);
}

/** Refuses a value that the version cannot carry. */
export function unsupported(field: string, version: number): never {
  throw new ProtocolError("unsupported-version", `version ${version} cannot carry ${field}`);
}

// ---- Defaults ----

/** The default of a field: what it is decoded to in versions that lack it. */
export function defaultOf(field: Field): unknown {
  if (field.default !== undefined) return field.default;
  switch (field.type) {
    case "bool":
      return false;
    case "int64":
      return 0n;
    case "string":
      return "";
    case "uuid":
      return ZERO_UUID;
    case "bytes":
      return new Uint8Array(0);
    case "records":
      return null;
    case "array":
      return [];
    case "struct":
      return defaultsOf(field.fields ?? {});
    default:
      return 0;
  }
}

function defaultsOf(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, f]) => [name, defaultOf(f)]));
}
