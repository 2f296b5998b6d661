/** Expressions of a query as functions of a row. */
import { ExpressionError, type Span } from "../../core/expression/expression-error.ts";
import { didYouMean } from "../../core/did-you-mean.ts";
import { AGGREGATES } from "./aggregates.ts";
import { parseExactJson } from "./exact-json.ts";
import { FUNCTIONS, INSTEAD_OF } from "./functions.ts";
import { isLike } from "./like.ts";
import { PATTERN_FUNCTIONS, patternCall } from "./patterns.ts";
import { TIME_UNITS, toTimeMs } from "./times.ts";
import type { BinaryOperator, CallForm, Expr, UnaryOperator } from "./syntax.ts";
import {
  arithmetic,
  compare,
  element,
  property,
  rounded,
  toBoolean,
  toNumber,
  toText,
} from "./values.ts";

/** What an expression is evaluated over. */
export interface Row {
  /** The values of the sources, in their order; null where a join found none. */
  readonly values: readonly unknown[];
  readonly key: unknown;
  readonly timeMs: number;
  readonly window: { readonly startMs: number; readonly endMs: number } | null;
  /** Of groups: what they are of, and then what their aggregates have come to. */
  readonly slots: readonly unknown[];
}

export type Evaluate = (row: Row) => unknown;

/** What names mean. */
export interface Names {
  readonly text: string;
  /** What each source is called. */
  readonly aliases: readonly string[];
  /** What `windowstart` is: of records nothing is known yet of the windows that they come into. */
  readonly windows: "none" | "not yet" | "known";
  /** Sources whose rows come with their own key and time (`KeptRow`). */
  readonly kept: ReadonlySet<number>;
  /** Rows are of tables: their time is that of the latest that they are made of, which are kept then. */
  readonly isOfTables: boolean;
}

/** A row of a source with what it went by in its topic, for another key may be that of the joined one. */
export type KeptRow = readonly [value: unknown, key: string | null, timeMs: number];

/** The value of a source in rows; null where a join found none. */
export function sourceValue({ kept }: Names, at: number): (values: readonly unknown[]) => unknown {
  if (!kept.has(at)) return (values) => values[at] ?? null;
  return (values) => keptRow(values, at)?.[0] ?? null;
}

function keptRow(values: readonly unknown[], at: number): KeptRow | null {
  // Rows of this source are put as such.
  return (values[at] ?? null) as KeptRow | null;
}

/** Columns that every row has. */
const PSEUDO: ReadonlyMap<string, Evaluate> = new Map<string, Evaluate>([
  ["rowkey", ({ key }) => key],
  ["rowtime", ({ timeMs }) => timeMs],
  ["windowstart", ({ window }) => window?.startMs ?? null],
  ["windowend", ({ window }) => window?.endMs ?? null],
]);

/** Their names, in small letters. */
export const PSEUDO_FIELDS: ReadonlySet<string> = new Set(PSEUDO.keys());

/** Throws `ExpressionError`. */
export function compileExpr(expr: Expr, names: Names): Evaluate {
  const compile = (inner: Expr) => compileExpr(inner, names);
  switch (expr.kind) {
    case "literal": {
      const { value } = expr;
      return () => value;
    }
    case "path":
      return compilePath(expr.names, expr.span, names);
    case "member": {
      const [of, { name }] = [compile(expr.of), expr];
      return (row) => property(of(row), name);
    }
    case "index": {
      const [of, index] = [compile(expr.of), compile(expr.index)];
      return (row) => element(of(row), index(row));
    }
    case "unary":
      return unary(expr.operator, compile(expr.of));
    case "binary": {
      const [left, right] = [timeText(expr, "left", names), timeText(expr, "right", names)];
      return binary(expr.operator, compile(left), compile(right));
    }
    case "in": {
      const [of, list] = [compile(expr.of), expr.list.map(compile)];
      return (row) => isIn(of(row), list.map((item) => item(row)));
    }
    case "like": {
      const [of, pattern] = [compile(expr.of), compile(expr.pattern)];
      return (row) => {
        const [text, form] = [toText(of(row)), toText(pattern(row))];
        return text === null || form === null ? null : isLike(text, form, expr);
      };
    }
    case "case": {
      const branches = expr.branches.map(({ when, then }) =>
        [compile(when), compile(then)] as const
      );
      const otherwise = expr.otherwise === null ? () => null : compile(expr.otherwise);
      return (row) => {
        const branch = branches.find(([when]) => toBoolean(when(row)) === true);
        return branch === undefined ? otherwise(row) : branch[1](row);
      };
    }
    case "cast":
      return cast(expr, compile(expr.of));
    case "list": {
      const items = expr.items.map(compile);
      return (row) => items.map((item) => item(row));
    }
    case "slot": {
      const { at } = expr;
      return ({ slots }) => slots[at] ?? null;
    }
    case "call":
      return compileCall(expr, names);
  }
}

function compilePath(path: readonly string[], span: Span, names: Names): Evaluate {
  const [first, ...rest] = path as [string, ...string[]];
  const { aliases, text } = names;
  const source = aliases.indexOf(first);
  const isQualified = source >= 0 && rest.length > 0;
  const [head, ...tail] = isQualified
    ? rest as [string, ...string[]]
    : path as [string, ...string[]];
  const pseudo = tail.length === 0 ? head.toLowerCase() : "";
  if (PSEUDO.has(pseudo)) return compilePseudo(pseudo, isQualified ? source : null, span, names);
  if (source >= 0 && rest.length === 0) {
    const whole = sourceValue(names, source);
    return ({ values }) => whole(values);
  }
  if (!isQualified && aliases.length > 1) {
    const which = aliases.map((alias) => `${alias}.${path.join(".")}`).join(" or ");
    throw new ExpressionError(`which one is meant: ${which}?`, text, span);
  }
  const valueOf = sourceValue(names, isQualified ? source : 0);
  if (tail.length === 0) return ({ values }) => property(valueOf(values), head);
  return ({ values }) => tail.reduce(property, property(valueOf(values), head));
}

/** `source`: whose it is; null: that of the row. */
function compilePseudo(
  name: string,
  source: number | null,
  span: Span,
  { text, windows, kept, isOfTables }: Names,
): Evaluate {
  if (name.startsWith("window") && windows !== "known") {
    const why = windows === "none"
      ? `there is no WINDOW, so no ${name}`
      : `${name} is of groups: it is for SELECT and HAVING`;
    throw new ExpressionError(why, text, span);
  }
  if (source !== null && kept.has(source)) {
    const at = name === "rowkey" ? 1 : 2;
    return ({ values }) => keptRow(values, source)?.[at] ?? null;
  }
  if (name === "rowtime" && isOfTables) {
    const sources = [...kept];
    return ({ values }) => Math.max(...sources.map((at) => keptRow(values, at)?.[2] ?? -1));
  }
  return PSEUDO.get(name)!;
}

const COMPARISONS: ReadonlySet<string> = new Set(["=", "<>", "<", "<=", ">", ">="]);

/** `rowtime > '2026-01-31'`: a side of a comparison with a time is a time as well. */
function timeText(
  expr: Expr & { readonly kind: "binary" },
  side: "left" | "right",
  { text }: Names,
): Expr {
  const [own, other] = side === "left" ? [expr.left, expr.right] : [expr.right, expr.left];
  const isTime = other.kind === "path" &&
    /^(?:rowtime|windowstart|windowend)$/i.test(other.names.at(-1)!) && other.names.length < 3;
  if (!isTime || own.kind !== "literal" || typeof own.value !== "string") return own;
  if (!COMPARISONS.has(expr.operator) || toNumber(own.value) !== null) return own;
  const value = toTimeMs(own.value);
  if (value !== null) return { ...own, value };
  throw new ExpressionError("a time is written '2026-01-31T10:20:30Z'", text, own.span);
}

function compileCall(expr: Expr & CallForm, names: Names): Evaluate {
  const { name, args, span } = expr;
  if (AGGREGATES.has(name)) {
    throw new ExpressionError(`${name}(…) is for SELECT and HAVING`, names.text, span);
  }
  const patterned = PATTERN_FUNCTIONS.get(name);
  const known = patterned ?? FUNCTIONS.get(name);
  if (known === undefined) {
    const instead = INSTEAD_OF.get(name);
    const near = didYouMean(name, [
      ...[...FUNCTIONS.keys(), ...PATTERN_FUNCTIONS.keys()],
      ...AGGREGATES.keys(),
    ]);
    const hint = instead !== undefined
      ? `: ${instead}`
      : near === null
      ? ""
      : `: did you mean "${near}"?`;
    throw new ExpressionError(`there is no function "${name}"${hint}`, names.text, span);
  }
  const { min, max } = known;
  if (args.length < min || args.length > max || expr.isOfAll) {
    const wanted = min === max ? `${min}` : `${min} to ${max}`;
    throw new ExpressionError(`${name} takes ${wanted} arguments`, names.text, span);
  }
  if (expr.isDistinct || expr.filter !== null) {
    throw new ExpressionError("DISTINCT and FILTER are for aggregates", names.text, span);
  }
  requireTimeUnit(expr, names);
  const call = patterned === undefined
    ? FUNCTIONS.get(name)!.call
    : patternCall(patterned, expr, names.text);
  const given = args.filter((_, at) => at !== patterned?.patternAt)
    .map((arg) => compileExpr(arg, names));
  return (row) => call(...given.map((arg) => arg(row))) ?? null;
}

/** A unit that there is not would be null for ever. */
function requireTimeUnit({ name, args: [unit] }: CallForm, { text }: Names): void {
  const units = TIME_UNITS.get(name);
  if (units === undefined || unit?.kind !== "literal") return;
  if (units.has(String(unit.value).toLowerCase())) return;
  throw new ExpressionError(`${name} knows ${[...units].join(", ")}`, text, unit.span);
}

function unary(operator: UnaryOperator, of: Evaluate): Evaluate {
  switch (operator) {
    case "not":
      return (row) => {
        const value = toBoolean(of(row));
        return value === null ? null : !value;
      };
    case "-":
      return (row) => arithmetic("-", 0, of(row));
    case "+":
      return (row) => toNumber(of(row));
    case "is null":
      return (row) => of(row) === null;
    case "is true":
      return (row) => toBoolean(of(row)) === true;
    case "is false":
      return (row) => toBoolean(of(row)) === false;
  }
}

function binary(operator: BinaryOperator, left: Evaluate, right: Evaluate): Evaluate {
  const compared = (holds: (order: number) => boolean): Evaluate => (row) => {
    const order = compare(left(row), right(row));
    return order === null ? null : holds(order);
  };
  switch (operator) {
    case "and":
      return (row) => {
        const one = toBoolean(left(row));
        if (one === false) return false;
        const two = toBoolean(right(row));
        return two === false ? false : one === null || two === null ? null : true;
      };
    case "or":
      return (row) => {
        const one = toBoolean(left(row));
        if (one === true) return true;
        const two = toBoolean(right(row));
        return two === true ? true : one === null || two === null ? null : false;
      };
    case "=":
      return (row) => isEqual(left(row), right(row));
    case "<>":
      return (row) => {
        const same = isEqual(left(row), right(row));
        return same === null ? null : !same;
      };
    case "<":
      return compared((order) => order < 0);
    case "<=":
      return compared((order) => order <= 0);
    case ">":
      return compared((order) => order > 0);
    case ">=":
      return compared((order) => order >= 0);
    case "is distinct from":
      return (row) => {
        const [one, two] = [left(row), right(row)];
        return one === null || two === null ? one !== two : isEqual(one, two) !== true;
      };
    case "||":
      return (row) => {
        const [one, two] = [left(row), right(row)];
        if (one === null || two === null) return null;
        if (Array.isArray(one)) return Array.isArray(two) ? [...one, ...two] : [...one, two];
        return `${toText(one)}${toText(two)}`;
      };
    case "->":
      return (row) => stepOf(left(row), right(row));
    case "->>":
      return (row) => toText(stepOf(left(row), right(row)));
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
      return (row) => arithmetic(operator, left(row), right(row));
  }
}

/** As of `->`: a field by its name, an element from 0. */
function stepOf(value: unknown, step: unknown): unknown {
  if (typeof step !== "number") return property(value, toText(step) ?? "");
  return Array.isArray(value) ? value.at(step) ?? null : null;
}

/** Values of types that cannot be compared are not equal. */
function isEqual(left: unknown, right: unknown): boolean | null {
  if (left === null || right === null) return null;
  return compare(left, right) === 0;
}

/** Null in the list makes "no" a "who knows", as in SQL. */
function isIn(value: unknown, list: readonly unknown[]): boolean | null {
  if (value === null) return null;
  if (list.some((item) => isEqual(value, item) === true)) return true;
  return list.includes(null) ? null : false;
}

function cast({ to, digits }: Expr & { readonly kind: "cast" }, of: Evaluate): Evaluate {
  switch (to) {
    case "text":
      return (row) => toText(of(row));
    case "number":
      if (digits !== null) return (row) => rounded(of(row), digits);
      return (row) => toNumber(of(row));
    case "integer":
      return (row) => {
        const value = toNumber(of(row));
        return typeof value === "number" ? Math.trunc(value) : value;
      };
    case "boolean":
      return (row) => toBoolean(of(row));
    case "timestamp":
      return (row) => {
        const ms = toTimeMs(of(row));
        return ms === null || Math.abs(ms) > 8.64e15 ? null : new Date(ms).toISOString();
      };
    case "json":
      return (row) => {
        const value = of(row);
        if (typeof value !== "string") return value;
        try {
          return parseExactJson(value);
        } catch {
          return null; // no JSON: null, as all that does not fit
        }
      };
  }
}
