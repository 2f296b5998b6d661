/**
 * The tokens of literals (Connect's `Values.Parser`): one of `: , { } [ ] "`, or all up to the next of
 * them. A backslash takes the meaning of the one behind it, and stays in the token.
 */
const DELIMITERS = ':,{}[]"';

/** Reads tokens, looks ahead one of them, and goes back. */
export class TokenReader {
  #at = 0;
  /** A token that was looked at and not taken. */
  #pending: string | null = null;

  constructor(readonly text: string) {}

  hasNext(): boolean {
    return this.#pending !== null || this.#at < this.text.length;
  }

  /** Whether nothing but white space is left. */
  isAtEnd(): boolean {
    return this.text.slice(this.mark()).trim() === "";
  }

  /** Where `rewind` comes back to. */
  mark(): number {
    return this.#at - (this.#pending?.length ?? 0);
  }

  rewind(mark: number): void {
    this.#at = mark;
    this.#pending = null;
  }

  skipAll(): void {
    this.rewind(this.text.length);
  }

  next(): string {
    const token = this.#pending ?? this.#read();
    this.#pending = null;
    return token;
  }

  /** The text of so many tokens, or null where there are fewer. */
  nextOf(count: number): string | null {
    const start = this.mark();
    for (let i = 0; i < count; i++) {
      if (!this.hasNext()) {
        this.rewind(start);
        return null;
      }
      this.next();
    }
    return this.text.slice(start, this.#at);
  }

  /** Takes the next token if it is this one; white space around it does not count. */
  take(expected: string): boolean {
    if (this.#pending === null) {
      if (this.#at >= this.text.length) return false;
      this.#pending = this.#read();
    }
    while (this.#pending.trim() === "" && this.#at < this.text.length) this.#pending = this.#read();
    if (this.#pending.trim() !== expected) return false;
    this.#pending = null;
    return true;
  }

  #read(): string {
    const start = this.#at;
    let isEscaped = false;
    for (; this.#at < this.text.length; this.#at++) {
      const char = this.text[this.#at]!;
      if (char === "\\") isEscaped = !isEscaped;
      else {
        if (!isEscaped && DELIMITERS.includes(char)) {
          if (this.#at === start) this.#at++;
          return this.text.slice(start, this.#at);
        }
        isEscaped = false;
      }
    }
    return this.text.slice(start);
  }
}
