/** Cuts a stream of bytes into the JSON objects that stand in it one behind the other. */

/** What stands between objects, or an object that does not end. */
export class JsonObjectsError extends Error {
  override readonly name = "JsonObjectsError";
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPEN = 123;
const CLOSE = 125;
/** Whitespace, and what joins the objects of an array or a list. */
const BETWEEN: ReadonlySet<number> = new Set([32, 9, 10, 13]);

/** See the head of the file. */
export class JsonObjects {
  #parts: Uint8Array[] = [];
  #size = 0;
  #depth = 0;
  #inString = false;
  #isEscaped = false;

  constructor(readonly bytesMax: number) {}

  /** Whether an object is begun and not ended. */
  get isInside(): boolean {
    return this.#depth > 0;
  }

  /** The objects that end in the bytes, each whole. Throws `JsonObjectsError`. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    let start = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (this.#inString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#inString = false;
        continue;
      }
      if (this.#depth === 0) {
        start = at;
        if (BETWEEN.has(byte)) continue;
        if (byte !== OPEN) throw new JsonObjectsError("something else than an object stands here");
        this.#depth = 1;
      } else if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN) this.#depth++;
      else if (byte === CLOSE && --this.#depth === 0) {
        yield this.#whole(bytes.subarray(start, at + 1));
        start = at + 1;
      }
    }
    if (this.#depth > 0) this.#keep(bytes.slice(start));
  }

  #whole(last: Uint8Array): Uint8Array {
    if (this.#parts.length === 0) return last;
    this.#keep(last);
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#size = 0;
    return whole;
  }

  #keep(bytes: Uint8Array): void {
    this.#size += bytes.length;
    if (this.#size > this.bytesMax) {
      throw new JsonObjectsError(`an object has more than ${this.bytesMax} bytes`);
    }
    this.#parts.push(bytes);
  }
}
