/** Methods of arrays. None changes its array: `sort` and `reverse` give a new one. */
import { ELEMENT_UNITS } from "./budget.ts";
import { arrowOf, integerArg, numberArg, textArg } from "./callable.ts";
import type { Call } from "./callable.ts";
import { fail } from "./expression-error.ts";
import { flatten, joinText, toNumber, toText } from "./values.ts";

type ArrayMethod = (self: readonly unknown[], call: Call) => unknown;

/** Levels that `flat` takes at most. */
const LEVELS_MAX = 1000;

/** Charges an array of so many elements. */
function takeElements(count: number, { scope, span }: Call): void {
  scope.budget.take(count * ELEMENT_UNITS, span);
  scope.budget.spend(count, span);
}

/** A method that gives a copy. */
function copy(run: (self: readonly unknown[], call: Call) => unknown[]): ArrayMethod {
  return (self, call) => {
    takeElements(self.length, call);
    return run(self, call);
  };
}

/** A method that looks at elements until its arrow says what it wants to hear. */
function scan(
  run: (self: readonly unknown[], test: (value: unknown, index: number) => boolean) => unknown,
): ArrayMethod {
  return (self, call) => {
    const arrow = arrowOf(call);
    call.scope.budget.spend(1, call.span);
    return run(self, (value, index) => Boolean(arrow(call.scope, value, index, self)));
  };
}

function find(
  run: (self: readonly unknown[], wanted: unknown, call: Call) => unknown,
): ArrayMethod {
  return (self, call) => {
    const [wanted] = call.args;
    const longText = typeof wanted === "string" ? wanted.length >> 5 : 0;
    call.scope.budget.spend(self.length * (1 + longText), call.span);
    return run(self, wanted, call);
  };
}

function filter(self: readonly unknown[], call: Call): unknown[] {
  const arrow = arrowOf(call);
  const kept = self.filter((value, index) => arrow(call.scope, value, index, self));
  takeElements(kept.length, call);
  return kept;
}

function map(self: readonly unknown[], call: Call): unknown[] {
  const arrow = arrowOf(call);
  takeElements(self.length, call);
  return self.map((value, index) => arrow(call.scope, value, index, self));
}

function flatMap(self: readonly unknown[], call: Call): unknown[] {
  return flatten(map(self, call), 1, call.scope.budget, call.span);
}

function reduce(self: readonly unknown[], call: Call, fromRight: boolean): unknown {
  const arrow = arrowOf(call);
  const values = fromRight ? self.toReversed() : self;
  const given = call.args.length > 0;
  if (!given && values.length === 0) {
    return fail("reduce of an empty array needs a value to begin with", call.span);
  }
  let result = given ? call.args[0] : values[0];
  for (let i = given ? 0 : 1; i < values.length; i++) {
    result = arrow(call.scope, result, values[i], fromRight ? values.length - 1 - i : i);
  }
  return result;
}

function concat(self: readonly unknown[], call: Call): unknown[] {
  return flatten([self, ...call.args], 1, call.scope.budget, call.span);
}

/** With an arrow by its number, without by the text of the elements; undefined comes last. */
function sort(self: readonly unknown[], call: Call): unknown[] {
  const { scope, span, callback } = call;
  takeElements(self.length, call);
  if (callback !== null) {
    return self.toSorted((a, b) => toNumber(callback(scope, a, b), scope.budget, span) || 0);
  }
  const texts = self.map((value) => value === undefined ? null : toText(value, scope.budget, span));
  const order = self.map((_value, index) => index).sort((a, b) => {
    const left = texts[a]!;
    const right = texts[b]!;
    scope.budget.spend(1 + (Math.min(left?.length ?? 0, right?.length ?? 0) >> 5), span);
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return left < right ? -1 : left > right ? 1 : 0;
  });
  return order.map((index) => self[index]);
}

/** All of them; the compiler looks their names up here. */
export const ARRAY_METHODS: Readonly<Record<string, ArrayMethod>> = {
  at: (self, call) => self.at(numberArg(call, 0, 0)),
  concat,
  every: scan((self, test) => self.every(test)),
  filter,
  find: scan((self, test) => self.find(test)),
  findIndex: scan((self, test) => self.findIndex(test)),
  findLast: scan((self, test) => self.findLast(test)),
  findLastIndex: scan((self, test) => self.findLastIndex(test)),
  flat: (self, call) => {
    const levels = call.args[0] === Infinity ? LEVELS_MAX : integerArg(call, 0, 1, 0, LEVELS_MAX);
    return flatten(self, levels, call.scope.budget, call.span);
  },
  flatMap,
  includes: find((self, wanted) => self.includes(wanted)),
  indexOf: find((self, wanted) => self.indexOf(wanted)),
  join: (self, call) => {
    const separator = call.args[0] === undefined ? "," : textArg(call, 0);
    return joinText(self, separator, call.scope.budget, call.span, 0);
  },
  lastIndexOf: find((self, wanted) => self.lastIndexOf(wanted)),
  map,
  reduce: (self, call) => reduce(self, call, false),
  reduceRight: (self, call) => reduce(self, call, true),
  reverse: copy((self) => self.toReversed()),
  slice: copy((self, call) => self.slice(numberArg(call, 0, 0), numberArg(call, 1, self.length))),
  some: scan((self, test) => self.some(test)),
  sort,
  toReversed: copy((self) => self.toReversed()),
  toSorted: sort,
  toString: (self: readonly unknown[], call: Call) =>
    joinText(self, ",", call.scope.budget, call.span, 0),
};
