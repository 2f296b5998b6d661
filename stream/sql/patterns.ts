/**
 * Functions with a regular expression, in RE2's syntax, which take time linear in the text. It is written in
 * the query, so that it is compiled once, and what is wrong with it is told before anything runs.
 */
import { ExpressionError } from "../../core/expression/expression-error.ts";
import { compileRegex, type Regex } from "../../core/regex.ts";
import type { CallForm, Expr } from "./syntax.ts";
import { toNumber, toText } from "./values.ts";

interface PatternFunction {
  readonly min: number;
  readonly max: number;
  /** Which argument the pattern is. */
  readonly patternAt: number;
  /** Without the pattern; texts that are null are not asked of. */
  readonly call: (regex: Regex, text: string, rest: readonly unknown[]) => unknown;
}

/** See the head of the file. Groups of the regex are one more than those of its author: see `find`. */
export const PATTERN_FUNCTIONS: ReadonlyMap<string, PatternFunction> = new Map([
  ["regexp_like", {
    ...{ min: 2, max: 2, patternAt: 1 },
    call: (regex: Regex, text: string) => regex.matches(text),
  }],
  ["regexp_extract", {
    ...{ min: 2, max: 3, patternAt: 0 },
    call(regex: Regex, text: string, [group = 0]: readonly unknown[]) {
      const at = toNumber(group);
      return at === null ? null : regex.groups(text)?.[Number(at) + 1] ?? null;
    },
  }],
]);

/** The function of the values of its other arguments. Throws `ExpressionError`. */
export function patternCall(
  known: PatternFunction,
  { name, args }: CallForm & Pick<Expr, "span">,
  text: string,
): (...others: readonly unknown[]) => unknown {
  const pattern = args[known.patternAt]!;
  if (pattern.kind !== "literal" || typeof pattern.value !== "string") {
    throw new ExpressionError(`the pattern of ${name} is a text in quotes`, text, pattern.span);
  }
  const regex = find(pattern.value, text, pattern);
  return (of, ...rest) => {
    const subject = toText(of);
    return subject === null ? null : known.call(regex, subject, rest);
  };
}

/** The pattern anywhere in a text: what it matches is the first group. */
function find(source: string, text: string, { span }: Pick<Expr, "span">): Regex {
  const alone = compileRegex(source);
  const found = alone.ok ? compileRegex(`(?s:.*?)(${source})(?s:.*)`) : alone;
  if (found.ok) return found.regex;
  throw new ExpressionError(`the regular expression cannot be used: ${found.why}`, text, span);
}
