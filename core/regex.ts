/**
 * Regular expressions of others. RE2's syntax and matching, which takes time linear in the input
 * whatever the expression is; JavaScript's own engine must never see what a client sends. The time is
 * linear in the expression too, as its repetitions are written out, so that is bounded before it is
 * compiled.
 */
import { RE2JS, RE2JSException, RE2JSSyntaxException } from "re2js";

/** A compiled expression. */
export interface Regex {
  /** Whether all of the text matches. */
  matches(text: string): boolean;
  /** All of the text and what its groups have matched ("": nothing); null: it does not match. */
  groups(text: string): readonly string[] | null;
  /**
   * The text with the first match of a part of it replaced: `$1` and `${name}` are what groups have
   * matched, a backslash takes the meaning of what is behind it (Java's `Matcher.replaceFirst`).
   * Null: the replacement names a group that there is not, or ends early.
   */
  replaceFirst(text: string, replacement: string): string | null;
}

/** The compiled expression, or what is wrong with it, in RE2's words. */
export type CompiledRegex =
  | { readonly ok: true; readonly regex: Regex }
  | { readonly ok: false; readonly why: string };

/** Longer expressions are refused unseen. */
const REGEX_CHARS_MAX = 10_000;
/** What an expression may be with its repetitions written out, in characters and classes. */
const REGEX_SIZE_MAX = 2_000;

/** Compiles an expression of RE2's syntax. */
export function compileRegex(source: string): CompiledRegex {
  if (isRegexTooLarge(source)) {
    return { ok: false, why: "expression is too large" };
  }
  try {
    const compiled = RE2JS.compile(source);
    const groups = (text: string) => {
      const matcher = compiled.matcher(text);
      if (!matcher.matches()) return null;
      return Array.from({ length: matcher.groupCount() + 1 }, (_, at) => matcher.group(at) ?? "");
    };
    const replaceFirst = (text: string, replacement: string) => {
      try {
        return compiled.matcher(text).replaceFirst(replacement, true);
      } catch (error) {
        if (error instanceof RE2JSException) return null;
        throw error;
      }
    };
    return { ok: true, regex: { matches: (text) => compiled.matches(text), groups, replaceFirst } };
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return { ok: false, why: error.getDescription() };
    if (error instanceof RE2JSException) return { ok: false, why: error.message };
    throw error;
  }
}

/** Whether compiling it would take too long: see the head of the file. */
export function isRegexTooLarge(source: string): boolean {
  return source.length > REGEX_CHARS_MAX || regexSize(source) > REGEX_SIZE_MAX;
}

/** Where the token at `start` ends: an escape, a class, a counted repetition, or a character. */
function tokenEnd(source: string, start: number): number {
  const after = (text: string, from: number) => {
    const found = source.indexOf(text, from);
    return found === -1 ? source.length : found + text.length;
  };
  switch (source[start]) {
    case "\\":
      return source[start + 1] === "Q" ? after("\\E", start + 2) : start + 2;
    case "{": {
      let end = start + 1;
      while ("0123456789,".includes(source[end] ?? "x")) end++;
      // Anything else in braces is text.
      return source[end] === "}" && end > start + 1 ? end + 1 : start + 1;
    }
    case "[": {
      let end = start + 1;
      if (source[end] === "^") end++;
      // A bracket that comes first is no end.
      if (source[end] === "]") end++;
      while (end < source.length && source[end] !== "]") {
        if (source.startsWith("[:", end)) end = after(":]", end);
        else end += source[end] === "\\" ? 2 : 1;
      }
      return end + 1;
    }
    default:
      return start + 1;
  }
}

/** About how many characters and classes there are once counted repetitions are written out. */
function regexSize(source: string): number {
  const groups = [0];
  let last = 0;
  for (let start = 0; start < source.length;) {
    const end = tokenEnd(source, start);
    const token = source.slice(start, end);
    start = end;
    const top = groups.length - 1;
    if (token === "(") {
      groups.push(0);
      last = 0;
    } else if (token === ")" && top > 0) {
      last = groups.pop()! + 1;
      groups[top - 1]! += last;
    } else if (token.startsWith("{") && token.length > 1) {
      const times = Math.max(...token.slice(1, -1).split(",").map(Number));
      const repeated = last * Math.max(times - 1, 1);
      groups[top]! += repeated;
      last += repeated;
    } else {
      last = token.startsWith("\\Q") ? token.length : 1;
      groups[top]! += last;
    }
  }
  return groups.reduce((sum, size) => sum + size, 0);
}
