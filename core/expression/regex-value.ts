/**
 * Regular expressions of expressions: JavaScript's notation, RE2's syntax and matching, which takes
 * time linear in the text. Lookaround and back references do not exist there.
 */
import { RE2JS, RE2JSException, RE2JSSyntaxException } from "re2js";
import type { Matcher } from "re2js";
import { isRegexTooLarge } from "../regex.ts";
import type { Budget } from "./budget.ts";
import { fail } from "./expression-error.ts";
import type { Span } from "./expression-error.ts";

/** One match: its place and its groups, of which undefined took no part. */
export interface RegexMatch {
  readonly start: number;
  readonly end: number;
  readonly groups: readonly (string | undefined)[];
}

const FLAGS: Readonly<Record<string, number>> = {
  g: 0,
  u: 0,
  i: RE2JS.CASE_INSENSITIVE,
  m: RE2JS.MULTILINE,
  s: RE2JS.DOTALL,
};

/** A compiled literal. */
export class RegexValue {
  readonly #compiled: RE2JS;
  /** Steps per character. */
  readonly #size: number;
  /** Whether a match may have looked at text far behind its end. */
  readonly #unbounded: boolean;
  readonly global: boolean;

  /** Throws `Fault`. */
  constructor(readonly pattern: string, readonly flags: string, span: Span) {
    let bits = 0;
    for (const flag of flags) {
      const bit = Object.hasOwn(FLAGS, flag) ? FLAGS[flag] : undefined;
      if (bit === undefined) {
        fail(`the flag "${flag}" of a regular expression is none of g, i, m, s, u`, span);
      }
      bits |= bit;
    }
    if (new Set(flags).size < flags.length) fail("a flag of the regular expression is twice", span);
    this.global = flags.includes("g");
    this.#compiled = compile(pattern, bits, span);
    this.#size = this.#compiled.programSize();
    this.#unbounded = /[*+]|\{\d+,\}/.test(pattern);
  }

  toString(): string {
    return `/${this.pattern}/${this.flags}`;
  }

  /** Whether a match is anywhere in the text. */
  test(text: string, budget: Budget, span: Span): boolean {
    budget.spend((text.length + 1) * this.#size, span);
    return this.#compiled.test(text);
  }

  /** The first match, or null. */
  first(text: string, budget: Budget, span: Span): RegexMatch | null {
    budget.spend((text.length + 1) * this.#size, span);
    const matcher = this.#compiled.matcher(text);
    return matcher.find() ? matchOf(matcher) : null;
  }

  /** All matches that do not overlap, from the left. */
  *all(text: string, budget: Budget, span: Span): Generator<RegexMatch> {
    const matcher = this.#compiled.matcher(text);
    budget.spend((text.length + 1) * this.#size, span);
    while (matcher.find()) {
      const match = matchOf(matcher);
      // What is searched without stars is searched once, but for the length of a match.
      const again = this.#unbounded ? text.length - match.end + 1 : match.end - match.start + 1;
      budget.spend(again * this.#size, span);
      yield match;
    }
  }

  /** Names of groups, and which group each is. */
  names(): readonly (readonly [string, number])[] {
    return Object.entries(this.#compiled.namedGroups());
  }
}

function compile(pattern: string, bits: number, span: Span): RE2JS {
  const why = (reason: string) => fail(`the regular expression cannot be used: ${reason}`, span);
  const translated = RE2JS.translateRegExp(pattern);
  if (isRegexTooLarge(translated)) return why("it is too large");
  // A back reference would be read as the letter k or a number.
  if (/(^|[^\\])(\\\\)*\\([1-9]|k<)/.test(pattern)) return why("back references do not exist");
  try {
    return RE2JS.compile(translated, bits);
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return why(error.getDescription());
    if (error instanceof RE2JSException) return why(error.message);
    throw error;
  }
}

function matchOf(matcher: Matcher): RegexMatch {
  const groups: (string | undefined)[] = [];
  for (let i = 0; i <= matcher.groupCount(); i++) groups.push(matcher.group(i) ?? undefined);
  return { start: matcher.start(), end: matcher.end(), groups };
}
