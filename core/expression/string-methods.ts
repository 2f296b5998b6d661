/** Methods of strings. What they make is charged before it is there, where it can outgrow the text. */
import { ELEMENT_UNITS } from "./budget.ts";
import { integerArg, numberArg, textArg } from "./callable.ts";
import type { Call } from "./callable.ts";
import { fail } from "./expression-error.ts";
import { RegexValue } from "./regex-value.ts";
import type { RegexMatch } from "./regex-value.ts";

/** What a `$` in a replacement costs. */
const DOLLAR_STEPS = 20;

type StringMethod = (self: string, call: Call) => unknown;

/** A search of a naive engine compares the needle at each place, in the worst case. */
function chargeSearch(text: string, needle: string, { scope, span }: Call): void {
  scope.budget.spend((text.length >> 3) * (1 + (needle.length >> 6)) + 1, span);
}

/** A method that makes a text about as long as `self`. */
function transform(run: (self: string, call: Call) => string): StringMethod {
  return (self, call) => {
    call.scope.budget.spend(self.length >> 3, call.span);
    const text = run(self, call);
    call.scope.budget.take(text.length, call.span);
    return text;
  };
}

/** A method that searches for the text of its first argument. */
function search(
  run: (self: string, needle: string, position: number | undefined) => unknown,
): StringMethod {
  return (self, call) => {
    if (call.args[0] instanceof RegexValue) {
      return fail("this takes a string: use /…/.test(x), match or search", call.span);
    }
    const needle = textArg(call, 0);
    chargeSearch(self, needle, call);
    return run(self, needle, call.args[1] === undefined ? undefined : numberArg(call, 1));
  };
}

function pad(run: (self: string, length: number, fill: string) => string): StringMethod {
  return (self, call) => {
    const length = numberArg(call, 0, 0);
    call.scope.budget.take(Math.max(self.length, length || 0), call.span);
    return run(self, length, call.args[1] === undefined ? " " : textArg(call, 1));
  };
}

function repeat(self: string, call: Call): string {
  const count = integerArg(call, 0, 0, 0, Number.MAX_SAFE_INTEGER);
  call.scope.budget.take(self.length * count, call.span);
  return self === "" ? "" : self.repeat(count);
}

function concat(self: string, call: Call): string {
  let text = self;
  for (let i = 0; i < call.args.length; i++) text += textArg(call, i);
  call.scope.budget.take(text.length, call.span);
  return text;
}

function split(self: string, call: Call): (string | undefined)[] {
  const { scope, span, args } = call;
  const limit = args[1] === undefined ? Infinity : numberArg(call, 1) >>> 0;
  const [separator] = args;
  let parts: (string | undefined)[] = [];
  if (separator instanceof RegexValue) {
    if (self === "") return separator.test("", scope.budget, span) ? [] : [""];
    let from = 0;
    for (const { start, end, groups } of separator.all(self, scope.budget, span)) {
      // As in JavaScript: no empty part between two matches, and none behind the end.
      if (end === from || start === self.length) continue;
      scope.budget.take(ELEMENT_UNITS, span);
      parts.push(self.slice(from, start), ...groups.slice(1));
      from = end;
    }
    parts.push(self.slice(from));
  } else if (separator === undefined) {
    parts = [self];
  } else {
    const text = textArg(call, 0);
    chargeSearch(self, text, call);
    parts = self.split(text);
  }
  scope.budget.take(parts.length * ELEMENT_UNITS + self.length, span);
  return parts.length > limit ? parts.slice(0, limit) : parts;
}

/** `match`: the groups of the first match, with the flag g the texts of all, or null. */
function match(self: string, call: Call): unknown {
  const { scope, span } = call;
  const regex = regexArg(call);
  if (!regex.global) return regex.first(self, scope.budget, span)?.groups ?? null;
  const texts: string[] = [];
  for (const { groups } of regex.all(self, scope.budget, span)) {
    scope.budget.take(ELEMENT_UNITS, span);
    texts.push(groups[0] ?? "");
  }
  return texts.length === 0 ? null : texts;
}

/** `matchAll`: the groups of every match. */
function matchAll(self: string, call: Call): unknown[] {
  const { scope, span } = call;
  const found: unknown[] = [];
  for (const { groups } of regexArg(call).all(self, scope.budget, span)) {
    scope.budget.take((groups.length + 1) * ELEMENT_UNITS, span);
    found.push(groups);
  }
  return found;
}

function regexArg(call: Call): RegexValue {
  const [regex] = call.args;
  return regex instanceof RegexValue
    ? regex
    : fail("this takes a regular expression: write /…/", call.span);
}

function replace(self: string, call: Call, all: boolean): string {
  const { scope, span } = call;
  const replacement = textArg(call, 1);
  let text = "";
  let from = 0;
  for (const found of findAll(self, call, all)) {
    const put = substitute(replacement, self, found, call);
    scope.budget.take(found.start - from + put.length + ELEMENT_UNITS, span);
    text += self.slice(from, found.start) + put;
    from = found.end;
  }
  scope.budget.take(self.length - from, span);
  return text + self.slice(from);
}

function* findAll(self: string, call: Call, all: boolean): Generator<RegexMatch> {
  const { scope, span, args: [pattern] } = call;
  if (pattern instanceof RegexValue) {
    if (all && !pattern.global) fail("replaceAll needs the flag g", span);
    if (pattern.global) return yield* pattern.all(self, scope.budget, span);
    const first = pattern.first(self, scope.budget, span);
    if (first !== null) yield first;
    return;
  }
  const needle = textArg(call, 0);
  chargeSearch(self, needle, call);
  let at = self.indexOf(needle);
  while (at >= 0) {
    scope.budget.spend(1, span);
    yield { start: at, end: at + needle.length, groups: [needle] };
    if (!all || at >= self.length) return;
    at = self.indexOf(needle, at + Math.max(needle.length, 1));
  }
}

/** What `$&`, `$1` and the like in a replacement stand for (ECMAScript's GetSubstitution). */
function substitute(replacement: string, text: string, match: RegexMatch, call: Call): string {
  if (!replacement.includes("$")) return replacement;
  const { budget } = call.scope;
  const groupCount = match.groups.length - 1;
  let result = "";
  let from = 0;
  for (let at = replacement.indexOf("$"); at >= 0; at = replacement.indexOf("$", from)) {
    budget.spend(DOLLAR_STEPS, call.span);
    const [put, length] = dollar(replacement, at, text, match, groupCount);
    budget.take(at - from + put.length, call.span);
    result += replacement.slice(from, at) + put;
    from = at + length;
  }
  return result + replacement.slice(from);
}

/** What stands for the dollar at `at`, and how many characters of the replacement that takes. */
function dollar(
  replacement: string,
  at: number,
  text: string,
  { start, end, groups }: RegexMatch,
  groupCount: number,
): readonly [string, number] {
  const next = replacement[at + 1];
  if (next === "$") return ["$", 2];
  if (next === "&") return [groups[0] ?? "", 2];
  if (next === "`") return [text.slice(0, start), 2];
  if (next === "'") return [text.slice(end), 2];
  for (const digits of [2, 1]) {
    const number = replacement.slice(at + 1, at + 1 + digits);
    if (number.length < digits || !/^\d+$/.test(number)) continue;
    const index = Number(number);
    if (index >= 1 && index <= groupCount) return [groups[index] ?? "", 1 + digits];
  }
  return ["$", 1];
}

/** All of them; the compiler looks their names up here. */
export const STRING_METHODS: Readonly<Record<string, StringMethod>> = {
  at: (self, call) => self.at(numberArg(call, 0, 0)),
  charAt: (self, call) => self.charAt(numberArg(call, 0, 0)),
  charCodeAt: (self, call) => self.charCodeAt(numberArg(call, 0, 0)),
  codePointAt: (self, call) => self.codePointAt(numberArg(call, 0, 0)),
  concat,
  endsWith: search((self, needle, position) => self.endsWith(needle, position)),
  includes: search((self, needle, position) => self.includes(needle, position)),
  indexOf: search((self, needle, position) => self.indexOf(needle, position)),
  lastIndexOf: search((self, needle, position) => self.lastIndexOf(needle, position)),
  match,
  matchAll,
  normalize: transform((self, call) => {
    const form = call.args[0] === undefined ? "NFC" : textArg(call, 0);
    if (!["NFC", "NFD", "NFKC", "NFKD"].includes(form)) {
      return fail("the form is none of NFC, NFD, NFKC, NFKD", call.span);
    }
    return self.normalize(form);
  }),
  padEnd: pad((self, length, fill) => self.padEnd(length, fill)),
  padStart: pad((self, length, fill) => self.padStart(length, fill)),
  repeat,
  replace: (self, call) => replace(self, call, false),
  replaceAll: (self, call) => replace(self, call, true),
  search: (self, call) => regexArg(call).first(self, call.scope.budget, call.span)?.start ?? -1,
  slice: (self, call) => self.slice(numberArg(call, 0, 0), numberArg(call, 1, self.length)),
  split,
  startsWith: search((self, needle, position) => self.startsWith(needle, position)),
  substring: (self, call) => self.substring(numberArg(call, 0, 0), numberArg(call, 1, self.length)),
  toLowerCase: transform((self) => self.toLowerCase()),
  toString: (self: string) => self,
  toUpperCase: transform((self) => self.toUpperCase()),
  trim: transform((self) => self.trim()),
  trimEnd: transform((self) => self.trimEnd()),
  trimStart: transform((self) => self.trimStart()),
};
