/**
 * Source of an expression to its tree, by acorn. Regular expressions are cut out here and not
 * validated by acorn, which would hand them to JavaScript's own engine.
 */
import { Parser, tokTypes } from "acorn";
import type { Expression, Options, TokenType } from "acorn";
import { ExpressionError } from "./expression-error.ts";

/** Longer sources are refused unseen. */
const SOURCE_CHARS_MAX = 10_000;

const OPTIONS: Options = { ecmaVersion: 2024, sourceType: "script", preserveParens: true };

/** Acorn's parser with its scanner of regular expressions replaced. */
class ExpressionParser extends Parser {
  declare protected pos: number;
  declare protected finishToken: (type: TokenType, value: unknown) => void;
  declare protected raise: (position: number, message: string) => never;

  /** Called behind the first slash; leaves the position behind the flags. */
  protected readRegexp(): void {
    const start = this.pos;
    let inClass = false;
    for (let at = start;; at++) {
      const char = this.input[at];
      if (char === undefined || char === "\n" || char === "\r") {
        this.raise(start - 1, "the regular expression does not end");
      }
      if (char === "\\") at++;
      else if (char === "[") inClass = true;
      else if (char === "]") inClass = false;
      else if (char === "/" && !inClass) {
        let end = at + 1;
        while (/[A-Za-z0-9_$]/.test(this.input[end] ?? "")) end++;
        this.pos = end;
        const pattern = this.input.slice(start, at);
        const flags = this.input.slice(at + 1, end);
        return this.finishToken(tokTypes.regexp, { pattern, flags, value: null });
      }
    }
  }
}

/** Parses one whole expression. Throws `ExpressionError`. */
export function parseExpression(source: string): Expression {
  if (source.length > SOURCE_CHARS_MAX) {
    throw new ExpressionError(
      `the expression has more than ${SOURCE_CHARS_MAX} characters`,
      source,
      { start: 0, end: 1 },
    );
  }
  if (source.trim() === "") {
    throw new ExpressionError("the expression is empty", source, { start: 0, end: 1 });
  }
  try {
    const tree = ExpressionParser.parseExpressionAt(source, 0, OPTIONS);
    refuseRest(source, tree.end);
    return tree;
  } catch (error) {
    if (error instanceof RangeError) {
      throw new ExpressionError("the expression is nested too deeply", source, {
        start: 0,
        end: 1,
      });
    }
    throw syntaxError(error, source);
  }
}

/** Behind the expression nothing but spaces and comments may stand. */
function refuseRest(source: string, end: number): void {
  const masked = " ".repeat(end) + source.slice(end);
  const token = ExpressionParser.tokenizer(masked, OPTIONS).getToken();
  if (token.type === tokTypes.eof) return;
  throw new ExpressionError("the expression ends before this", source, token);
}

function syntaxError(error: unknown, source: string): unknown {
  if (!(error instanceof SyntaxError) || !("pos" in error)) return error;
  const start = Number(error.pos);
  // Acorn's own messages end with line and column.
  const message = error.message.replace(/ \(\d+:\d+\)$/, "");
  const sentence = message === "Unexpected token"
    ? start >= source.length ? "the expression ends too early" : "this is not expected here"
    : message.charAt(0).toLowerCase() + message.slice(1);
  return new ExpressionError(sentence, source, { start, end: start + 1 });
}
