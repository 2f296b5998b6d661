/**
 * A second codec that walks the definition field by field for each message: slow and simple, the
 * oracle for the compiled one. No product code imports it.
 */
import { type Field, type Fields, type Message, parseVersions, type UnknownTag } from "./schema.ts";
import { defaultOf } from "./wire.ts";

type Struct = Record<string, unknown>;

function holds(versions: string, version: number): boolean {
  const { min, max } = parseVersions(versions);
  return version >= min && version <= max;
}

/** Decodes a message, and says where it ended. */
export function interpretDecode(
  message: Message,
  version: number,
  bytes: Uint8Array,
): { value: Struct; end: number } {
  const reader = new Reader(message, version, bytes);
  return { value: reader.struct(message.fields), end: reader.position };
}

/** Encodes a message in which every field has a value. */
export function interpretEncode(message: Message, version: number, value: Struct): Uint8Array {
  const writer = new Writer(message, version);
  writer.struct(message.fields, value);
  return new Uint8Array(writer.bytes);
}

class Reader {
  position = 0;
  readonly #view: DataView;
  constructor(
    readonly message: Message,
    readonly version: number,
    readonly bytes: Uint8Array,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  struct(fields: Fields): Struct {
    const value: Struct = {};
    for (const [name, field] of Object.entries(fields)) {
      const there = field.tag === undefined && holds(field.versions, this.version);
      value[name] = there ? this.field(field) : defaultOf(field);
    }
    if (holds(this.message.flexible, this.version)) this.#tags(fields, value);
    return value;
  }

  #tags(fields: Fields, value: Struct): void {
    const unknown: UnknownTag[] = [];
    for (let left = this.#varint(); left > 0; left--) {
      const tag = this.#varint();
      const size = this.#varint();
      const known = Object.entries(fields).find(([, field]) => field.tag === tag);
      if (known === undefined) unknown.push({ tag, bytes: this.#take(size) });
      else value[known[0]] = this.field(known[1]);
    }
    if (unknown.length > 0) value["unknownTags"] = unknown;
  }

  field(field: Field): unknown {
    switch (field.type) {
      case "struct": {
        const nullable = field.nullable !== undefined && holds(field.nullable, this.version);
        if (nullable) {
          const isNull = field.tag === undefined
            ? this.#view.getInt8(this.position++) < 0
            : this.#varint() === 0;
          if (isNull) return null;
        }
        return this.struct(field.fields!);
      }
      case "array": {
        const count = this.#length(field, 4);
        if (count < 0) return null;
        return Array.from(
          { length: count },
          () =>
            typeof field.items === "string"
              ? this.field({ type: field.items, versions: "0+" })
              : this.struct(field.items!),
        );
      }
      case "string": {
        const length = this.#length(field, 2);
        return length < 0 ? null : new TextDecoder().decode(this.#take(length));
      }
      case "bytes":
      case "records": {
        const length = this.#length(field, 4);
        return length < 0 ? null : this.#take(length);
      }
      default:
        return this.#fixed(field.type);
    }
  }

  #fixed(type: Exclude<Field["type"], "struct" | "array" | "string" | "bytes" | "records">) {
    const at = this.position;
    switch (type) {
      case "bool":
        return this.#take(1)[0] !== 0;
      case "int8":
        return this.#take(1)[0]! << 24 >> 24;
      case "int16":
        this.position += 2;
        return this.#view.getInt16(at);
      case "uint16":
        this.position += 2;
        return this.#view.getUint16(at);
      case "int32":
        this.position += 4;
        return this.#view.getInt32(at);
      case "uint32":
        this.position += 4;
        return this.#view.getUint32(at);
      case "int64":
        this.position += 8;
        return this.#view.getBigInt64(at);
      case "float64":
        this.position += 8;
        return this.#view.getFloat64(at);
      case "uuid":
        return Buffer.from(this.#take(16)).toString("base64url");
    }
  }

  #length(field: Field, plainBytes: 2 | 4): number {
    if (holds(field.flexible ?? this.message.flexible, this.version)) return this.#varint() - 1;
    return this.#fixed(plainBytes === 2 ? "int16" : "int32") as number;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0;; shift += 7) {
      const byte = this.#view.getUint8(this.position++);
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }

  #take(length: number): Uint8Array {
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }
}

class Writer {
  bytes: number[] = [];
  constructor(readonly message: Message, readonly version: number) {}

  struct(fields: Fields, value: Struct): void {
    for (const [name, field] of Object.entries(fields)) {
      if (field.tag !== undefined || !holds(field.versions, this.version)) continue;
      this.field(field, value[name]);
    }
    if (!holds(this.message.flexible, this.version)) return;
    const tags = [...(value["unknownTags"] ?? []) as UnknownTag[]];
    for (const [name, field] of Object.entries(fields)) {
      if (field.tag === undefined || !holds(field.versions, this.version)) continue;
      if (isDefault(field, value[name])) continue;
      const inner = new Writer(this.message, this.version);
      inner.field(field, value[name]);
      tags.push({ tag: field.tag, bytes: new Uint8Array(inner.bytes) });
    }
    this.#varint(tags.length);
    for (const { tag, bytes } of tags.sort((a, b) => a.tag - b.tag)) {
      this.#varint(tag);
      this.#varint(bytes.length);
      this.#push(bytes);
    }
  }

  field(field: Field, value: unknown): void {
    switch (field.type) {
      case "struct": {
        const nullable = field.nullable !== undefined && holds(field.nullable, this.version);
        const isNull = value === null;
        if (nullable) this.bytes.push(isNull ? (field.tag === undefined ? 255 : 0) : 1);
        if (!isNull) this.struct(field.fields!, value as Struct);
        return;
      }
      case "array": {
        const list = value as unknown[] | null;
        this.#length(field, 4, list === null ? -1 : list.length);
        for (const item of list ?? []) {
          if (typeof field.items === "string") {
            this.field({ type: field.items, versions: "0+" }, item);
          } else this.struct(field.items!, item as Struct);
        }
        return;
      }
      case "string": {
        const text = value === null ? null : Buffer.from(value as string, "utf8");
        this.#length(field, 2, text === null ? -1 : text.length);
        return this.#push(text ?? []);
      }
      case "bytes":
      case "records": {
        const bytes = value as Uint8Array | null;
        this.#length(field, 4, bytes === null ? -1 : bytes.length);
        return this.#push(bytes ?? []);
      }
      default:
        return this.#fixed(field.type, value);
    }
  }

  #fixed(type: Field["type"], value: unknown): void {
    switch (type) {
      case "bool":
        this.bytes.push(value === true ? 1 : 0);
        return;
      case "int8":
        return this.#integer(1, value as number);
      case "int16":
      case "uint16":
        return this.#integer(2, value as number);
      case "int32":
      case "uint32":
        return this.#integer(4, value as number);
      case "int64":
        return this.#integer(8, value as bigint);
      case "float64":
        return this.#push(new Uint8Array(new Float64Array([value as number]).buffer).reverse());
      default:
        return this.#push(Buffer.from(value as string, "base64url"));
    }
  }

  #integer(count: number, value: number | bigint): void {
    for (let shift = BigInt(count - 1) * 8n; shift >= 0n; shift -= 8n) {
      this.bytes.push(Number(BigInt(value) >> shift & 255n));
    }
  }

  #length(field: Field, plainBytes: 2 | 4, length: number): void {
    if (holds(field.flexible ?? this.message.flexible, this.version)) this.#varint(length + 1);
    else this.#integer(plainBytes, length);
  }

  #varint(value: number): void {
    for (; value > 127; value = Math.floor(value / 128)) this.bytes.push(value % 128 | 128);
    this.bytes.push(value);
  }

  #push(bytes: Iterable<number>): void {
    for (const byte of bytes) this.bytes.push(byte);
  }
}

/** Whether a value is the default of its field. */
function isDefault(field: Field, value: unknown): boolean {
  if (value === undefined) return true;
  const byDefault = defaultOf(field);
  if (value === null || byDefault === null) return value === byDefault;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  if (field.type !== "struct") return value === byDefault;
  const struct = value as Record<string, unknown>;
  return hasNoUnknownTags(struct) &&
    Object.entries(field.fields ?? {}).every(([name, f]) => isDefault(f, struct[name]));
}

function hasNoUnknownTags(struct: Record<string, unknown>): boolean {
  return (struct["unknownTags"] as readonly UnknownTag[] | undefined ?? []).length === 0;
}
