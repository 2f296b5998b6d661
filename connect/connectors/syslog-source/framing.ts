/**
 * Where messages begin and end in a stream (RFC 6587): each says with digits how long it is, or ends
 * with a line feed; which of the two is seen of its first byte, message by message. What is longer
 * than allowed is cut, and the rest passed over without being held.
 */

/** One message; `isCut`: there was more of it. */
export interface Frame {
  readonly bytes: Buffer;
  readonly isCut: boolean;
}

const LF = 10;
const CR = 13;
const SPACE = 32;
/** `999999999 ` at most; a line that begins with more digits is one. */
const DIGITS_MAX = 9;

const EMPTY = Buffer.alloc(0);

/** The messages of one connection. */
export class Framer {
  #held: Buffer = EMPTY;
  /** Of a message that was cut: bytes to pass over, or all up to the end of the line. */
  #skip = 0;
  #skipsLine = false;

  constructor(readonly bytesMax: number) {}

  /** The messages that end in these bytes, which are not kept. */
  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let at = 0;
    while (at < data.length) {
      const next = this.#next(data, at, frames);
      if (next === null) break;
      at = next;
    }
    // A copy: the chunk may be used again by whoever gave it.
    this.#held = at === data.length ? EMPTY : Buffer.from(data.subarray(at));
    return frames;
  }

  /** The connection ends: what is there of a line is one. */
  end(): Frame[] {
    const rest = this.#held;
    this.#held = EMPTY;
    const isWhole = rest.length > 0 && lengthAt(rest, 0) === null;
    return isWhole ? [{ bytes: withoutEnd(rest), isCut: false }] : [];
  }

  /** Behind what was taken; null: more is needed. */
  #next(data: Buffer, at: number, frames: Frame[]): number | null {
    if (this.#skip > 0) {
      const count = Math.min(this.#skip, data.length - at);
      this.#skip -= count;
      return at + count;
    }
    if (this.#skipsLine) {
      const end = data.indexOf(LF, at);
      this.#skipsLine = end < 0;
      return end < 0 ? data.length : end + 1;
    }
    const length = lengthAt(data, at);
    if (length === "undecided") return null;
    return length === null ? this.#line(data, at, frames) : this.#counted(data, length, frames);
  }

  #counted(data: Buffer, { from, count }: Length, frames: Frame[]): number | null {
    const kept = Math.min(count, this.bytesMax);
    if (data.length - from < kept) return null;
    const bytes = Buffer.from(data.subarray(from, from + kept));
    frames.push({ bytes: withoutEnd(bytes), isCut: kept < count });
    this.#skip = count - kept;
    return from + kept;
  }

  #line(data: Buffer, at: number, frames: Frame[]): number | null {
    const found = data.indexOf(LF, at);
    const end = found < 0 ? data.length : found;
    const isCut = end - at > this.bytesMax;
    if (found < 0 && !isCut) return null;
    const bytes = withoutEnd(Buffer.from(data.subarray(at, isCut ? at + this.bytesMax : end)));
    if (bytes.length > 0) frames.push({ bytes, isCut });
    this.#skipsLine = found < 0;
    return found < 0 ? data.length : end + 1;
  }
}

interface Length {
  /** Where the message begins. */
  readonly from: number;
  readonly count: number;
}

/** Null: it is a line. */
function lengthAt(data: Buffer, at: number): Length | "undecided" | null {
  const first = data[at]!;
  if (first < 0x31 || first > 0x39) return null;
  let end = at;
  while (end - at <= DIGITS_MAX && end < data.length && data[end]! >= 0x30 && data[end]! <= 0x39) {
    end++;
  }
  if (end - at > DIGITS_MAX) return null;
  if (end === data.length) return "undecided";
  if (data[end] !== SPACE) return null;
  return { from: end + 1, count: Number(data.toString("latin1", at, end)) };
}

/** Without what some put behind a message. */
export function withoutEnd(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === LF || bytes[end - 1] === CR || bytes[end - 1] === 0)) end--;
  return bytes.subarray(0, end);
}
