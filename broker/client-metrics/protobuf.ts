/**
 * Messages of protobuf that come from anybody, field by field: bounded, and without groups, which
 * OpenTelemetry does not use. What is no message throws a `MalformedError`.
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** The bytes are not what they should be. */
export class MalformedError extends Error {
  override readonly name = "MalformedError";
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A field of a message; its value is read at most once, and skipped if nobody reads it. */
export class Field {
  constructor(
    readonly number: number,
    private readonly type: WireType,
    private readonly reader: BinaryReader,
  ) {}

  /** A message within, or bytes: a view. */
  bytes(): Uint8Array {
    this.#expect(WireType.LengthDelimited);
    return this.reader.bytes();
  }

  /** A text; it is UTF-8. */
  text(): string {
    return utf8.decode(this.bytes());
  }

  bool(): boolean {
    this.#expect(WireType.Varint);
    return this.reader.bool();
  }

  /** An enum. */
  int32(): number {
    this.#expect(WireType.Varint);
    return this.reader.int32();
  }

  int64(): bigint | string {
    this.#expect(WireType.Varint);
    return this.reader.int64();
  }

  double(): number {
    this.#expect(WireType.Bit64);
    return this.reader.double();
  }

  /** The nearest number to an integer of 64 bits. */
  sfixed64(): number {
    this.#expect(WireType.Bit64);
    return Number(this.reader.sfixed64());
  }

  #expect(type: WireType): void {
    if (this.type !== type) {
      throw new MalformedError(`field ${this.number} has the wire type ${this.type}, not ${type}`);
    }
  }
}

/** Calls back for each field of a message, with its bytes, tag included. Throws a `MalformedError`. */
export function eachField(
  message: Uint8Array,
  callback: (field: Field, whole: Uint8Array) => void,
): void {
  try {
    const reader = new BinaryReader(message);
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const [number, type] = reader.tag();
      if (type === WireType.StartGroup || type === WireType.EndGroup) {
        throw new MalformedError("a group");
      }
      const valueStart = reader.pos;
      reader.skip(type, number);
      const end = reader.pos;
      reader.pos = valueStart;
      callback(new Field(number, type, reader), message.subarray(start, end));
      reader.pos = end;
    }
  } catch (error) {
    if (error instanceof MalformedError) throw error;
    // The reader throws plain errors at bytes that are none, and so does the decoder of texts.
    if (error instanceof RangeError || error instanceof TypeError || isPlain(error)) {
      throw new MalformedError(error.message);
    }
    throw error;
  }
}

function isPlain(error: unknown): error is Error {
  return error instanceof Error && error.name === "Error";
}
