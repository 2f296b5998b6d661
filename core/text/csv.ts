/**
 * CSV as RFC 4180 has it: fields between separators, in quotes where they hold separators, line ends
 * or quotes (doubled). Lines may end in CR LF. A quote inside an unquoted field stands for itself.
 */
import { FramingError } from "./framing.ts";
import type { Framing } from "./framing.ts";

const NEWLINE = 10;
const QUOTE = 34;
/** A record that is longer is rather a quote that is not closed. */
const RECORD_BYTES_MAX = 16 * 1024 * 1024;

/** Records that end at a line end outside quotes. */
export class CsvFraming implements Framing {
  start = 0;
  end = 0;
  readonly unit = "line";
  readonly overlapBytes = 0;
  /** The next quote from the position that was looked at last; Infinity if there is none. */
  #quote = -1;

  /** `separator`: one byte. */
  constructor(readonly separator: number) {}

  wholeUntil(bytes: Buffer, from: number, _searched: number, filled: number): number {
    this.#quote = -1;
    let position = from;
    for (;;) {
      const after = this.#after(bytes, position, filled);
      if (after < 0) break;
      position = after;
    }
    this.#quote = -1;
    if (position > from) return position;
    if (filled - from > RECORD_BYTES_MAX) {
      throw new FramingError("it does not end within 16 MiB: is a quote not closed?");
    }
    return -1;
  }

  isRecord(bytes: Buffer, from: number, filled: number): boolean {
    if (openQuote(bytes.subarray(from, filled), this.separator) >= 0) {
      throw new FramingError("the input ends within quotes");
    }
    return true;
  }

  next(bytes: Buffer, position: number, end: number): number {
    const after = this.#after(bytes, position, end);
    this.start = position;
    this.end = after < 0 ? end : after - 1;
    return after < 0 ? end : after;
  }

  endOfTooLong(): number {
    return -1;
  }

  /** The position behind the line end of the record at `position`, or −1. */
  #after(bytes: Buffer, position: number, filled: number): number {
    let at = position;
    for (;;) {
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline < 0 || newline >= filled ? Infinity : newline;
      if (this.#quote < at) this.#quote = quoteFrom(bytes, at, filled);
      if (this.#quote > end || this.#quote === Infinity) return end === Infinity ? -1 : end + 1;
      const opens = this.#quote === position || bytes[this.#quote - 1] === this.separator;
      at = opens ? afterQuoted(bytes, this.#quote, filled) : this.#quote + 1;
      if (at < 0) return -1;
    }
  }
}

function quoteFrom(bytes: Buffer, from: number, filled: number): number {
  const found = bytes.subarray(0, filled).indexOf(QUOTE, from);
  return found < 0 ? Infinity : found;
}

/** The position behind the quote that closes the one at `open`, or −1. */
function afterQuoted(bytes: Buffer, open: number, filled: number): number {
  let at = open + 1;
  for (;;) {
    const quote = quoteFrom(bytes, at, filled);
    if (quote === Infinity) return -1;
    if (bytes[quote + 1] !== QUOTE || quote + 1 >= filled) return quote + 1;
    at = quote + 2;
  }
}

/** Where a quote opens that nothing closes, or −1. */
function openQuote(record: Buffer, separator: number): number {
  let at = 0;
  for (;;) {
    const quote = quoteFrom(record, at, record.length);
    if (quote === Infinity) return -1;
    const opens = quote === 0 || record[quote - 1] === separator;
    at = opens ? afterQuoted(record, quote, record.length) : quote + 1;
    if (at < 0) return quote;
  }
}

/** A record that is no row; `column` counts characters from 1. */
export class CsvError extends Error {
  override readonly name = "CsvError";
  constructor(message: string, readonly column: number) {
    super(message);
  }
}

/** The fields of a record (without its line end). Throws `CsvError`. */
export function splitCsv(record: string, separator: string): string[] {
  const text = record.endsWith("\r") ? record.slice(0, -1) : record;
  // Most rows have no quotes.
  if (!text.includes('"')) return text.split(separator);
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      const close = closingQuote(text, at);
      fields.push(text.slice(at + 1, close).replaceAll('""', '"'));
      at = close + 1;
      if (at < text.length && text[at] !== separator) {
        throw new CsvError("something stands behind a closing quote", at + 1);
      }
    } else {
      const next = text.indexOf(separator, at);
      const end = next < 0 ? text.length : next;
      fields.push(text.slice(at, end));
      at = end;
    }
    if (at >= text.length) return fields;
    at += 1;
  }
}

function closingQuote(text: string, open: number): number {
  let at = open + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) throw new CsvError("a quote is not closed", open + 1);
    if (text[quote + 1] !== '"') return quote;
    at = quote + 2;
  }
}
