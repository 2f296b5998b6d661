/**
 * Compiles a message's definition into a decoder: one function of straight-line source for all
 * versions, with the tests of the version inline. Reads of fixed size are left to the DataView,
 * which throws a RangeError at the end of the message; every length is compared with the bytes
 * that are left before anything is allocated for it.
 */
import { ProtocolError } from "./protocol-error.ts";
import type { Field, Fields, Message } from "./schema.ts";
import { runSource, Source } from "./source.ts";
import * as wire from "./wire.ts";

/** Decodes a message in `buffer` (from 0) and leaves its end in `wire.cursor`. */
type CompiledDecoder = (buffer: wire.FastBuffer, view: DataView, version: number) => unknown;

/** Reads of types of a fixed size: expression and bytes. `p` is the position. */
const FIXED: Readonly<Partial<Record<Field["type"], readonly [string, number]>>> = {
  bool: ["d.getInt8(p) !== 0", 1],
  int8: ["d.getInt8(p)", 1],
  int16: ["d.getInt16(p)", 2],
  uint16: ["d.getUint16(p)", 2],
  int32: ["d.getInt32(p)", 4],
  uint32: ["d.getUint32(p)", 4],
  int64: ["d.getBigInt64(p)", 8],
  float64: ["d.getFloat64(p)", 8],
  uuid: ["readUuid(b, p)", 16],
};

/** Decodes the message that begins at `offset` and has no more than `elementsMax` elements. */
export type Decoder = (
  bytes: Uint8Array,
  offset: number,
  version: number,
  elementsMax: number,
) => unknown;

/** The decoder of a message. Throws nothing but `ProtocolError`. */
export function compileDecoder(message: Message): Decoder {
  const decode = compile(message);
  return (bytes, offset, version, elementsMax) => {
    wire.cursor.elementsLeft = elementsMax;
    const buffer = wire.fastBuffer(bytes, offset);
    const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    try {
      return decode(buffer, view, version);
    } catch (error) {
      if (error instanceof ProtocolError) {
        throw new ProtocolError(error.reason, `${message.name} v${version}: ${error.message}`);
      }
      if (!(error instanceof RangeError)) throw error;
      throw new ProtocolError("malformed", `${message.name} v${version} ends within a field`);
    }
  };
}

/** The source of a decoder, for those who want to read it. */
export function decoderSource(message: Message): { source: string; constants: unknown[] } {
  const source = new Source(message);
  const result = decodeStruct(source, message.fields);
  const body = source.lines.join("\n");
  return {
    source: `"use strict"; return function (b, d, v) {
let p = 0, n = 0, t = 0, e = 0;
${body}
cursor.position = p;
return ${result};
}`,
    constants: source.constants,
  };
}

function compile(message: Message): CompiledDecoder {
  const { source, constants } = decoderSource(message);
  return runSource(source, wire, constants) as CompiledDecoder;
}

/** Emits the reading of a struct's fields and tags; returns the name of the object. */
function decodeStruct(source: Source, fields: Fields): string {
  const names = new Map<string, string>();
  for (const [key, field] of Object.entries(fields)) {
    const target = source.name("x");
    names.set(key, target);
    const there = field.tag === undefined ? source.test(field.versions) : "never";
    const byDefault = there === "always" ? "" : ` = ${defaultSource(field, source)}`;
    source.emit(`let ${target}${byDefault};`);
    source.branch(there, () => decodeField(source, field, target), none);
  }
  const unknown = source.name("u");
  source.emit(`let ${unknown};`);
  source.branch(source.flexible(), () => decodeTags(source, fields, names, unknown), none);
  const object = source.name("o");
  const members = [...names].map(([key, target]) => `${key}: ${target}`);
  source.emit(`const ${object} = { ${members.join(", ")} };`);
  source.emit(`if (${unknown} !== undefined) ${object}.unknownTags = ${unknown};`);
  return object;
}

function none(): void {}

function decodeTags(
  source: Source,
  fields: Fields,
  names: ReadonlyMap<string, string>,
  unknown: string,
): void {
  const count = source.name("c");
  const end = source.name("e");
  varint(source, "n");
  source.emit(`for (let ${count} = n; ${count} > 0; ${count}--) {`);
  varint(source, "t");
  varint(source, "n");
  source.emit("checkTag(b, p, n);");
  source.emit(`const ${end} = p + n;`);
  source.emit("switch (t) {");
  for (const [key, field] of Object.entries(fields)) {
    if (field.tag === undefined) continue;
    source.emit(`case ${field.tag}: {`);
    source.branch(
      source.test(field.versions),
      () => decodeField(source, field, names.get(key)!),
      () => source.emit("malformed('tag ' + t + ' is not valid in this version');"),
    );
    source.emit(`if (p !== ${end}) malformed('tag ${field.tag} has a wrong size');`);
    source.emit("break; }");
  }
  source.emit(`default: (${unknown} ??= []).push({ tag: t, bytes: readBytes(b, p, n) });`);
  source.emit(`p = ${end};`);
  source.emit("}}");
}

function decodeField(source: Source, field: Field, target: string): void {
  const fixed = FIXED[field.type];
  if (fixed !== undefined) {
    source.emit(`${target} = ${fixed[0]}; p += ${fixed[1]};`);
  } else if (field.type === "struct") {
    decodeStructField(source, field, target);
  } else {
    decodeLength(source, field);
    source.emit("if (n < 0) {");
    decodeNull(source, field, target);
    source.emit("} else {");
    if (field.type === "array") decodeArray(source, field, target);
    else {
      const read = field.type === "string" ? "readText" : "readBytes";
      source.emit(`${target} = ${read}(b, p, n); p += n;`);
    }
    source.emit("}");
  }
}

/** Emits the reading of a length or count into `n`; null is −1. */
function decodeLength(source: Source, field: Field): void {
  const [plain, bytes] = field.type === "string" ? FIXED.int16! : FIXED.int32!;
  source.branch(
    source.flexible(field),
    () => {
      varint(source, "n");
      source.emit("n -= 1;");
    },
    () => source.emit(`n = ${plain}; p += ${bytes};`),
  );
}

function decodeNull(source: Source, field: Field, target: string): void {
  source.branch(
    source.test(field.nullable ?? "none"),
    () => source.emit(`${target} = null;`),
    () => source.emit("malformed('null where no null may be');"),
  );
}

function decodeStructField(source: Source, field: Field, target: string): void {
  const read = () => {
    source.emit("{");
    source.emit(`${target} = ${decodeStruct(source, field.fields ?? {})};`);
    source.emit("}");
  };
  source.branch(source.test(field.nullable ?? "none"), () => {
    // Kafka's mark of null is a varint 0 in a tagged field, and an int8 −1 elsewhere.
    if (field.tag === undefined) source.emit("n = d.getInt8(p); p += 1;");
    else {
      varint(source, "n");
      source.emit("n -= 1;");
    }
    source.emit(`if (n < 0) ${target} = null; else {`);
    read();
    source.emit("}");
  }, read);
}

function decodeArray(source: Source, field: Field, target: string): void {
  const items = field.items!;
  const index = source.name("i");
  const list = source.name("a");
  source.emit(`checkCount(b, p, n, ${source.minBytes(items)});`);
  source.emit(`const ${list} = [];`);
  source.emit(`for (let ${index} = n; ${index} > 0; ${index}--) {`);
  if (typeof items === "string") {
    const item = source.name("x");
    source.emit(`let ${item};`);
    decodeField(source, { type: items, versions: "0+" }, item);
    source.emit(`${list}.push(${item});`);
  } else {
    source.emit(`${list}.push(${decodeStruct(source, items)});`);
  }
  source.emit("}");
  source.emit(`${target} = ${list};`);
}

/** Emits the reading of an unsigned varint; one byte, as most are, is read in place. */
function varint(source: Source, target: string): void {
  source.emit(`${target} = d.getUint8(p); p += 1;`);
  source.emit(`if (${target} > 127) {`);
  source.emit(`${target} = readVarint(d, p - 1); p = cursor.position; }`);
}

/** The source of a field's default; arrays and structs are new ones each time. */
export function defaultSource(field: Field, source: Source): string {
  const value = wire.defaultOf(field);
  if (value === null) return "null";
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return source.constant(value);
  if (Array.isArray(value)) return "[]";
  if (field.type !== "struct") return JSON.stringify(value);
  const members = Object.entries(field.fields ?? {})
    .map(([key, inner]) => `${key}: ${defaultSource(inner, source)}`);
  return `{ ${members.join(", ")} }`;
}
