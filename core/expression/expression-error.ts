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
    const before = columnsOf(shown.slice(0, start - from));
    const meant = columnsOf(this.source.slice(start, Math.min(this.span.end, until)));
    return `  ${shown}\n  ${" ".repeat(before)}${"^".repeat(Math.max(1, meant))}`;
  }
}

/** Wide characters and emoji, which take two columns of a terminal; and marks, which take none. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u;
const MARK = /\p{M}|\u200d/u;

/** As many columns of a terminal as a text takes. */
function columnsOf(text: string): number {
  return [...text].reduce((sum, each) => sum + (MARK.test(each) ? 0 : WIDE.test(each) ? 2 : 1), 0);
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
