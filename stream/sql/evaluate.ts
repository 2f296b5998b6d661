/** Expressions of a query as functions of a row. */
import { ExpressionError, type Span } from "../../core/expression/expression-error.ts";
import { didYouMean } from "../../core/did-you-mean.ts";
import { AGGREGATES } from "./aggregates.ts";
import { parseExactJson } from "./exact-json.ts";
import { FUNCTIONS } from "./functions.ts";
import type { BinaryOperator, CallForm, CastType, Expr, UnaryOperator } from "./syntax.ts";
import {
  arithmetic,
  compare,
  element,
  isLike,
  property,
  toBoolean,
  toNumber,
  toText,
  toTimeMs,
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
  readonly hasWindow: boolean;
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
    case "binary":
      return binary(expr.operator, compile(expr.left), compile(expr.right));
    case "in": {
      const [of, list] = [compile(expr.of), expr.list.map(compile)];
      return (row) => isIn(of(row), list.map((item) => item(row)));
    }
    case "like": {
      const [of, pattern] = [compile(expr.of), compile(expr.pattern)];
      const { ignoresCase } = expr;
      return (row) => {
        const [text, form] = [toText(of(row)), toText(pattern(row))];
        return text === null || form === null ? null : isLike(text, form, ignoresCase);
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
      return cast(expr.to, compile(expr.of));
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
  const pseudo = tail.length === 0 ? PSEUDO.get(head.toLowerCase()) : undefined;
  if (pseudo !== undefined) {
    if (head.toLowerCase().startsWith("window") && !names.hasWindow) {
      throw new ExpressionError(`there is no WINDOW, so no ${head.toLowerCase()}`, text, span);
    }
    return pseudo;
  }
  if (source >= 0 && rest.length === 0) return ({ values }) => values[source] ?? null;
  if (!isQualified && aliases.length > 1) {
    const which = aliases.map((alias) => `${alias}.${path.join(".")}`).join(" or ");
    throw new ExpressionError(`which one is meant: ${which}?`, text, span);
  }
  const from = isQualified ? source : 0;
  if (tail.length === 0) return ({ values }) => property(values[from], head);
  return ({ values }) => tail.reduce(property, property(values[from], head));
}

function compileCall(expr: Expr & CallForm, names: Names): Evaluate {
  const { name, args, span } = expr;
  if (AGGREGATES.has(name)) {
    throw new ExpressionError(`${name}(…) is for SELECT and HAVING`, names.text, span);
  }
  const known = FUNCTIONS.get(name);
  if (known === undefined) {
    const near = didYouMean(name, [...FUNCTIONS.keys(), ...AGGREGATES.keys()]);
    const hint = near === null ? "" : `: did you mean "${near}"?`;
    throw new ExpressionError(`there is no function "${name}"${hint}`, names.text, span);
  }
  const { min, max, call } = known;
  if (args.length < min || args.length > max || expr.isOfAll) {
    const wanted = min === max ? `${min}` : `${min} to ${max}`;
    throw new ExpressionError(`${name} takes ${wanted} arguments`, names.text, span);
  }
  if (expr.isDistinct || expr.filter !== null) {
    throw new ExpressionError("DISTINCT and FILTER are for aggregates", names.text, span);
  }
  const given = args.map((arg) => compileExpr(arg, names));
  return (row) => call(...given.map((arg) => arg(row))) ?? null;
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

function cast(to: CastType, of: Evaluate): Evaluate {
  switch (to) {
    case "text":
      return (row) => toText(of(row));
    case "number":
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
