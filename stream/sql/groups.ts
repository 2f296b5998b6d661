/** What a query adds up: by what it groups, and which aggregates it has of each group. */
import { ExpressionError } from "../../core/expression/expression-error.ts";
import { type Aggregate, AGGREGATES, distinct } from "./aggregates.ts";
import { compileExpr, type Evaluate, type Names, PSEUDO_FIELDS, type Row } from "./evaluate.ts";
import { pathsIn } from "./needed-fields.ts";
import { type Expr, formOf, mapParts, type Query, type Selected } from "./syntax.ts";
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
  /** What each value of a group is called in the key. */
  readonly #keyNames: readonly string[];
  readonly columns: readonly Column[];
  readonly having: Expr | null;

  /** `names`: of records. Throws `ExpressionError`. */
  constructor(private readonly query: Query, private readonly names: Names) {
    this.#of = query.groupBy.map((expr) => compileExpr(expr, names));
    this.#keyNames = keyNamesOf(query);
    this.columns = query.selected.map((item) => this.#column(item));
    this.having = query.having === null ? null : this.#lift(query.having);
    if (pathsIn(this.having).some(([name]) => name!.toLowerCase() === "rowtime")) {
      throw new ExpressionError(
        "rowtime is of records: max(rowtime) is one for HAVING",
        query.text,
        query.having!.span,
      );
    }
  }

  /** What a record adds. */
  added(row: Row): Added {
    return {
      group: this.#of.map((expr) => expr(row)),
      args: this.#aggregates.map(({ argument }) => argument(row)),
    };
  }

  /** The key of a group: its value as text, null where there is none, or JSON of several by name. */
  keyOf({ group }: Added): string | null {
    if (group.length === 0) return "all";
    if (group.length === 1) return toText(group[0]);
    return toText(Object.fromEntries(this.#keyNames.map((name, at) => [name, group[at] ?? null])));
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
      // Those of the row of the result; of records they have to be grouped by.
      if (expr.names.length === 1 && PSEUDO_FIELDS.has(expr.names[0]!.toLowerCase())) return expr;
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

/** By field, or as it is selected; no two are the same, for keys would be of groups that differ. */
function keyNamesOf({ groupBy, selected }: Query): string[] {
  const plain = groupBy.map((expr, at) => {
    if (expr.kind === "path") return expr.names.at(-1)!;
    const column = selected.find((item) => {
      return item.kind === "value" && formOf(item.expr) === formOf(expr);
    });
    return column?.kind === "value" ? column.name : `${at + 1}`;
  });
  const names = groupBy.map((expr, at) => {
    const isShared = plain.indexOf(plain[at]!) !== plain.lastIndexOf(plain[at]!);
    return isShared && expr.kind === "path" ? expr.names.join(".") : plain[at]!;
  });
  return names.map((name, at) => names.indexOf(name) < at ? `${name} ${at + 1}` : name);
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
