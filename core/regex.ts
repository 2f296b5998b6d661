/**
 * Regular expressions of others. RE2's syntax and matching, which takes time linear in the input
 * whatever the expression is; JavaScript's own engine must never see what a client sends.
 */
import { RE2JS, RE2JSException, RE2JSSyntaxException } from "re2js";

/** A compiled expression. */
export interface Regex {
  /** Whether all of the text matches. */
  matches(text: string): boolean;
}

/** The compiled expression, or what is wrong with it, in RE2's words. */
export type CompiledRegex =
  | { readonly ok: true; readonly regex: Regex }
  | { readonly ok: false; readonly why: string };

/** Longer expressions are refused: what compiles to too large a program costs memory. */
const REGEX_CHARS_MAX = 10_000;

/** Compiles an expression of RE2's syntax. */
export function compileRegex(source: string): CompiledRegex {
  if (source.length > REGEX_CHARS_MAX) return { ok: false, why: "it is too long" };
  try {
    const compiled = RE2JS.compile(source);
    return { ok: true, regex: { matches: (text) => compiled.matches(text) } };
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return { ok: false, why: error.getDescription() };
    if (error instanceof RE2JSException) return { ok: false, why: error.message };
    throw error;
  }
}
