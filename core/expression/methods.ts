/** Methods by name, for every kind of value. What a kind lacks is a fault, but null has them all. */
import { ARRAY_METHODS } from "./array-methods.ts";
import { integerArg, textArg } from "./callable.ts";
import type { Call, MethodEntry, Signature } from "./callable.ts";
import { RegexValue } from "./regex-value.ts";
import { STRING_METHODS } from "./string-methods.ts";

const NUMBER_METHODS: Readonly<Record<string, (self: number, call: Call) => unknown>> = {
  toFixed: (self, call) => self.toFixed(integerArg(call, 0, 0, 0, 100)),
  toPrecision: (self, call) =>
    call.args[0] === undefined ? String(self) : self.toPrecision(integerArg(call, 0, 1, 1, 100)),
  toString: (self: number, call: Call) => self.toString(integerArg(call, 0, 10, 2, 36)),
};

const BIGINT_METHODS: Readonly<Record<string, (self: bigint, call: Call) => unknown>> = {
  toString: (self: bigint, call: Call) => self.toString(integerArg(call, 0, 10, 2, 36)),
};

const BOOLEAN_METHODS: Readonly<Record<string, (self: boolean, call: Call) => unknown>> = {
  toString: (self: boolean) => String(self),
};

const REGEX_METHODS: Readonly<Record<string, (self: RegexValue, call: Call) => unknown>> = {
  test: (self, call) => self.test(textArg(call, 0), call.scope.budget, call.span),
  exec: (self, call) => self.first(textArg(call, 0), call.scope.budget, call.span)?.groups ?? null,
};

const TABLES = {
  string: STRING_METHODS,
  array: ARRAY_METHODS,
  number: NUMBER_METHODS,
  bigint: BIGINT_METHODS,
  boolean: BOOLEAN_METHODS,
  regex: REGEX_METHODS,
};

const takes = (argsMin: number, argsMax: number): Signature => ({
  argsMin,
  argsMax,
  arrow: "never",
});
const ARROW: Signature = { argsMin: 0, argsMax: 0, arrow: "must" };

/** Everything that takes something else than nothing or one optional argument. */
const SIGNATURES: Readonly<Record<string, Signature>> = {
  concat: takes(0, Infinity),
  endsWith: takes(1, 2),
  every: ARROW,
  exec: takes(1, 1),
  filter: ARROW,
  find: ARROW,
  findIndex: ARROW,
  findLast: ARROW,
  findLastIndex: ARROW,
  flatMap: ARROW,
  includes: takes(1, 2),
  indexOf: takes(1, 2),
  lastIndexOf: takes(1, 2),
  map: ARROW,
  match: takes(1, 1),
  matchAll: takes(1, 1),
  padEnd: takes(1, 2),
  padStart: takes(1, 2),
  reduce: { argsMin: 0, argsMax: 1, arrow: "must" },
  reduceRight: { argsMin: 0, argsMax: 1, arrow: "must" },
  repeat: takes(1, 1),
  replace: takes(2, 2),
  replaceAll: takes(2, 2),
  search: takes(1, 1),
  slice: takes(0, 2),
  some: ARROW,
  sort: { argsMin: 0, argsMax: 0, arrow: "may" },
  split: takes(1, 2),
  startsWith: takes(1, 2),
  substring: takes(1, 2),
  test: takes(1, 1),
  toSorted: { argsMin: 0, argsMax: 0, arrow: "may" },
};

const NAMES = new Set(Object.values(TABLES).flatMap((table) => Object.keys(table)));

/** All methods by name. */
export const METHODS: ReadonlyMap<string, MethodEntry> = new Map(
  [...NAMES].map((name): [string, MethodEntry] => {
    const signature = Object.hasOwn(SIGNATURES, name) ? SIGNATURES[name]! : takes(0, 1);
    const of = Object.fromEntries(
      Object.entries(TABLES).flatMap(([kind, table]) =>
        Object.hasOwn(table, name) ? [[kind, table[name]]] : []
      ),
    );
    return [name, { ...signature, of }];
  }),
);
