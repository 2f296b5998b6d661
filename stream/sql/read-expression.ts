/** Expressions of the parser's tree. What streams cannot do is refused, with its place. */
import { ExpressionError, type Span } from "../../core/expression/expression-error.ts";
import type { BinaryOperator, CastType, Expr, UnaryOperator } from "./syntax.ts";
import { spanOf } from "./syntax.ts";
import { fieldOf, listOf, otherField, Places, textOf, variantOf } from "./tree.ts";

const BINARY: Readonly<Record<string, BinaryOperator>> = {
  ...{ And: "and", Or: "or", Eq: "=", NotEq: "<>", Lt: "<", LtEq: "<=", Gt: ">", GtEq: ">=" },
  ...{ Plus: "+", Minus: "-", Multiply: "*", Divide: "/", Modulo: "%", StringConcat: "||" },
  ...{ Arrow: "->", LongArrow: "->>" },
};
const UNARY: Readonly<Record<string, UnaryOperator>> = { Not: "not", Minus: "-", Plus: "+" };

const CASTS: readonly (readonly [RegExp, CastType])[] = [
  [/^(?:Text|Varchar|CharVarying|CharacterVarying|Char|Character|String|Nvarchar)$/, "text"],
  [/^(?:Int|Int2|Int4|Int8|Integer|BigInt|SmallInt|TinyInt)$/, "integer"],
  [/^(?:Double|DoublePrecision|Float\d*|Real|Numeric|Decimal|Dec)$/, "number"],
  [/^(?:Bool|Boolean)$/, "boolean"],
  [/^(?:JSON|JSONB)$/, "json"],
  [/^Timestamp/, "timestamp"],
];

/** Functions with a syntax of their own: how their arguments are called. */
const SPECIAL: ReadonlyMap<string, readonly [name: string, ...args: string[]]> = new Map([
  ["Ceil", ["ceil", "expr"]],
  ["Floor", ["floor", "expr"]],
  ["Substring", ["substring", "expr", "substring_from", "substring_for"]],
  ["Position", ["position", "expr", "in"]],
]);

interface Match {
  readonly isNot: boolean;
  readonly ignoresCase: boolean;
}

/** `~`, `~*`, `!~` and `!~*`. */
const MATCHES: ReadonlyMap<string, Match> = new Map([
  ["PGRegexMatch", { isNot: false, ignoresCase: false }],
  ["PGRegexIMatch", { isNot: false, ignoresCase: true }],
  ["PGRegexNotMatch", { isNot: true, ignoresCase: false }],
  ["PGRegexNotIMatch", { isNot: true, ignoresCase: true }],
]);

/** What tells the time without parentheses. */
const CLOCK = /^(?:current_|local)(?:date|time|timestamp)$/i;

const SUBQUERY = "a query within a query cannot be used here: write it INTO a topic, and join that";

const REFUSED: ReadonlyMap<string, string> = new Map([
  ...["Subquery", "Exists", "InSubquery"].map((name) => [name, SUBQUERY] as const),
  ["Interval", "times are milliseconds, an hour is 3600000; INTERVAL cannot be used"],
  ["Rollup", "GROUP BY groups by values: no ROLLUP"],
  ["Cube", "GROUP BY groups by values: no CUBE"],
  ["GroupingSets", "GROUP BY groups by values: no GROUPING SETS"],
  ["AtTimeZone", "times are in UTC; AT TIME ZONE cannot be used"],
  ["SimilarTo", "patterns are those of LIKE; SIMILAR TO cannot be used"],
  ["RLike", "patterns are those of LIKE; RLIKE cannot be used"],
]);

/** See the head of the file. */
export class ExpressionReader {
  constructor(private readonly text: string, private readonly places: Places) {}

  read(node: unknown): Expr {
    const [variant, body] = variantOf(node);
    const span = this.span(node);
    return this.#value(variant, body, span) ?? this.#tests(variant, body, span) ??
      this.#calls(variant, body, span);
  }

  /** Fields, values, and what is made of them. */
  #value(variant: string, body: unknown, span: Span): Expr | null {
    switch (variant) {
      case "Identifier":
        return { kind: "path", names: [textOf(fieldOf(body, "value"))], span };
      case "CompoundIdentifier": {
        const names = listOf(body).map((part) => textOf(fieldOf(part, "value")));
        return { kind: "path", names, span };
      }
      case "Value":
        return { ...this.#literal(fieldOf(body, "value"), span), span };
      case "Nested":
        return this.read(body);
      case "BinaryOp":
        return this.#binary(body, span);
      case "UnaryOp": {
        const operator = UNARY[textOf(fieldOf(body, "op"))];
        if (operator === undefined) return this.#unknown("this operator", span);
        return { kind: "unary", operator, of: this.read(fieldOf(body, "expr")), span };
      }
      case "Case":
        return this.#case(body, span);
      case "Cast":
        return this.#cast(body, span);
      case "CompoundFieldAccess":
        return this.#access(body, span);
      case "Array": {
        const items = listOf(fieldOf(body, "elem")).map((item) => this.read(item));
        return { kind: "list", items, span };
      }
      default:
        return null;
    }
  }

  /** What is true or not. */
  #tests(variant: string, body: unknown, span: Span): Expr | null {
    switch (variant) {
      case "IsNull":
      case "IsNotNull":
        return this.#test("is null", body, variant === "IsNotNull", span);
      case "IsTrue":
      case "IsNotTrue":
        return this.#test("is true", body, variant === "IsNotTrue", span);
      case "IsFalse":
      case "IsNotFalse":
        return this.#test("is false", body, variant === "IsNotFalse", span);
      case "IsDistinctFrom":
      case "IsNotDistinctFrom": {
        const [left, right] = listOf(body).map((part) => this.read(part));
        const sides = { left: left!, right: right! };
        const expr: Expr = { kind: "binary", operator: "is distinct from", ...sides, span };
        return this.#maybeNot(expr, variant === "IsNotDistinctFrom");
      }
      case "Between":
        return this.#between(body, span);
      case "InList": {
        const list = listOf(fieldOf(body, "list")).map((item) => this.read(item));
        const of = this.read(fieldOf(body, "expr"));
        return this.#maybeNot({ kind: "in", of, list, span }, fieldOf(body, "negated") === true);
      }
      case "Like":
      case "ILike": {
        this.#nothingBut(body, ["negated", "expr", "pattern", "escape_char"], span);
        const expr: Expr = {
          ...{ kind: "like", ignoresCase: variant === "ILike", span },
          escape: this.#escape(fieldOf(body, "escape_char"), span),
          of: this.read(fieldOf(body, "expr")),
          pattern: this.read(fieldOf(body, "pattern")),
        };
        return this.#maybeNot(expr, fieldOf(body, "negated") === true);
      }
      default:
        return null;
    }
  }

  /** Functions, those with a syntax of their own too. */
  #calls(variant: string, body: unknown, span: Span): Expr {
    if (variant === "Function") return this.#function(body, this.#withArguments(span));
    if (variant === "Extract") {
      const value = variantOf(fieldOf(body, "field"))[0].toLowerCase();
      const args: Expr[] = [{ kind: "literal", value, span }, this.read(fieldOf(body, "expr"))];
      return this.#call("extract", args, span);
    }
    if (variant === "Trim") {
      const where = variantOf(fieldOf(body, "trim_where") ?? "Both")[0].toLowerCase();
      const name = where === "leading" ? "ltrim" : where === "trailing" ? "rtrim" : "trim";
      const what = fieldOf(body, "trim_what") ?? listOf(fieldOf(body, "trim_characters"))[0];
      const args = [fieldOf(body, "expr"), what].filter((arg) => arg != null);
      return this.#call(name, args.map((arg) => this.read(arg)), span);
    }
    const refused = REFUSED.get(variant);
    if (refused !== undefined) return this.fail(refused, span);
    const special = SPECIAL.get(variant);
    if (special === undefined) return this.#unknown("this", span);
    const [name, ...fields] = special;
    if (variant === "Substring" && fieldOf(body, "substring_from") == null) {
      const [expr, size] = [fieldOf(body, "expr"), fieldOf(body, "substring_for")];
      const args: Expr[] = [this.read(expr), { kind: "literal", value: 1, span }, this.read(size)];
      return this.#call(name, args, span);
    }
    const args = fields.map((field) => fieldOf(body, field)).filter((arg) => arg != null);
    return this.#call(name, args.map((arg) => this.read(arg)), span);
  }

  /** Where a node stands; the whole query where the parser does not say. */
  span(node: unknown): Span {
    return this.places.spanOf(node) ?? { start: 0, end: this.text.trimEnd().length };
  }

  fail(message: string, span: Span): never {
    throw new ExpressionError(message, this.text, span);
  }

  #unknown(what: string, span: Span): never {
    return this.fail(`${what} cannot be used in a query of streams`, span);
  }

  #literal(value: unknown, span: Span): Pick<Expr & { kind: "literal" }, "kind" | "value"> {
    const [variant, body] = variantOf(value);
    const kind = "literal" as const;
    switch (variant) {
      case "Null":
        return { kind, value: null };
      case "Boolean":
        return { kind, value: body === true };
      case "Number":
        return { kind, value: numberOf(textOf(listOf(body)[0])) };
      case "SingleQuotedString":
      case "EscapedStringLiteral":
      case "UnicodeStringLiteral":
        return { kind, value: textOf(body) };
      case "DollarQuotedString":
        return { kind, value: textOf(fieldOf(body, "value")) };
      default:
        return this.#unknown("such a value", span);
    }
  }

  #binary(body: unknown, span: Span): Expr {
    const sign = textOf(fieldOf(body, "op"));
    const operator = BINARY[sign];
    const left = this.read(fieldOf(body, "left"));
    const right = this.read(fieldOf(body, "right"));
    const match = MATCHES.get(sign);
    if (match !== undefined) return this.#match(match, left, right, span);
    if (operator === undefined) {
      return this.#unknown("this operator", { start: left.span.end, end: right.span.start });
    }
    return { kind: "binary", operator, left, right, span };
  }

  /** `a ~ 'x'`, and those that do not mind capitals, or say that it does not. */
  #match({ isNot, ignoresCase }: Match, left: Expr, right: Expr, span: Span): Expr {
    const isText = right.kind === "literal" && typeof right.value === "string";
    const pattern = isText && ignoresCase ? { ...right, value: `(?i)${right.value}` } : right;
    return this.#maybeNot(this.#call("regexp_like", [left, pattern], span), isNot);
  }

  #test(operator: UnaryOperator, body: unknown, isNot: boolean, span: Span): Expr {
    return this.#maybeNot({ kind: "unary", operator, of: this.read(body), span }, isNot);
  }

  #maybeNot(expr: Expr, isNot: boolean): Expr {
    return isNot ? { kind: "unary", operator: "not", of: expr, span: expr.span } : expr;
  }

  #between(body: unknown, span: Span): Expr {
    const of = this.read(fieldOf(body, "expr"));
    const side = (operator: BinaryOperator, bound: unknown): Expr => {
      return { kind: "binary", operator, left: of, right: this.read(bound), span };
    };
    const expr: Expr = {
      ...{ kind: "binary", operator: "and", span },
      left: side(">=", fieldOf(body, "low")),
      right: side("<=", fieldOf(body, "high")),
    };
    return this.#maybeNot(expr, fieldOf(body, "negated") === true);
  }

  /** `CASE a WHEN 1 …` is `CASE WHEN a = 1 …`. */
  #case(body: unknown, span: Span): Expr {
    const operand = fieldOf(body, "operand");
    const subject = operand == null ? null : this.read(operand);
    const branches = listOf(fieldOf(body, "conditions")).map((branch) => {
      const condition = this.read(fieldOf(branch, "condition"));
      const when: Expr = subject === null ? condition : {
        ...{ kind: "binary", operator: "=", span: condition.span },
        left: subject,
        right: condition,
      };
      return { when, then: this.read(fieldOf(branch, "result")) };
    });
    const otherwise = fieldOf(body, "else_result");
    return {
      ...{ kind: "case", branches, span },
      otherwise: otherwise == null ? null : this.read(otherwise),
    };
  }

  #cast(body: unknown, span: Span): Expr {
    const of = this.read(fieldOf(body, "expr"));
    const [type, size] = variantOf(fieldOf(body, "data_type"));
    const to = CASTS.find(([names]) => names.test(type))?.[1];
    if (to === undefined) return this.#unknown(`the type ${type || "here"}`, span);
    // decimal(10, 2); of decimal(10) there is none behind the point.
    const [, scale] = listOf(fieldOf(size, "PrecisionAndScale"));
    const digits = fieldOf(size, "Precision") !== undefined && /^(?:Dec|Num)/.test(type)
      ? 0
      : scale;
    return { kind: "cast", of, to, digits: typeof digits === "number" ? digits : null, span };
  }

  /** As in PostgreSQL a backslash where the query does not say. */
  #escape(given: unknown, span: Span): string {
    if (given == null) return "\\";
    const sign = textOf(fieldOf(fieldOf(given, "value"), "SingleQuotedString"));
    return [...sign].length < 2 ? sign : this.fail("ESCAPE is one character", span);
  }

  #nothingBut(node: unknown, known: readonly string[], span: Span): void {
    const field = otherField(node, known);
    if (field !== null) this.#unknown(field.replaceAll("_", " ").toUpperCase(), span);
  }

  #access(body: unknown, span: Span): Expr {
    let expr = this.read(fieldOf(body, "root"));
    for (const step of listOf(fieldOf(body, "access_chain"))) {
      const [variant, inner] = variantOf(step);
      if (variant === "Dot") {
        const part = this.read(inner);
        const [name] = part.kind === "path" ? part.names : [];
        if (name === undefined) return this.#unknown("this", span);
        expr = expr.kind === "path"
          ? { ...expr, names: [...expr.names, name], span }
          : { kind: "member", of: expr, name, span };
        continue;
      }
      const index = fieldOf(fieldOf(inner, "Index"), "index");
      if (index === undefined) return this.#unknown("a part of a list", span);
      expr = { kind: "index", of: expr, index: this.read(index), span };
    }
    return expr;
  }

  #function(body: unknown, span: Span): Expr {
    const name = listOf(fieldOf(body, "name"))
      .map((part) => textOf(fieldOf(fieldOf(part, "Identifier"), "value"))).join(".");
    if (fieldOf(body, "args") === "None" && !CLOCK.test(name)) {
      // SQL has functions without parentheses: user, current_role. Here it is a field that is called so.
      return { kind: "path", names: name.split("."), span };
    }
    if (fieldOf(body, "over") != null) return this.#unknown("OVER", span);
    this.#nothingBut(body, ["name", "args", "filter", "parameters"], span);
    const list = fieldOf(fieldOf(body, "args"), "List");
    const clauses = listOf(fieldOf(list, "clauses"));
    if (clauses.length > 0) return this.#unknown("what stands behind the arguments", span);
    let isOfAll = false;
    const args: Expr[] = [];
    for (const arg of listOf(fieldOf(list, "args"))) {
      const inner = fieldOf(arg, "Unnamed");
      if (inner === "Wildcard") isOfAll = true;
      else if (fieldOf(inner, "Expr") !== undefined) args.push(this.read(fieldOf(inner, "Expr")));
      else return this.#unknown("such an argument", span);
    }
    const filter = fieldOf(body, "filter");
    return {
      ...{ kind: "call", name: name.toLowerCase(), args, isOfAll, span },
      isDistinct: fieldOf(list, "duplicate_treatment") === "Distinct",
      filter: filter == null ? null : this.read(filter),
    };
  }

  /** The parser tells of names and values: up to the parenthesis that closes the arguments. */
  #withArguments({ start, end }: Span): Span {
    let depth = 0;
    for (const { index, 0: sign } of this.text.slice(start).matchAll(/'[^']*'|[()]/gu)) {
      if (sign === "(") depth++;
      else if (sign === ")" && --depth === 0) {
        return { start, end: Math.max(end, start + index + 1) };
      }
    }
    return { start, end };
  }

  #call(name: string, args: readonly Expr[], span: Span): Expr {
    const all = args.length === 0 ? span : spanOf(span, ...args.map((arg) => arg.span));
    return {
      ...{ kind: "call", name, args, span: all },
      ...{ isOfAll: false, isDistinct: false, filter: null },
    };
  }
}

/** Whole numbers that `number` does not hold exactly are bigint. */
function numberOf(text: string): number | bigint {
  const value = Number(text);
  return /^\d+$/.test(text) && !Number.isSafeInteger(value) ? BigInt(text) : value;
}
