/** Text to `Query`. What is not understood, or not possible with streams, is told with its place. */
import { ExpressionError, type Span } from "../../core/expression/expression-error.ts";
import { type Clauses, cutClauses } from "./clauses.ts";
import { ExpressionReader } from "./read-expression.ts";
import { loadSqlParser } from "./sql-parser.ts";
import type { Expr, Join, Query, Selected, Source } from "./syntax.ts";
import { withColumnNames } from "./column-names.ts";
import { fieldOf, listOf, otherField, Places, textOf, variantOf } from "./tree.ts";

/** As much as a person writes. */
const CHARS_MAX = 10_000;

/** Reads one query. Throws `ExpressionError`. */
export async function parseQuery(text: string): Promise<Query> {
  const parse = await loadSqlParser();
  const all = { start: 0, end: text.trimEnd().length };
  if (text.length > CHARS_MAX) throw new ExpressionError("the query is too long", text, all);
  requireBegin(text);
  const clauses = cutClauses(text);
  const places = new Places(text);
  const [statement, ...more] = listOf(parsed(parse, clauses.sql, text, places));
  if (statement === undefined) throw new ExpressionError("there is no query", text, all);
  if (more.length > 0) {
    throw new ExpressionError("there is more than one query", text, places.spanOf(more) ?? all);
  }
  return new QueryReader(text, clauses, places, parse).statement(statement);
}

type Parse = (text: string) => unknown;

/** What of each part of a query is understood; the rest is refused. */
const QUERY_PARTS = ["body", "limit_clause", "with", "order_by", "fetch"];
const SELECT_PARTS = [
  "projection",
  "from",
  "selection",
  "group_by",
  "having",
  "distinct",
  "flavor",
];
const TABLE_PARTS = ["name", "alias", "args"];
const INSERT_PARTS = ["into", "table", "source"];

/** How what is refused is written, where that is not its name in the parser's tree. */
const WRITTEN: Readonly<Record<string, string>> = {
  columns: "a list of columns",
  locks: "FOR UPDATE",
  sample: "TABLESAMPLE",
  named_window: "such a WINDOW",
};

const JOINS: ReadonlyMap<string, Join["kind"]> = new Map<string, Join["kind"]>([
  ...(["Join", "Inner"] as const).map((name) => [name, "inner"] as const),
  ...(["Left", "LeftOuter"] as const).map((name) => [name, "left"] as const),
  ...(["Right", "RightOuter"] as const).map((name) => [name, "right"] as const),
  ["FullOuter", "full"],
]);

const BEGINS = "a query begins with SELECT or INSERT INTO";

/** What other words that statements of stream databases begin with are here. */
const INSTEAD: Readonly<Record<string, string>> = {
  CREATE: "what a query gives is a topic: SELECT … INTO topic",
  WITH: "there is no WITH: write one query INTO a topic and the other over it",
  SHOW: "topics are listed by: kstream topic list",
  LIST: "topics are listed by: kstream topic list",
  DESCRIBE: "EXPLAIN SELECT … says what a query does",
  DROP: "a topic is deleted by: kstream topic delete",
  TERMINATE: "a query ends when it is stopped, by Ctrl-C",
  SET: "settings are given by --set name=value",
  PRINT: "records are shown by: kstream consume TOPIC",
  UPDATE: "what a query gives is a topic: SELECT … INTO topic",
  DELETE: "what a query gives is a topic: SELECT … INTO topic",
};

function requireBegin(text: string): void {
  const [lead = ""] = /^(?:\s+|--[^\n]*|\/\*[\s\S]*?\*\/)*/.exec(text) ?? [];
  const [word = ""] = /^[\p{L}_]+/u.exec(text.slice(lead.length)) ?? [];
  const first = word.toUpperCase();
  if (word === "" || ["SELECT", "INSERT"].includes(first)) return;
  const instead = INSTEAD[first];
  const message = instead === undefined ? BEGINS : `${BEGINS}: ${instead}`;
  throw new ExpressionError(message, text, { start: lead.length, end: lead.length + word.length });
}

function parsed(parse: Parse, sql: string, text: string, places: Places): unknown {
  try {
    return parse(sql);
  } catch (error) {
    const message = textOf(fieldOf(error, "message")) || String(error);
    const [, line, column] = / at Line: (\d+), Column: (\d+)/.exec(message) ?? [];
    const end = text.trimEnd().length;
    const start = line === undefined ? end : places.offset(Number(line), Number(column));
    const said = message.replace(/^sql parser error: /, "").replace(/ at Line: .*$/, "");
    throw new ExpressionError(said, text, { start, end: start + 1 });
  }
}

class QueryReader {
  readonly #expressions: ExpressionReader;

  constructor(
    private readonly text: string,
    private readonly clauses: Clauses,
    private readonly places: Places,
    private readonly parse: Parse,
  ) {
    this.#expressions = new ExpressionReader(text, places);
  }

  statement(statement: unknown): Query {
    const [variant, body] = variantOf(statement);
    if (variant === "Query") return this.#query(body, this.clauses.into);
    if (variant !== "Insert") {
      return this.#fail(BEGINS, this.#expressions.span(statement));
    }
    this.#nothingBut(body, INSERT_PARTS);
    const table = fieldOf(fieldOf(body, "table"), "TableName");
    const into = this.#topicOf(table);
    if (fieldOf(fieldOf(fieldOf(body, "source"), "body"), "Values") !== undefined) {
      const span = this.#expressions.span(fieldOf(body, "source"));
      return this.#fail("records are written by: kstream produce TOPIC", span);
    }
    if (this.clauses.into !== null) {
      return this.#fail("there are two INTO", this.#expressions.span(table));
    }
    return this.#query(fieldOf(body, "source"), into);
  }

  #query(query: unknown, into: string | null): Query {
    for (const [field, what] of [["with", "WITH"], ["order_by", "ORDER BY"]] as const) {
      this.#refuse(fieldOf(query, field), `${what}: records come as they come`);
    }
    this.#refuse(fieldOf(query, "fetch"), "FETCH: LIMIT says how many rows are wanted");
    this.#nothingBut(query, QUERY_PARTS);
    const limit = this.#limit(fieldOf(query, "limit_clause"), into);
    const select = fieldOf(fieldOf(query, "body"), "Select");
    if (select === undefined) {
      const span = this.#expressions.span(query);
      const instead = "two queries may write INTO one topic";
      return this.#fail(`a query of streams is a single SELECT: ${instead}`, span);
    }
    this.#nothingBut(select, SELECT_PARTS);
    const isDistinct = this.#isDistinct(fieldOf(select, "distinct"));
    const { window, partitionBy, withins } = this.clauses;
    const [first, ...others] = listOf(fieldOf(select, "from"));
    if (first === undefined) {
      const end = this.text.trimEnd().length;
      return this.#fail("there is no FROM: which topic is read?", { start: end, end: end + 1 });
    }
    if (others.length > 0) {
      this.#fail("topics are brought together by JOIN … ON", this.#expressions.span(others[0]));
    }
    const from = this.#source(fieldOf(first, "relation"));
    const joins = listOf(fieldOf(first, "joins")).map((join) => this.#join(join));
    if (withins.length > 0 && joins.every(({ within }) => within === null)) {
      this.#fail("WITHIN belongs to a JOIN of two streams", withins[0]!.span);
    }
    return withColumnNames({
      ...{ text: this.text, from, joins, window, limit, into, isDistinct },
      selected: listOf(fieldOf(select, "projection")).map((item) => this.#selected(item)),
      where: this.#optional(fieldOf(select, "selection")),
      groupBy: this.#groupBy(fieldOf(select, "group_by")),
      having: this.#optional(fieldOf(select, "having")),
      partitionBy: partitionBy === null ? null : this.#apart(partitionBy),
      emits: this.clauses.emits ?? "changes",
    });
  }

  #isDistinct(distinct: unknown): boolean {
    if (distinct == null) return false;
    if (distinct === "Distinct") return true;
    return this.#fail(
      "DISTINCT is of all that is selected: first(…) and GROUP BY give one row of each",
      this.#expressions.span(distinct),
    );
  }

  /** `LIMIT 10`: of rows that are printed. */
  #limit(clause: unknown, into: string | null): number | null {
    if (clause == null) return null;
    const span = this.#expressions.span(clause);
    const body = fieldOf(clause, "LimitOffset");
    const limit = fieldOf(body, "limit");
    const expr = limit == null ? null : this.#expressions.read(limit);
    const rows = expr?.kind === "literal" && fieldOf(body, "offset") == null ? expr.value : null;
    if (typeof rows !== "number" || !Number.isSafeInteger(rows) || rows < 1) {
      return this.#fail("LIMIT needs a whole number from 1 on, and there is no OFFSET", span);
    }
    if (into !== null) this.#fail("LIMIT is for rows that are printed, without INTO", span);
    return rows;
  }

  #source(relation: unknown): Source {
    const [variant, body] = variantOf(relation);
    const span = this.#expressions.span(relation);
    if (variant === "Derived") {
      return this.#fail("a topic is expected here: write the inner query INTO one", span);
    }
    if (variant !== "Table" || fieldOf(body, "args") != null) {
      return this.#fail("a topic is expected here", span);
    }
    this.#nothingBut(body, TABLE_PARTS);
    this.#nothingBut(fieldOf(body, "alias"), ["name", "explicit"]);
    const name = fieldOf(body, "name");
    const nameSpan = this.#expressions.span(name);
    const topic = this.#topicOf(name);
    const alias = fieldOf(fieldOf(fieldOf(body, "alias"), "name"), "value");
    const isTable = this.clauses.tables.some(({ start }) => start === nameSpan.start);
    return { topic, alias: typeof alias === "string" ? alias : topic, isTable, span: nameSpan };
  }

  #join(join: unknown): Join {
    const [operator, constraint] = variantOf(fieldOf(join, "join_operator"));
    const source = this.#source(fieldOf(join, "relation"));
    const kind = JOINS.get(operator) ??
      this.#fail("a join is INNER, LEFT, RIGHT or FULL", source.span);
    const on = fieldOf(constraint, "On");
    if (on === undefined) {
      return this.#fail("a join needs ON: which fields are equal?", source.span);
    }
    const condition = this.#expressions.read(on);
    // WITHIN stands between the topic and ON.
    const within = this.clauses.withins.find(({ span }) => {
      return span.start >= source.span.end && span.end <= condition.span.start;
    });
    return { kind, source, on: condition, within: within ?? null };
  }

  #selected(item: unknown): Selected {
    const [variant, body] = variantOf(item);
    const span = this.#expressions.span(item);
    if (variant === "Wildcard") return { kind: "all", source: null, span };
    if (variant === "QualifiedWildcard") {
      const name = fieldOf(listOf(body)[0], "ObjectName");
      return { kind: "all", source: this.#nameOf(name), span };
    }
    if (variant === "ExprWithAlias") {
      const name = textOf(fieldOf(fieldOf(body, "alias"), "value"));
      return { kind: "value", expr: this.#expressions.read(fieldOf(body, "expr")), name };
    }
    const expr = this.#expressions.read(body);
    return { kind: "value", expr, name: this.#nameFor(expr) };
  }

  /** What a value is called that was given no name: as its field, or its function. */
  #nameFor(expr: Expr): string {
    switch (expr.kind) {
      case "path":
        return expr.names.at(-1)!;
      case "member":
        return expr.name;
      case "call":
        return expr.name;
      case "cast":
        return this.#nameFor(expr.of);
      default:
        return this.#fail("give this a name: … AS name", expr.span);
    }
  }

  #groupBy(groupBy: unknown): Expr[] {
    const [expressions, modifiers] = listOf(fieldOf(groupBy, "Expressions"));
    if (expressions === undefined || listOf(modifiers).length > 0) {
      return this.#fail("GROUP BY needs what to group by", this.#expressions.span(groupBy));
    }
    return listOf(expressions).map((expr) => this.#expressions.read(expr));
  }

  /** An expression that stands by itself, as if it were alone in its place. */
  #apart({ start, end }: Span): Expr {
    const lead = "SELECT ";
    const before = this.text.slice(0, start).replaceAll(/[^\n]/g, " ");
    const padded = before.slice(0, Math.max(0, before.length - lead.length)) + lead;
    const alone = padded + this.text.slice(start, end);
    const tree = listOf(parsed(this.parse, alone, this.text, this.places));
    const select = fieldOf(fieldOf(fieldOf(tree[0], "Query"), "body"), "Select");
    const items = listOf(fieldOf(select, "projection"));
    const [variant, body] = variantOf(items[0]);
    if (items.length !== 1 || variant !== "UnnamedExpr") {
      return this.#fail("PARTITION BY needs one value", { start, end });
    }
    return this.#expressions.read(body);
  }

  #optional(node: unknown): Expr | null {
    return node == null ? null : this.#expressions.read(node);
  }

  /** As it is written, also where SQL would want it in quotes. */
  #topicOf(name: unknown): string {
    const { start } = this.#expressions.span(name);
    return this.clauses.hyphened.get(start) ?? this.#nameOf(name);
  }

  #nothingBut(node: unknown, known: readonly string[]): void {
    const field = otherField(node, known);
    if (field === null) return;
    const what = WRITTEN[field] ?? field.replaceAll("_", " ").toUpperCase();
    const span = this.places.spanOf(fieldOf(node, field)) ?? this.#expressions.span(node);
    this.#fail(`${what} cannot be used in a query of streams`, span);
  }

  #nameOf(name: unknown): string {
    const parts = listOf(name).map((part) => fieldOf(fieldOf(part, "Identifier"), "value"));
    return parts.map(textOf).join(".");
  }

  #refuse(node: unknown, why: string): void {
    if (node == null) return;
    this.#fail(`a query of streams knows no ${why}`, this.#expressions.span(node));
  }

  #fail(message: string, span: Span): never {
    throw new ExpressionError(message, this.text, span);
  }
}
