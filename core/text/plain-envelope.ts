/**
 * Reads an envelope (`envelope.ts`) from the bytes of its line, without a string or an object: for the
 * plain ones that programs print by the million. What is not plain, and all that is wrong, is left to
 * `parseEnvelope`, which alone says what an envelope is: a line is taken here only if both agree.
 *
 * Plain is: known fields, each once; key and value strings or null, with the escapes of one letter;
 * whole numbers of up to 15 digits; no headers.
 */
import { copyBytes } from "../copy-bytes.ts";
import { endOfRun, ENDS_RUN } from "./string-run.ts";

const [QUOTE, BACKSLASH, COMMA, COLON] = [34, 92, 44, 58];
const [OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [123, 125, 91, 93];
const [ZERO, NINE, MINUS, SPACE, TAB, CARRIAGE_RETURN] = [48, 57, 45, 32, 9, 13];
/** Lines beyond this are left out: the copy of what has escapes stays small. */
const LINE_BYTES_MAX = 1024 * 1024;
/** Runs between escapes are short as a rule: beyond this the end is looked for. */
const SHORT_RUN_BYTES = 16;
/** More digits may be more than a number holds exactly. */
const DIGITS_MAX = 15;

/** What stands for which byte behind a backslash; 0: nothing, or `u`. */
const UNESCAPED = new Uint8Array(256);
for (const [letter, byte] of ['""', "\\\\", "//", "b\b", "f\f", "n\n", "r\r", "t\t"]) {
  UNESCAPED[letter!.charCodeAt(0)] = byte!.charCodeAt(0);
}

const encoder = new TextEncoder();
const NULL = encoder.encode("null");
const KEY = encoder.encode('"key"');
const VALUE = encoder.encode('"value"');
const HEADERS = encoder.encode('"headers"');
const PARTITION = encoder.encode('"partition"');
const TIMESTAMP = encoder.encode('"timestamp"');
const OFFSET = encoder.encode('"offset"');
const TOPIC = encoder.encode('"topic"');
const TIMESTAMP_TYPE = encoder.encode('"timestampType"');
/** The position is that of the bit in `#seen`. */
const NAMES = [VALUE, KEY, HEADERS, PARTITION, OFFSET, TIMESTAMP, TOPIC, TIMESTAMP_TYPE];
const VALUE_BIT = 1;
/** The first of the names that begin with a letter. */
const FIRST_WITH = new Uint8Array(256).fill(NAMES.length);
for (const [index, name] of NAMES.entries()) {
  if (FIRST_WITH[name[1]!] === NAMES.length) FIRST_WITH[name[1]!] = index;
}

/** See the head of the file. The fields are those of the line that `read` took last. */
export class PlainEnvelope {
  /** Where key and value lie: the bytes of the line, or a copy without escapes. */
  source: Uint8Array = NULL;
  /** Bytes of `source`; a start of −1 stands for null. */
  keyStart = -1;
  keyEnd = -1;
  valueStart = -1;
  valueEnd = -1;
  /** −1: it names none. */
  partition = -1;
  timestampMs: number | null = null;

  #seen = 0;
  #bytes: Uint8Array = NULL;
  /** Of `#bytes`. */
  #view: DataView = new DataView(NULL.buffer);
  #copy = new Uint8Array(1024);
  #copied = 0;
  /** Of the string, or the number, that was gone over last. */
  #start = 0;
  #end = 0;
  #isCopied = false;
  #number = 0;
  #isKeyCopied = false;
  #isValueCopied = false;

  /** Takes the line `bytes[start, end)`, which has to be UTF-8; false: it is not plain. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start > LINE_BYTES_MAX) return false;
    this.#begin(bytes);
    let at = pastSpace(bytes, start, end);
    if (at >= end || bytes[at] !== OPEN) return false;
    do {
      at = this.#member(bytes, pastSpace(bytes, at + 1, end), end);
      if (at < 0) return false;
      at = pastSpace(bytes, at, end);
    } while (at < end && bytes[at] === COMMA);
    if (at >= end || bytes[at] !== CLOSE || pastSpace(bytes, at + 1, end) < end) return false;
    if ((this.#seen & VALUE_BIT) === 0) return false;
    this.#unite(bytes);
    return true;
  }

  #begin(bytes: Uint8Array): void {
    if (this.#bytes !== bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.#seen = 0;
    this.#copied = 0;
    this.keyStart =
      this.keyEnd =
      this.valueStart =
      this.valueEnd =
        -1;
    this.#isKeyCopied = this.#isValueCopied = false;
    this.partition = -1;
    this.timestampMs = null;
  }

  /** Goes over a name and what it stands for; returns the position behind them, −1 if not plain. */
  #member(bytes: Uint8Array, from: number, end: number): number {
    if (from + 1 >= end) return -1;
    let field = FIRST_WITH[bytes[from + 1]!]!;
    while (field < NAMES.length && !stands(NAMES[field]!, bytes, from, end)) field++;
    const name = NAMES[field];
    if (name === undefined || (this.#seen & (1 << field)) !== 0) return -1;
    this.#seen |= 1 << field;
    let at = pastSpace(bytes, from + name.length, end);
    if (at >= end || bytes[at] !== COLON) return -1;
    at = pastSpace(bytes, at + 1, end);
    if (stands(NULL, bytes, at, end)) return at + NULL.length;
    switch (name) {
      case KEY:
        at = this.#string(bytes, at, end);
        this.keyStart = this.#start;
        this.keyEnd = this.#end;
        this.#isKeyCopied = this.#isCopied;
        return at;
      case VALUE:
        at = this.#string(bytes, at, end);
        this.valueStart = this.#start;
        this.valueEnd = this.#end;
        this.#isValueCopied = this.#isCopied;
        return at;
      case PARTITION:
        at = this.#integer(bytes, at, end);
        this.partition = this.#number;
        return this.partition >= 0 && this.partition <= 0x7fff_ffff ? at : -1;
      case TIMESTAMP:
        at = this.#integer(bytes, at, end);
        this.timestampMs = this.#number;
        return at;
      case OFFSET:
        return this.#integer(bytes, at, end);
      case HEADERS:
        return emptyList(bytes, at, end);
      default:
        return this.#string(bytes, at, end);
    }
  }

  /** A string with its quotes; what is in it is at `#start`. */
  #string(bytes: Uint8Array, from: number, end: number): number {
    if (from >= end || bytes[from] !== QUOTE) return -1;
    const at = endOfRun(this.#view, bytes, from + 1, end);
    if (at >= end) return -1;
    if (bytes[at] !== QUOTE) return this.#escaped(bytes, from + 1, at, end);
    this.#start = from + 1;
    this.#end = at;
    this.#isCopied = false;
    return at + 1;
  }

  /** A string that is plain from `start` up to `runEnd`, and goes into the copy. */
  #escaped(bytes: Uint8Array, start: number, runEnd: number, end: number): number {
    const copy = this.#room(end - start);
    let to = this.#copied;
    this.#start = to;
    this.#isCopied = true;
    copyBytes(copy, to, bytes, start, runEnd);
    to += runEnd - start;
    let at = runEnd;
    let run = 0;
    while (at < end) {
      const byte = bytes[at++]!;
      if (ENDS_RUN[byte] === 0) {
        copy[to++] = byte;
        if (++run < SHORT_RUN_BYTES) continue;
        const stop = endOfRun(this.#view, bytes, at, end);
        copyBytes(copy, to, bytes, at, stop);
        to += stop - at;
        at = stop;
      } else if (byte === QUOTE) {
        this.#end = this.#copied = to;
        return at;
      } else {
        const plain = byte === BACKSLASH && at < end ? UNESCAPED[bytes[at++]!]! : 0;
        if (plain === 0) return -1;
        copy[to++] = plain;
        run = 0;
      }
    }
    return -1;
  }

  /** The copy with room for so many bytes more. */
  #room(bytes: number): Uint8Array {
    const needed = this.#copied + bytes;
    if (needed > this.#copy.length) {
      const larger = new Uint8Array(2 * needed);
      larger.set(this.#copy.subarray(0, this.#copied));
      this.#copy = larger;
    }
    return this.#copy;
  }

  #integer(bytes: Uint8Array, from: number, end: number): number {
    const isNegative = from < end && bytes[from] === MINUS;
    const first = isNegative ? from + 1 : from;
    let at = first;
    let number = 0;
    for (; at < end && bytes[at]! >= ZERO && bytes[at]! <= NINE; at++) {
      number = number * 10 + bytes[at]! - ZERO;
      if (at - first === DIGITS_MAX) return -1;
    }
    // No number of several digits begins with a zero.
    if (at === first || (bytes[first] === ZERO && at > first + 1)) return -1;
    this.#number = isNegative ? -number : number;
    return at;
  }

  /** Has key and value in one array. */
  #unite(bytes: Uint8Array): void {
    if (!this.#isKeyCopied && !this.#isValueCopied) {
      this.source = bytes;
      return;
    }
    const { keyStart, keyEnd, valueStart, valueEnd } = this;
    if (!this.#isKeyCopied && keyStart >= 0) {
      this.keyStart = this.#append(bytes, keyStart, keyEnd);
      this.keyEnd = this.#copied;
    }
    if (!this.#isValueCopied && valueStart >= 0) {
      this.valueStart = this.#append(bytes, valueStart, valueEnd);
      this.valueEnd = this.#copied;
    }
    this.source = this.#copy;
  }

  #append(bytes: Uint8Array, start: number, end: number): number {
    const to = this.#copied;
    copyBytes(this.#room(end - start), to, bytes, start, end);
    this.#copied = to + end - start;
    return to;
  }
}

/** Whether `what` stands at the position. */
function stands(what: Uint8Array, bytes: Uint8Array, at: number, end: number): boolean {
  if (at + what.length > end) return false;
  for (let i = 0; i < what.length; i++) if (bytes[at + i] !== what[i]) return false;
  return true;
}

/** The position behind JSON's whitespace, but for the newline: it ends lines. */
function pastSpace(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB || bytes[at] === CARRIAGE_RETURN)) {
    at++;
  }
  return at;
}

/** The position behind `[]`, −1 if something else stands there. */
function emptyList(bytes: Uint8Array, from: number, end: number): number {
  if (from >= end || bytes[from] !== OPEN_LIST) return -1;
  const at = pastSpace(bytes, from + 1, end);
  return at < end && bytes[at] === CLOSE_LIST ? at + 1 : -1;
}
