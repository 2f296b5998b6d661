/** How records become the bytes of a file. */
import { isObject } from "../index.ts";
import type { ConnectObject, ConnectValue, Schema, SinkRecord } from "../index.ts";
import { FormatError } from "./format-error.ts";
import { jsonText } from "./json-text.ts";

/** What has enough of it, all that is held, or all and what closes the file. */
export type Drain = "ready" | "all" | "end";

/** From so much on lines are worth a write. */
const READY_BYTES = 256 * 1024;

/** One file in the making. */
export interface FormatWriter {
  /**
   * Takes a row; false if it needs another file, since its schema does not go with what is written.
   * Throws `FormatError`. In both cases it is as before.
   */
  add(row: Row): boolean;
  /** Bytes that it has been given, uncompressed, about; the same for the same rows. */
  readonly sizeBytes: number;
  /** Bytes that wait in memory. */
  readonly heldBytes: number;
  /** Bytes to be written; of what may wait, `ready` leaves it where that is better. May be empty. */
  drain(what: Drain): Uint8Array;
}

/** What of a record is written. */
export interface Row {
  readonly value: ConnectValue;
  readonly schema: Schema | null;
}

/** What of a record becomes a row: its value, or all that is known of it. */
export type Content = "value" | "record";

export function rowOf(record: SinkRecord, content: Content): Row {
  if (content === "value") return { value: record.value, schema: record.valueSchema };
  const headers: ConnectValue = record.headers.map(({ name, value }) => ({ name, value }));
  const value: ConnectObject = {
    topic: record.original.topic,
    partition: record.original.partition,
    offset: record.original.offset,
    timestamp: record.timestampMs === null ? null : new Date(record.timestampMs),
    key: record.key,
    value: record.value,
    headers,
  };
  return { value, schema: null };
}

/** Lines in memory until they are drained. */
abstract class LineWriter implements FormatWriter {
  sizeBytes = 0;
  #lines: string[] = [];
  #held = 0;

  abstract lineOf(row: Row): string;

  add(row: Row): boolean {
    this.push(this.lineOf(row));
    return true;
  }

  protected push(line: string): void {
    this.#lines.push(line);
    // Characters for bytes: near enough to decide when a file is full, and no second look at the text.
    this.#held += line.length + 1;
    this.sizeBytes += line.length + 1;
  }

  get heldBytes(): number {
    return this.#held;
  }

  drain(what: Drain): Uint8Array {
    if (this.#lines.length === 0) return new Uint8Array(0);
    if (what === "ready" && this.#held < READY_BYTES) return new Uint8Array(0);
    const bytes = Buffer.from(this.#lines.join("\n") + "\n");
    this.#lines = [];
    this.#held = 0;
    return bytes;
  }
}

/** JSON Lines: a value per line. */
export class JsonLinesWriter extends LineWriter {
  lineOf({ value, schema }: Row): string {
    return jsonText(value, schema);
  }
}

/** Texts as they are, anything else as JSON: what Kafka's `FileStreamSinkConnector` is used for. */
export class TextLinesWriter extends LineWriter {
  lineOf({ value, schema }: Row): string {
    return typeof value === "string" ? value : value === null ? "" : jsonText(value, schema);
  }
}

/**
 * CSV by RFC 4180 with "\n" at line ends. Null is nothing and an empty text `""`; what is no text,
 * number or boolean is JSON. Columns are those named, else those of the file's first row: a field that
 * is none of them is refused, as it would be lost.
 */
export class CsvWriter extends LineWriter {
  #columns: readonly string[] | null;
  #known: ReadonlySet<string> = new Set();
  #hasHeader = false;

  constructor(columns: readonly string[] | null, readonly separator: string) {
    super();
    this.#columns = columns;
  }

  override lineOf({ value, schema }: Row): string {
    if (!isObject(value)) throw new FormatError("a row of CSV is an object, this is none");
    const columns = this.#columns ??= columnsOf(value, schema);
    if (!this.#hasHeader) {
      this.#known = new Set(columns);
      this.push(columns.map((name) => this.#quoted(name)).join(this.separator));
      this.#hasHeader = true;
    }
    for (const name of Object.keys(value)) {
      if (!this.#known.has(name)) {
        throw new FormatError(`"${name}" is none of the columns ${columns.join(", ")}`);
      }
    }
    return columns.map((name) => this.#cell(Object.hasOwn(value, name) ? value[name] : null))
      .join(this.separator);
  }

  #cell(value: ConnectValue | undefined): string {
    if (value === null || value === undefined) return "";
    if (value === "") return '""';
    if (typeof value === "string") return this.#quoted(value);
    const json = jsonText(value);
    return this.#quoted(json.startsWith('"') ? json.slice(1, -1) : json);
  }

  #quoted(text: string): string {
    const isPlain = !text.includes(this.separator) && !/["\r\n]/.test(text);
    return isPlain ? text : `"${text.replaceAll('"', '""')}"`;
  }
}

function columnsOf(value: ConnectObject, schema: Schema | null): readonly string[] {
  return schema?.type === "struct" ? schema.fields.map(({ name }) => name) : Object.keys(value);
}
