/**
 * Expressions: the one small language for filters, maps and keys. It reads as JavaScript and is not
 * run as such: the checked tree becomes closures over a table of operators, methods and functions.
 * `docs/expressions.md` is its reference.
 *
 *     const where = compileExpression('v.total > 100 && h.trace === "x"');
 *     const scope = new RecordScope();
 *     while (cursor.next()) {
 *       scope.set(cursor, { topic, partition });
 *       if (where.evaluate(scope)) …
 *     }
 */
import type { Expression } from "acorn";
import { Compiler } from "./compile.ts";
import type { Evaluate } from "./compile.ts";
import { ExpressionError, Fault } from "./expression-error.ts";
import type { Span } from "./expression-error.ts";
import { parseExpression } from "./parser.ts";
import type { RecordScope } from "./record-scope.ts";
import { nameOf, toJson } from "./values.ts";

export { DEFAULT_BUDGET } from "./budget.ts";
export type { BudgetLimits } from "./budget.ts";
export { ExpressionError } from "./expression-error.ts";
export { RecordScope } from "./record-scope.ts";
export type { RecordPlace, RecordSource, RecordValues } from "./record-scope.ts";

const encoder = new TextEncoder();

/** A compiled expression. It keeps nothing of a record. */
export class CompiledExpression {
  /** Which of key, value, headers, topic, partition, offset, timestamp it looks at. */
  readonly uses: ReadonlySet<string>;
  readonly #evaluate: Evaluate;
  /** What has to hold for it to be true, the cheap first. */
  readonly #conditions: readonly Evaluate[];
  readonly #all: Span;

  /** Throws `ExpressionError`. */
  constructor(readonly source: string) {
    this.#all = { start: source.search(/\S|$/), end: source.trimEnd().length };
    const tree = parseExpression(source);
    const compiler = new Compiler();
    this.#evaluate = this.#guard(() => compiler.expression(tree));
    this.uses = compiler.uses;
    this.#conditions = this.#guard(() => conditionsOf(tree));
  }

  /** Its value for the record of the scope, within the scope's budget. Throws `ExpressionError`. */
  evaluate(scope: RecordScope): unknown {
    return this.#guard(() => {
      scope.budget.reset();
      return this.#evaluate(scope);
    });
  }

  /**
   * Whether its value counts as true. Of conditions joined by `&&`, those that need neither key nor
   * value come first, so most records need not be parsed. Throws `ExpressionError`.
   */
  test(scope: RecordScope): boolean {
    return this.#guard(() => {
      scope.budget.reset();
      return this.#conditions.every((holds) => holds(scope));
    });
  }

  /** How many of its conditions joined by `&&` hold; one that fails does not. */
  conditionsHeld(scope: RecordScope): { readonly held: number; readonly of: number } {
    scope.budget.reset();
    const holds = (condition: Evaluate) => {
      try {
        return Boolean(condition(scope));
      } catch (error) {
        if (error instanceof Fault || error instanceof RangeError) return false;
        throw error;
      }
    };
    return { held: this.#conditions.filter(holds).length, of: this.#conditions.length };
  }

  /**
   * Its value as a record's key or value: null stays null, bytes and text are what they are, all else
   * is JSON. Throws `ExpressionError`, also for undefined, which would make tombstones of records
   * that merely lack something.
   */
  bytes(scope: RecordScope): Uint8Array | null {
    const value = this.evaluate(scope);
    if (value === null || value instanceof Uint8Array) return value;
    if (typeof value === "string") return encoder.encode(value);
    const text = this.#guard(() => toJson(value, scope.budget, this.#all));
    if (text !== undefined) return encoder.encode(text);
    throw new ExpressionError(
      `this gives ${nameOf(value)}: write … ?? null where null is meant`,
      this.source,
      this.#all,
    );
  }

  #guard<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (error instanceof Fault) throw new ExpressionError(error.message, this.source, error.span);
      // What the engine refuses: a string or an array beyond its own limits.
      if (error instanceof RangeError) {
        throw new ExpressionError("this makes too much data", this.source, this.#all);
      }
      throw error;
    }
  }
}

/** The operands of the `&&` at the root, those first that look only at what is at hand. */
function conditionsOf(tree: Expression): Evaluate[] {
  const operands: Expression[] = [];
  const collect = (node: Expression): void => {
    if (node.type === "ParenthesizedExpression") return collect(node.expression);
    if (node.type !== "LogicalExpression" || node.operator !== "&&") {
      operands.push(node);
      return;
    }
    collect(node.left);
    collect(node.right);
  };
  collect(tree);
  const cheap: Evaluate[] = [];
  const dear: Evaluate[] = [];
  for (const operand of operands) {
    const compiler = new Compiler();
    const evaluate = compiler.expression(operand);
    (compiler.uses.has("key") || compiler.uses.has("value") ? dear : cheap).push(evaluate);
  }
  return [...cheap, ...dear];
}

/** Compiles the source. Throws `ExpressionError`. */
export function compileExpression(source: string): CompiledExpression {
  return new CompiledExpression(source);
}
