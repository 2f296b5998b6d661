/**
 * Names of columns: what GROUP BY and HAVING mean by them, which see what is selected as well as fields of
 * records; and fields of an only source by one name, with its alias or without.
 */
import { ExpressionError } from "../../core/expression/expression-error.ts";
import { AGGREGATES } from "./aggregates.ts";
import { type Expr, formOf, mapParts, type Query, type Selected } from "./syntax.ts";

type Column = Selected & { readonly kind: "value" };

/** The query with fields and expressions in place of names of columns. Throws `ExpressionError`. */
export function withColumnNames(given: Query): Query {
  const query = given.joins.length === 0 ? withoutAlias(given) : given;
  const columns = query.selected.filter((item): item is Column => item.kind === "value");
  requireDifferent(query, columns);
  const groupBy = query.groupBy.map((expr) => groupedBy(expr, query, columns))
    // Groups in windows are by their window anyway.
    .filter((expr) => query.window === null || !isWindowTime(expr));
  const having = query.having === null ? null : havingOf(query.having, groupBy, columns);
  return { ...query, groupBy, having };
}

/** A record cannot have two fields of one name: one of them would be lost. */
function requireDifferent({ text }: Query, columns: readonly Column[]): void {
  const names = columns.map(({ name }) => name);
  const second = columns.find(({ name }, at) => names.indexOf(name) < at);
  if (second === undefined) return;
  const why = `there are two "${second.name}": give one of them another name, … AS name`;
  throw new ExpressionError(why, text, second.expr.span);
}

/** `o.total` of the only source is `total`. */
function withoutAlias(query: Query): Query {
  const { alias } = query.from;
  const plain = (expr: Expr): Expr => {
    if (expr.kind !== "path") return mapParts(expr, plain);
    const [first, ...rest] = expr.names;
    const isQualified = first === alias && rest.length > 0 && rest[0] !== alias;
    return isQualified ? { ...expr, names: rest } : expr;
  };
  const maybe = (expr: Expr | null) => expr === null ? null : plain(expr);
  return {
    ...query,
    selected: query.selected.map((item) => {
      return item.kind === "value" ? { ...item, expr: plain(item.expr) } : item;
    }),
    where: maybe(query.where),
    groupBy: query.groupBy.map(plain),
    having: maybe(query.having),
    partitionBy: maybe(query.partitionBy),
  };
}

/** `GROUP BY 1`, `GROUP BY hour`: a column by its place or its name, unless it is a field that is selected. */
function groupedBy(expr: Expr, { selected, text }: Query, columns: readonly Column[]): Expr {
  if (expr.kind === "literal" && typeof expr.value === "number") {
    const item = selected[expr.value - 1];
    if (item?.kind === "value") return { ...item.expr, span: expr.span };
    const why = `GROUP BY ${expr.value}: there is no such column`;
    throw new ExpressionError(why, text, expr.span);
  }
  const column = columnOf(expr, columns);
  const isField = columns.some((item) => beginsWith(item.expr, column?.name ?? ""));
  return column === null || isField ? expr : column.expr;
}

/** In aggregates, and in what is grouped by, names are those of fields. */
function havingOf(expr: Expr, groupBy: readonly Expr[], columns: readonly Column[]): Expr {
  if (groupBy.some((of) => formOf(of) === formOf(expr))) return expr;
  if (expr.kind === "call" && AGGREGATES.has(expr.name)) return expr;
  return columnOf(expr, columns)?.expr ?? mapParts(expr, (part) => {
    return havingOf(part, groupBy, columns);
  });
}

function columnOf(expr: Expr, columns: readonly Column[]): Column | null {
  if (expr.kind !== "path" || expr.names.length > 1) return null;
  return columns.find(({ name }) => name === expr.names[0]) ?? null;
}

/** Whether a field of that name is in it. */
function beginsWith(expr: Expr, name: string): boolean {
  if (expr.kind === "path") return expr.names[0] === name;
  let found = false;
  mapParts(expr, (part) => {
    found ||= beginsWith(part, name);
    return part;
  });
  return found;
}

function isWindowTime(expr: Expr): boolean {
  return expr.kind === "path" && expr.names.length === 1 &&
    /^window(?:start|end)$/i.test(expr.names[0]!);
}
