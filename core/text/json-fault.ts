/** Says where and why a text is no JSON, since `JSON.parse` does not tell the place. */

/** What is wrong, and in which column (in characters, from 1). */
export interface JsonFault {
  readonly message: string;
  readonly column: number;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;
/** The inside of a string up to what may not be there: its end, or a fault. */
// deno-lint-ignore no-control-regex -- JSON forbids control characters in strings
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
/** Deeper than this nobody writes by intention, and `JSON.parse` refuses it somewhere too. */
const DEPTH_MAX = 1000;

/** The first fault of bytes that `JSON.parse` has refused, or that are no UTF-8. */
export function findJsonFault(bytes: Uint8Array): JsonFault {
  const text = decoder.decode(bytes);
  const search = new FaultSearch(text);
  const fault = search.run();
  const broken = text.indexOf("\ufffd");
  if (broken >= 0 && (fault === null || broken < fault.column)) {
    return { message: "a byte that is no UTF-8", column: broken + 1 };
  }
  return fault ?? { message: "it cannot be read", column: 1 };
}

class Fault extends Error {
  constructor(override readonly message: string, readonly at: number) {
    super(message);
  }
}

/** A recursive descent over JSON's grammar (RFC 8259) that keeps nothing. */
class FaultSearch {
  #at = 0;

  constructor(readonly text: string) {}

  run(): JsonFault | null {
    try {
      this.#value(0);
      this.#skip(SPACE);
      if (this.#at < this.text.length) this.#unexpected("after the end of the value");
      return null;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return { message: error.message, column: error.at + 1 };
    }
  }

  #value(depth: number): void {
    if (depth > DEPTH_MAX) throw new Fault("it is nested too deep", this.#at);
    this.#skip(SPACE);
    const next = this.text[this.#at];
    if (next === "{") this.#items(depth, "}", true);
    else if (next === "[") this.#items(depth, "]", false);
    else if (next === '"') this.#string();
    else if (!this.#skip(WORD) && !this.#skip(NUMBER)) this.#unexpected("instead of a value");
  }

  #items(depth: number, close: string, named: boolean): void {
    this.#at++;
    this.#skip(SPACE);
    if (this.#take(close)) return;
    for (;;) {
      this.#skip(SPACE);
      if (named) {
        if (this.text[this.#at] !== '"') this.#unexpected("instead of a name in quotes");
        this.#string();
        this.#skip(SPACE);
        if (!this.#take(":")) this.#unexpected("instead of a colon");
      }
      this.#value(depth + 1);
      this.#skip(SPACE);
      if (this.#take(close)) return;
      if (!this.#take(",")) this.#unexpected(`instead of a comma or ${close}`);
    }
  }

  #string(): void {
    const from = this.#at;
    this.#skip(STRING);
    if (this.#take('"')) return;
    if (this.#at >= this.text.length) throw new Fault("a string is not closed", from);
    if (this.text[this.#at] === "\\") {
      throw new Fault("an escape that JSON does not have", this.#at);
    }
    throw new Fault("a control character in a string", this.#at);
  }

  #take(character: string): boolean {
    if (this.text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const length = pattern.exec(this.text)?.[0].length ?? 0;
    this.#at += length;
    return length > 0;
  }

  #unexpected(where: string): never {
    const character = this.text.codePointAt(this.#at);
    const what = character === undefined
      ? "it ends"
      : `unexpected ${JSON.stringify(String.fromCodePoint(character))}`;
    throw new Fault(`${what} ${where}`, this.#at);
  }
}
