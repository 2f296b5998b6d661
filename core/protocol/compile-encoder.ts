/**
 * Compiles a message's definition into an encoder: one function of straight-line source for all
 * versions. It writes into the scratch room of `wire.ts`; a write past its end throws a RangeError,
 * whereupon the message is encoded again in more room.
 */
import { ENCODE_BY_REFERENCE_BYTES_MIN } from "../limits.ts";
import { defaultSource } from "./compile-decoder.ts";
import type { Field, Fields, Message } from "./schema.ts";
import { runSource, Source } from "./source.ts";
import * as wire from "./wire.ts";

/** Writes `value` into the scratch room at `position`; returns its end. */
export type Encoder = (value: unknown, position: number, version: number) => number;

/** Integers: the method of DataView, the bytes, and what a value must be equal to. */
const INTEGERS: Readonly<Partial<Record<Field["type"], readonly [string, number, string]>>> = {
  int8: ["setInt8", 1, "x << 24 >> 24"],
  int16: ["setInt16", 2, "x << 16 >> 16"],
  uint16: ["setUint16", 2, "x & 0xffff"],
  int32: ["setInt32", 4, "x | 0"],
  uint32: ["setUint32", 4, "x >>> 0"],
};

/** The encoder of a message. Throws `ProtocolError`, or RangeError to ask for more room. */
export function compileEncoder(message: Message): Encoder {
  const { source, constants } = encoderSource(message);
  return runSource(source, wire, constants) as Encoder;
}

/** The source of an encoder, for those who want to read it. */
export function encoderSource(message: Message): { source: string; constants: unknown[] } {
  const source = new Source(message);
  encodeStruct(source, message.name, message.fields, "value", false);
  const body = source.lines.join("\n");
  return {
    source: `"use strict"; const s = scratch;
return function (value, p, v) {
const d = s.view;
let n = 0;
${body}
return p;
}`,
    constants: source.constants,
  };
}

/** Emits the writing of a struct. In a tagged field no bytes may be passed on by reference. */
function encodeStruct(
  source: Source,
  path: string,
  fields: Fields,
  object: string,
  tagged: boolean,
): void {
  for (const [key, field] of Object.entries(fields)) {
    if (field.tag !== undefined) continue;
    const value = source.name("x");
    const place = `${path}.${key}`;
    source.emit(`let ${value} = ${object}.${key};`);
    source.branch(source.test(field.versions), () => {
      source.emit(`if (${value} === undefined) ${value} = ${defaultSource(field, source)};`);
      encodeField(source, place, field, value, tagged);
    }, () => refuseUnlessDefault(source, place, field, value));
  }
  source.branch(
    source.flexible(),
    () => encodeTags(source, path, fields, object),
    () => refuseTags(source, path, fields, object),
  );
}

function refuseUnlessDefault(source: Source, place: string, field: Field, value: string): void {
  if (field.ignorable === true) return;
  const same = isDefault(source, field, value);
  source.emit(`if (!${same}) unsupported("${place}", v);`);
}

function refuseTags(source: Source, path: string, fields: Fields, object: string): void {
  for (const [key, field] of Object.entries(fields)) {
    if (field.tag === undefined) continue;
    refuseUnlessDefault(source, `${path}.${key}`, field, `${object}.${key}`);
  }
  const tags = `${object}.unknownTags`;
  source.emit(
    `if (${tags} !== undefined && ${tags}.length > 0) unsupported("${path}.unknownTags", v);`,
  );
}

function encodeTags(source: Source, path: string, fields: Fields, object: string): void {
  const known = Object.entries(fields)
    .flatMap(([key, field]) => field.tag === undefined ? [] : [{ key, field, tag: field.tag }])
    .sort((a, b) => a.tag - b.tag)
    .map((one) => ({ ...one, value: source.name("x"), present: source.name("t") }));
  for (const { key, field, value, present } of known) {
    source.emit(`let ${value} = ${object}.${key}, ${present} = 0;`);
    source.branch(
      source.test(field.versions),
      () => source.emit(`if (!${isDefault(source, field, value)}) ${present} = 1;`),
      () => refuseUnlessDefault(source, `${path}.${key}`, field, value),
    );
  }
  const unknown = source.name("u");
  const index = source.name("i");
  const count = known.map(({ present }) => ` + ${present}`).join("");
  source.emit(`const ${unknown} = ${object}.unknownTags; let ${index} = 0;`);
  source.emit(`if (${unknown} === undefined) { d.setUint8(p, 0${count}); p += 1; }`);
  source.emit(`else p = writeVarint(p, ${unknown}.length${count});`);
  const unknownBelow = (limit: string) => {
    source.emit(`if (${unknown} !== undefined) { s.unknownIndex = ${index};`);
    source.emit(`p = writeUnknownTags(p, ${unknown}, ${limit}); ${index} = s.unknownIndex; }`);
  };
  for (const { key, field, value, present, tag } of known) {
    unknownBelow(String(tag));
    source.emit(`if (${present} === 1) {`);
    const start = source.name("s");
    source.emit(`d.setUint8(p, ${tag}); const ${start} = p + 1; p += 2;`);
    encodeField(source, `${path}.${key}`, field, value, true);
    source.emit(`p = closeTag(${start}, p); }`);
  }
  unknownBelow("Infinity");
}

/** The test whether a value is the default of its field, or left out. */
function isDefault(source: Source, field: Field, value: string): string {
  const left = `${value} === undefined`;
  if (wire.defaultOf(field) === null) return `(${left} || ${value} === null)`;
  switch (field.type) {
    case "array":
    case "bytes":
      return `(${left} || ${value} !== null && ${value}.length === 0)`;
    case "struct": {
      const parts = Object.entries(field.fields ?? {})
        .map(([key, inner]) => isDefault(source, inner, `${value}.${key}`));
      const tags = `${value}.unknownTags`;
      parts.push(`(${tags} === undefined || ${tags}.length === 0)`);
      return `(${left} || ${value} !== null && ${parts.join(" && ")})`;
    }
    default:
      return `(${left} || ${value} === ${defaultSource(field, source)})`;
  }
}

function encodeField(
  source: Source,
  place: string,
  field: Field,
  value: string,
  tagged: boolean,
): void {
  const integer = INTEGERS[field.type];
  if (integer !== undefined) return encodeInteger(source, place, integer, value);
  switch (field.type) {
    case "bool":
      return source.emit(`d.setInt8(p, ${value} ? 1 : 0); p += 1;`);
    case "int64":
      return source.emit(`d.setBigInt64(p, ${value}); p += 8;`);
    case "float64":
      return source.emit(`d.setFloat64(p, ${value}); p += 8;`);
    case "uuid":
      return source.emit(`p = writeUuid(p, ${value});`);
    case "struct":
      return encodeStructField(source, place, field, value, tagged);
  }
  source.emit(`if (${value} === null) {`);
  encodeNull(source, place, field);
  source.emit("} else {");
  if (field.type === "array") encodeArray(source, place, field, value, tagged);
  else if (field.type === "string") encodeText(source, field, value);
  else encodeBytes(source, field, value, tagged);
  source.emit("}");
}

function encodeInteger(
  source: Source,
  place: string,
  [method, bytes, same]: readonly [string, number, string],
  value: string,
): void {
  source.emit(`if (${value} !== (${same.replace("x", value)})) {`);
  source.emit(`invalid("${place}", "does not fit: " + ${value}); }`);
  source.emit(`d.${method}(p, ${value}); p += ${bytes};`);
}

function encodeNull(source: Source, place: string, field: Field): void {
  source.branch(
    source.test(field.nullable ?? "none"),
    () =>
      source.branch(
        source.flexible(field),
        () => source.emit("d.setUint8(p, 0); p += 1;"),
        () =>
          source.emit(
            field.type === "string" ? "d.setInt16(p, -1); p += 2;" : "d.setInt32(p, -1); p += 4;",
          ),
      ),
    () => source.emit(`invalid("${place}", "may not be null in version " + v);`),
  );
}

function encodeStructField(
  source: Source,
  place: string,
  field: Field,
  value: string,
  tagged: boolean,
): void {
  const write = () => encodeStruct(source, place, field.fields ?? {}, value, tagged);
  source.branch(source.test(field.nullable ?? "none"), () => {
    const mark = field.tag === undefined ? -1 : 0;
    source.emit(`if (${value} === null) { d.setInt8(p, ${mark}); p += 1; } else {`);
    source.emit("d.setInt8(p, 1); p += 1;");
    write();
    source.emit("}");
  }, () => {
    source.emit(
      `if (${value} === null) invalid("${place}", "may not be null in version " + v);`,
    );
    write();
  });
}

function encodeText(source: Source, field: Field, value: string): void {
  source.branch(
    source.flexible(field),
    () => source.emit(`p = writeCompactText(p, ${value});`),
    () => source.emit(`p = writeText(p, ${value});`),
  );
}

/** Emits the writing of a length or count. */
function encodeLength(source: Source, field: Field, length: string): void {
  source.emit(`n = ${length};`);
  source.branch(source.flexible(field), () => {
    source.emit("if (n < 127) { d.setUint8(p, n + 1); p += 1; }");
    source.emit("else p = writeVarint(p, n + 1);");
  }, () => source.emit("d.setInt32(p, n); p += 4;"));
}

function encodeBytes(source: Source, field: Field, value: string, tagged: boolean): void {
  encodeLength(source, field, `${value}.length`);
  if (!tagged) {
    // Records may be a region of a file, which is never copied.
    const isRegion = field.type === "records" ? ` || !(${value} instanceof Uint8Array)` : "";
    source.emit(`if (n >= ${ENCODE_BY_REFERENCE_BYTES_MIN}${isRegion})`);
    source.emit(`writeByReference(p, ${value});`);
    source.emit("else");
  }
  source.emit(`p = writeCopy(p, ${value});`);
}

function encodeArray(
  source: Source,
  place: string,
  field: Field,
  value: string,
  tagged: boolean,
): void {
  const items = field.items!;
  const index = source.name("i");
  const item = source.name("x");
  encodeLength(source, field, `${value}.length`);
  source.emit(`for (let ${index} = 0; ${index} < ${value}.length; ${index}++) {`);
  source.emit(`const ${item} = ${value}[${index}];`);
  if (typeof items === "string") {
    encodeField(source, `${place}[]`, { type: items, versions: "0+" }, item, tagged);
  } else {
    encodeStruct(source, `${place}[]`, items, item, tagged);
  }
  source.emit("}");
}
