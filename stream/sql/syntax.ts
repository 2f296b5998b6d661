/** A query as it was understood: what `parse.ts` makes of text and `compile.ts` makes a topology of. */
import type { Span } from "../../core/expression/expression-error.ts";

/** Texts, numbers, lists and what compares them, as in SQL; `span` is where it stands in the query. */
export type Expr = { readonly span: Span } & ExprForm;

type ExprForm =
  | { readonly kind: "literal"; readonly value: unknown }
  /** `total`, `o.total`, `o.customer.name`: names as they are written. */
  | { readonly kind: "path"; readonly names: readonly string[] }
  | { readonly kind: "member"; readonly of: Expr; readonly name: string }
  /** From 1, as in SQL. */
  | { readonly kind: "index"; readonly of: Expr; readonly index: Expr }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly of: Expr }
  | {
    readonly kind: "binary";
    readonly operator: BinaryOperator;
    readonly left: Expr;
    readonly right: Expr;
  }
  | { readonly kind: "in"; readonly of: Expr; readonly list: readonly Expr[] }
  | {
    readonly kind: "like";
    readonly of: Expr;
    readonly pattern: Expr;
    readonly ignoresCase: boolean;
    /** What stands before a `%` or `_` that is meant as such; empty: nothing does. */
    readonly escape: string;
  }
  | {
    readonly kind: "case";
    readonly branches: readonly { readonly when: Expr; readonly then: Expr }[];
    readonly otherwise: Expr | null;
  }
  /** `digits` behind the point are kept; null: all. */
  | {
    readonly kind: "cast";
    readonly of: Expr;
    readonly to: CastType;
    readonly digits: number | null;
  }
  | { readonly kind: "list"; readonly items: readonly Expr[] }
  /** What a group is of, or what one of its aggregates has come to: by its place among them. */
  | { readonly kind: "slot"; readonly at: number }
  | CallForm;

/** A function, or an aggregate. */
export interface CallForm {
  readonly kind: "call";
  /** In small letters. */
  readonly name: string;
  readonly args: readonly Expr[];
  /** `count(*)`. */
  readonly isOfAll: boolean;
  readonly isDistinct: boolean;
  /** Of an aggregate: `FILTER (WHERE …)`. */
  readonly filter: Expr | null;
}

export type UnaryOperator = "not" | "-" | "+" | "is null" | "is true" | "is false";
export type BinaryOperator =
  | ("and" | "or" | "=" | "<>" | "<" | "<=" | ">" | ">=" | "+" | "-" | "*" | "/" | "%" | "||")
  | ("is distinct from" | "->" | "->>");
export type CastType = "text" | "number" | "integer" | "boolean" | "json" | "timestamp";

/** What is selected: a value under a name, or everything of one source or of all. */
export type Selected =
  | { readonly kind: "value"; readonly expr: Expr; readonly name: string }
  | { readonly kind: "all"; readonly source: string | null; readonly span: Span };

/** A topic that is read, as a stream of records or as a table of the last value of each key. */
export interface Source {
  readonly topic: string;
  /** What its fields are called by: `o` in `orders o`. */
  readonly alias: string;
  readonly isTable: boolean;
  readonly span: Span;
}

export interface Join {
  readonly kind: "inner" | "left" | "right" | "full";
  readonly source: Source;
  readonly on: Expr;
  /** Of two streams: how far apart their records may be, and how late they may come. */
  readonly within: Within | null;
}

export interface Within {
  readonly beforeMs: number;
  readonly afterMs: number;
  /** Null: the query does not say. */
  readonly graceMs: number | null;
  readonly span: Span;
}

export type QueryWindow =
  /** Grace: null where the query does not say. */
  & { readonly graceMs: number | null; readonly span: Span }
  & (
    | { readonly kind: "tumbling"; readonly sizeMs: number }
    | { readonly kind: "hopping"; readonly sizeMs: number; readonly advanceMs: number }
    | { readonly kind: "sliding"; readonly sizeMs: number }
    | { readonly kind: "session"; readonly gapMs: number }
  );

/** One query. */
export interface Query {
  readonly text: string;
  readonly selected: readonly Selected[];
  /** Of rows that are the same the first alone is given. */
  readonly isDistinct: boolean;
  readonly from: Source;
  readonly joins: readonly Join[];
  readonly where: Expr | null;
  readonly groupBy: readonly Expr[];
  readonly having: Expr | null;
  readonly window: QueryWindow | null;
  /** What the key of the records of the result is. Null: as it was, or what is grouped by. */
  readonly partitionBy: Expr | null;
  /** Whether each change is given, or windows alone, once they are closed. */
  readonly emits: "changes" | "final";
  /** How many rows are wanted. Null: all that come. */
  readonly limit: number | null;
  /** The topic of the result. Null: whoever runs it wants to see it. */
  readonly into: string | null;
}

/** The expression with other parts. */
export function mapParts(expr: Expr, map: (part: Expr) => Expr): Expr {
  const maybe = (part: Expr | null) => part === null ? null : map(part);
  switch (expr.kind) {
    case "literal":
    case "path":
    case "slot":
      return expr;
    case "member":
    case "unary":
    case "cast":
      return { ...expr, of: map(expr.of) };
    case "index":
      return { ...expr, of: map(expr.of), index: map(expr.index) };
    case "binary":
      return { ...expr, left: map(expr.left), right: map(expr.right) };
    case "in":
      return { ...expr, of: map(expr.of), list: expr.list.map(map) };
    case "like":
      return { ...expr, of: map(expr.of), pattern: map(expr.pattern) };
    case "case":
      return {
        ...expr,
        branches: expr.branches.map(({ when, then }) => ({ when: map(when), then: map(then) })),
        otherwise: maybe(expr.otherwise),
      };
    case "list":
      return { ...expr, items: expr.items.map(map) };
    case "call":
      return { ...expr, args: expr.args.map(map), filter: maybe(expr.filter) };
  }
}

/** What is alike however it is spaced. */
export function formOf(expr: Expr): string {
  return JSON.stringify(expr, (name, value: unknown) => {
    if (name === "span") return undefined;
    return typeof value === "bigint" ? `${value}n` : value;
  });
}

/** The part of the query from the first of these to the last. */
export function spanOf(...spans: readonly Span[]): Span {
  return {
    start: Math.min(...spans.map(({ start }) => start)),
    end: Math.max(...spans.map(({ end }) => end)),
  };
}
