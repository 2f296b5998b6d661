/** Random messages of any definition, from a seed. No product code imports it. */
import { type Field, type Fields, type Message, parseVersions, type UnknownTag } from "./schema.ts";
import { defaultOf } from "./wire.ts";

/** A uniform integer from 0 to `bound` − 1. */
export type Below = (bound: number) => number;

/** The generator mulberry32. */
export function seeded(seed: number): Below {
  let state = seed | 0;
  return (bound) => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32 * bound);
  };
}

/** A message in which each field that the version has is random, and each other its default. */
export function randomMessage(message: Message, version: number, below: Below) {
  return randomStruct(message, message.fields, version, below);
}

function holds(versions: string, version: number): boolean {
  const { min, max } = parseVersions(versions);
  return version >= min && version <= max;
}

function randomStruct(message: Message, fields: Fields, version: number, below: Below) {
  const value: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const there = holds(field.versions, version) &&
      (field.tag === undefined || below(2) === 0 && holds(message.flexible, version));
    value[name] = there ? randomValue(message, field, version, below) : defaultOf(field);
  }
  const unknownTags: UnknownTag[] = [];
  let tag = 90;
  while (holds(message.flexible, version) && below(6) === 0) {
    unknownTags.push({ tag: tag += 1 + below(50), bytes: randomBytes(below) });
  }
  if (unknownTags.length > 0) value["unknownTags"] = unknownTags;
  return value;
}

function randomValue(message: Message, field: Field, version: number, below: Below): unknown {
  if (field.nullable !== undefined && holds(field.nullable, version) && below(4) === 0) return null;
  switch (field.type) {
    case "struct":
      return randomStruct(message, field.fields!, version, below);
    case "array": {
      const { items } = field;
      const isPrimitive = typeof items === "string";
      return Array.from(
        { length: isPrimitive && below(20) === 0 ? 130 + below(40) : below(4) },
        () =>
          isPrimitive
            ? randomValue(message, { type: items, versions: "0+" }, version, below)
            : randomStruct(message, items!, version, below),
      );
    }
    case "bool":
      return below(2) === 1;
    case "int64":
      return BigInt.asIntN(64, BigInt(below(2 ** 32)) << 32n | BigInt(below(2 ** 32)));
    case "float64":
      return (below(2 ** 32) - 2 ** 31) / 1000;
    case "string":
      return randomText(below);
    case "uuid":
      return Buffer.from(Array.from({ length: 16 }, () => below(256))).toString("base64url");
    case "bytes":
    case "records":
      return randomBytes(below);
    default:
      return randomInteger(field.type, below);
  }
}

function randomInteger(type: "int8" | "int16" | "int32" | "uint16" | "uint32", below: Below) {
  const isSigned = type.startsWith("int");
  const bound = 2 ** Number(type.replace(/\D+/, ""));
  const least = isSigned ? -bound / 2 : 0;
  switch (below(4)) {
    case 0:
      return below(3);
    case 1:
      return below(2) === 0 ? least : least + bound - 1;
    default:
      return least + below(bound);
  }
}

function randomText(below: Below): string {
  const length = below(10) === 0 ? 100 + below(300) : below(40);
  const alphabet = below(3) === 0 ? ["a", "é", "€", "😀", "\0"] : ["a", "B", "7", "-", ".", " "];
  return Array.from({ length }, () => alphabet[below(alphabet.length)]).join("");
}

function randomBytes(below: Below): Uint8Array {
  const length = below(10) === 0 ? 1000 + below(1000) : below(100);
  return Uint8Array.from({ length }, () => below(256));
}
