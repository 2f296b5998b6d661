/** Where something stands in the source of an expression: UTF-16 units, end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** How much of a long line is shown around the place. */
const SHOWN_CHARS = 100;

/**
 * An expression cannot be compiled, or could not be evaluated for a record. `message` is one line;
 * `render()` adds the source with a caret under the place.
 */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";

  constructor(message: string, readonly source: string, readonly span: Span) {
    super(message);
  }

  /** The message and the excerpt. */
  render(): string {
    return `${this.message}\n${this.excerpt}`;
  }

  /**
   * The line of the source, and carets below what is meant:
   *
   *     valu.total > 100
   *     ^^^^
   */
  get excerpt(): string {
    const start = Math.min(this.span.start, this.source.length);
    const lineStart = this.source.lastIndexOf("\n", start - 1) + 1;
    const newline = this.source.indexOf("\n", start);
    const lineEnd = newline < 0 ? this.source.length : newline;
    const from = Math.max(lineStart, start - SHOWN_CHARS / 2);
    const until = Math.min(lineEnd, from + SHOWN_CHARS);
    const shown = this.source.slice(from, until).replaceAll(/[\t\r]/g, " ");
    const carets = Math.max(1, Math.min(this.span.end, until) - start);
    return `  ${shown}\n  ${" ".repeat(start - from)}${"^".repeat(carets)}`;
  }
}

/** Thrown while an expression runs; the compiled expression makes an `ExpressionError` of it. */
export class Fault extends Error {
  override readonly name = "Fault";

  constructor(message: string, readonly span: Span) {
    super(message);
  }
}

/** Ends the evaluation. */
export function fail(message: string, span: Span): never {
  throw new Fault(message, span);
}
