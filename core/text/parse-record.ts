/** What the bytes of a record in the input mean: key, value, headers, time and partition. */
import { CsvError, splitCsv } from "./csv.ts";
import { EnvelopeError, parseEnvelope } from "./envelope.ts";
import type { EnvelopeInput, HeaderEntry } from "./envelope.ts";
import { findJsonFault } from "./json-fault.ts";

/** How `--key` and `--value` are written in the input. */
export const PAYLOADS = ["string", "json", "int", "long", "base64", "hex"] as const;
export type PayloadKind = (typeof PAYLOADS)[number];

/** Why a record of the input is none; `column` counts characters from 1, null if it is no place. */
export class RecordError extends Error {
  override readonly name = "RecordError";
  constructor(
    message: string,
    readonly column: number | null = null,
    /** Lines shown below the message: the place in an expression. */
    readonly excerpt: string = "",
  ) {
    super(message);
  }
}

/** Turns the bytes of a record into what is to be written. */
export interface RecordParser {
  /** Null for what is no record, like the header of CSV. Throws `RecordError`. */
  parse(bytes: Buffer): EnvelopeInput | null;
  /** Forgets what an earlier input has left; `header` is what `header()` said when it was saved. */
  begin(header: string | null): void;
  /** What has to be known to go on in the midst of the input. */
  header(): string | null;
}

/** How the records of the input are written. */
export interface ParserSettings {
  readonly format: "lines" | "json" | "csv";
  /** What stands between key and value; null: all is value. */
  readonly keyDelimiter: Uint8Array | null;
  readonly key: PayloadKind;
  readonly value: PayloadKind;
  /** A key, a value or a field of CSV like this is null. */
  readonly nullMarker: string | null;
  readonly csv: CsvSettings;
}

/** How the rows of CSV become records. */
export interface CsvSettings {
  /** One byte. */
  readonly separator: string;
  readonly keyColumn: string | null;
  /** Null: all columns, as a JSON object. */
  readonly valueColumn: string | null;
}

const NO_HEADERS: readonly HeaderEntry[] = [];
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The parser for these settings. */
export function recordParser(settings: ParserSettings): RecordParser {
  switch (settings.format) {
    case "json":
      return new EnvelopeParser();
    case "csv":
      return new CsvParser(settings);
    case "lines":
      return new LineParser(settings);
  }
}

class EnvelopeParser implements RecordParser {
  parse(bytes: Buffer): EnvelopeInput {
    try {
      return parseEnvelope(bytes);
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      throw new RecordError(`no JSON envelope: ${error.message}`, error.column);
    }
  }

  begin(): void {}

  header(): null {
    return null;
  }
}

class LineParser implements RecordParser {
  readonly #delimiter: Buffer | null;
  readonly #nullMarker: Buffer | null;

  constructor(readonly settings: ParserSettings) {
    this.#delimiter = settings.keyDelimiter === null ? null : Buffer.from(settings.keyDelimiter);
    this.#nullMarker = settings.nullMarker === null ? null : Buffer.from(settings.nullMarker);
  }

  parse(bytes: Buffer): EnvelopeInput {
    const split = this.#delimiter === null ? -1 : bytes.indexOf(this.#delimiter);
    const valueStart = split < 0 ? 0 : split + this.#delimiter!.length;
    const { key, value } = this.settings;
    return {
      ...{ partition: null, timestampMs: null, headers: NO_HEADERS },
      key: split < 0 ? null : this.#payload(key, bytes.subarray(0, split), "key", 0),
      value: this.#payload(value, bytes.subarray(valueStart), "value", valueStart),
    };
  }

  #payload(kind: PayloadKind, bytes: Buffer, what: string, from: number): Uint8Array | null {
    return this.#nullMarker?.equals(bytes) ? null : decodePayload(kind, bytes, what, from);
  }

  begin(): void {}

  header(): null {
    return null;
  }
}

class CsvParser implements RecordParser {
  #header: string | null = null;
  /** `"name":` of each column, ready for JSON. */
  #names: readonly string[] = [];
  #keyColumn = -1;
  #valueColumn = -1;

  constructor(readonly settings: ParserSettings) {}

  begin(header: string | null): void {
    this.#header = null;
    if (header !== null) this.#takeHeader(header);
  }

  header(): string | null {
    return this.#header;
  }

  parse(bytes: Buffer): EnvelopeInput | null {
    const text = decodeText(bytes, "the row");
    if (this.#header === null) {
      this.#takeHeader(text.startsWith("\ufeff") ? text.slice(1) : text);
      return null;
    }
    // A blank line separates nothing, unless there is one column, which may be empty.
    if ((text === "" || text === "\r") && this.#names.length > 1) return null;
    const fields = split(text, this.settings.csv.separator);
    if (fields.length !== this.#names.length) {
      const columns = count(this.#names.length, "column");
      throw new RecordError(`${count(fields.length, "field")}, but ${columns}`);
    }
    const { key, value } = this.settings;
    return {
      ...{ partition: null, timestampMs: null, headers: NO_HEADERS },
      key: this.#keyColumn < 0 ? null : this.#field(fields[this.#keyColumn]!, key, "key"),
      value: this.#valueColumn < 0
        ? this.#object(fields)
        : this.#field(fields[this.#valueColumn]!, value, "value"),
    };
  }

  #takeHeader(text: string): void {
    const columns = split(text, this.settings.csv.separator);
    const { keyColumn, valueColumn } = this.settings.csv;
    const twice = columns.find((name, i) => columns.indexOf(name) !== i);
    if (twice !== undefined) throw new RecordError(`two columns are called "${twice}"`);
    this.#keyColumn = columnOf(columns, keyColumn);
    this.#valueColumn = columnOf(columns, valueColumn);
    this.#names = columns.map((name) => `${JSON.stringify(name)}:`);
    this.#header = text;
  }

  #field(text: string, kind: PayloadKind, what: string): Uint8Array | null {
    if (text === this.settings.nullMarker) return null;
    return decodePayload(kind, Buffer.from(text), what, null);
  }

  #object(fields: readonly string[]): Uint8Array {
    const { nullMarker } = this.settings;
    const parts = fields.map((field, i) =>
      this.#names[i]! + (field === nullMarker ? "null" : JSON.stringify(field))
    );
    return Buffer.from(`{${parts.join(",")}}`);
  }
}

function split(text: string, separator: string): string[] {
  try {
    return splitCsv(text, separator);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new RecordError(error.message, error.column);
  }
}

function columnOf(columns: readonly string[], name: string | null): number {
  if (name === null) return -1;
  const found = columns.indexOf(name);
  if (found >= 0) return found;
  throw new RecordError(`no column "${name}", only ${columns.join(", ")}`);
}

function decodeText(bytes: Buffer, what: string): string {
  const text = bytes.toString();
  if (!text.includes("\ufffd")) return text;
  try {
    return utf8.decode(bytes);
  } catch {
    throw new RecordError(`${what} is no UTF-8`, findJsonFault(bytes).column);
  }
}

/**
 * The bytes that a text of this kind stands for: `int` and `long` are 4 and 8 bytes, big-endian, as
 * of Java's serializers. `from`: how many bytes of the record come before, null if it is not known.
 */
function decodePayload(
  kind: PayloadKind,
  bytes: Buffer,
  what: string,
  from: number | null,
): Uint8Array {
  switch (kind) {
    case "string":
      return bytes;
    case "json":
      return checkedJson(bytes, what, from);
    case "int":
      return wholeNumber(bytes, what, 32);
    case "long":
      return wholeNumber(bytes, what, 64);
    case "base64":
    case "hex":
      try {
        const text = bytes.toString("latin1");
        return kind === "hex" ? Uint8Array.fromHex(text) : Uint8Array.fromBase64(text);
      } catch {
        throw new RecordError(`the ${what} is no ${kind}`, from === null ? null : from + 1);
      }
  }
}

function checkedJson(bytes: Buffer, what: string, from: number | null): Buffer {
  try {
    JSON.parse(utf8.decode(bytes));
    return bytes;
  } catch {
    const { message, column } = findJsonFault(bytes);
    throw new RecordError(
      `the ${what} is no JSON: ${message}`,
      from === null ? null : from + column,
    );
  }
}

function wholeNumber(bytes: Buffer, what: string, bits: 32 | 64): Buffer {
  const text = bytes.toString("latin1").trim();
  const number = /^[+-]?\d{1,20}$/.test(text) ? BigInt(text.replace(/^\+/, "")) : null;
  if (number === null || BigInt.asIntN(bits, number) !== number) {
    throw new RecordError(`the ${what} ${JSON.stringify(text.slice(0, 40))} is no int${bits}`);
  }
  const encoded = Buffer.alloc(bits / 8);
  if (bits === 32) encoded.writeInt32BE(Number(number));
  else encoded.writeBigInt64BE(number);
  return encoded;
}

/** `1 field`, `3 fields`. */
function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
