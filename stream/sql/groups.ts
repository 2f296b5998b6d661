/** What a query adds up: by what it groups, and which aggregates it has of each group. */
import { ExpressionError } from "../../core/expression/expression-error.ts";
import { type Aggregate, AGGREGATES, distinct } from "./aggregates.ts";
import { compileExpr, type Evaluate, type Names, type Row } from "./evaluate.ts";
import { type Expr, type Query, type Selected } from "./syntax.ts";
import { toBoolean, toText } from "./values.ts";

/** What a row adds to its group: a value for each aggregate. Goes through topics as JSON. */
export interface Added {
  /** What the group is of. */
  readonly group: readonly unknown[];
  readonly args: readonly unknown[];
}

/** What is kept of a group. */
export interface GroupState {
  readonly group: readonly unknown[];
  readonly states: readonly unknown[];
}

/** A column of the result. */
export interface Column {
  readonly name: string;
  readonly expr: Expr;
}

interface UsedAggregate {
  readonly aggregate: Aggregate;
  readonly name: string;
  readonly argument: Evaluate;
  /** As it is written, to know it again. */
  readonly form: string;
}

/** Whether a query adds up. */
export function isGrouped(query: Query): boolean {
  const exprs = query.selected.flatMap((item) => item.kind === "value" ? [item.expr] : []);
  return query.groupBy.length > 0 || exprs.some(hasAggregate) || query.having !== null;
}

/** See the head of the file. */
export class Groups {
  readonly #aggregates: UsedAggregate[] = [];
  readonly #of: readonly Evaluate[];
  readonly columns: readonly Column[];
  readonly having: Expr | null;

  /** Throws `ExpressionError`. */
  constructor(private readonly query: Query, private readonly names: Names) {
    this.#of = query.groupBy.map((expr) => compileExpr(expr, names));
    this.columns = query.selected.map((item) => this.#column(item));
    this.having = query.having === null ? null : this.#lift(query.having);
  }

  /** What a record adds. */
  added(row: Row): Added {
    return {
      group: this.#of.map((expr) => expr(row)),
      args: this.#aggregates.map(({ argument }) => argument(row)),
    };
  }

  /** The key of a group: its value as text, or JSON of them by name; null: not all are there. */
  keyOf({ group }: Added): string | null {
    if (group.length === 0) return "all";
    if (group.length === 1) return toText(group[0]);
    const names = this.query.groupBy.map((expr, at) => {
      return expr.kind === "path" ? expr.names.at(-1)! : `${at + 1}`;
    });
    return toText(Object.fromEntries(names.map((name, at) => [name, group[at] ?? null])));
  }

  begin(): GroupState {
    return { group: [], states: this.#aggregates.map(({ aggregate }) => aggregate.begin()) };
  }

  add({ states }: GroupState, { group, args }: Added): GroupState {
    return {
      group,
      states: states.map((state, at) => this.#aggregates[at]!.aggregate.add(state, args[at])),
    };
  }

  /** For tables alone: `requireRemovable` was called before. */
  remove({ states, group }: GroupState, { args }: Added): GroupState {
    return {
      group,
      states: states.map((state, at) => {
        return this.#aggregates[at]!.aggregate.remove?.(state, args[at]) ?? state;
      }),
    };
  }

  merge(one: GroupState, other: GroupState): GroupState {
    return {
      group: other.group,
      states: one.states.map((state, at) => {
        return this.#aggregates[at]!.aggregate.merge(state, other.states[at]);
      }),
    };
  }

  /** What expressions of the result see as slots. */
  slots({ group, states }: GroupState): unknown[] {
    const results = states.map((state, at) => this.#aggregates[at]!.aggregate.result(state));
    return [...group, ...results];
  }

  /** Rows of tables change, so what they have added must be taken away again. */
  requireRemovable(): void {
    const stuck = this.#aggregates.find(({ aggregate }) => aggregate.remove === undefined);
    if (stuck === undefined) return;
    this.#fail(`${stuck.name} cannot be of a table, whose rows change: count, sum and avg can`);
  }

  #column(item: Selected): Column {
    if (item.kind === "all") {
      throw new ExpressionError("* is of records, not of groups", this.query.text, item.span);
    }
    return { name: item.name, expr: this.#lift(item.expr) };
  }

  /** The expression with slots for what groups know; nothing else of records may be left in it. */
  #lift(expr: Expr): Expr {
    const group = this.query.groupBy.findIndex((of) => formOf(of) === formOf(expr));
    const { span } = expr;
    if (group >= 0) return { kind: "slot", at: group, span };
    if (expr.kind === "call" && AGGREGATES.has(expr.name)) return this.#aggregateSlot(expr);
    if (expr.kind === "path") {
      const last = expr.names.at(-1)!.toLowerCase();
      if (["rowkey", "rowtime", "windowstart", "windowend"].includes(last)) return expr;
      throw new ExpressionError(
        `"${expr.names.join(".")}" is neither grouped by nor in an aggregate: last(…) is one`,
        this.query.text,
        span,
      );
    }
    return mapParts(expr, (part) => this.#lift(part));
  }

  #aggregateSlot(call: Expr & { readonly kind: "call" }): Expr {
    const form = formOf(call);
    let at = this.#aggregates.findIndex((used) => used.form === form);
    if (at < 0) at = this.#aggregates.push(this.#use(call, form)) - 1;
    return { kind: "slot", at: this.query.groupBy.length + at, span: call.span };
  }

  #use(call: Expr & { readonly kind: "call" }, form: string): UsedAggregate {
    const { name, args, isOfAll, isDistinct, span } = call;
    const [arg] = args;
    const isCount = name === "count" && isOfAll;
    if (!isCount && (args.length !== 1 || arg === undefined || isOfAll)) {
      throw new ExpressionError(`${name} takes one argument`, this.query.text, span);
    }
    const value = isCount || arg === undefined ? () => true : compileExpr(arg, this.names);
    const filter = call.filter === null ? null : compileExpr(call.filter, this.names);
    const plain = AGGREGATES.get(name)!;
    return {
      ...{ name, form },
      aggregate: isDistinct ? distinct(plain) : plain,
      argument: filter === null
        ? value
        : (row) => toBoolean(filter(row)) === true ? value(row) : null,
    };
  }

  #fail(message: string): never {
    const { text } = this.query;
    throw new ExpressionError(message, text, { start: 0, end: text.trimEnd().length });
  }
}

function hasAggregate(expr: Expr): boolean {
  if (expr.kind === "call" && AGGREGATES.has(expr.name)) return true;
  let found = false;
  mapParts(expr, (part) => {
    found ||= hasAggregate(part);
    return part;
  });
  return found;
}

/** What is alike however it is spaced. */
function formOf(expr: Expr): string {
  return JSON.stringify(expr, (name, value: unknown) => {
    if (name === "span") return undefined;
    return typeof value === "bigint" ? `${value}n` : value;
  });
}

/** The expression with other parts. */
function mapParts(expr: Expr, map: (part: Expr) => Expr): Expr {
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
