/** Evaluates expressions over a record made of texts. */
import { compileExpression, ExpressionError, RecordScope } from "./expression.ts";
import type { BudgetLimits } from "./expression.ts";

/** A record by its texts; headers in their order. */
export interface TextRecord {
  readonly key?: string | Uint8Array | null;
  readonly value?: string | Uint8Array | null;
  readonly headers?: readonly (readonly [string, string | Uint8Array | null])[];
  readonly offset?: number;
  readonly timestamp?: number;
}

function bytesOf(text: string | Uint8Array | null | undefined): Uint8Array | null {
  return typeof text === "string" ? new TextEncoder().encode(text) : text ?? null;
}

/** The scope of the record. */
export function scopeOf(record: TextRecord, limits?: BudgetLimits): RecordScope {
  const scope = new RecordScope(limits);
  scope.set({
    offset: record.offset ?? 42,
    timestamp: record.timestamp ?? 1_700_000_000_000,
    key: () => bytesOf(record.key),
    value: () => bytesOf(record.value),
    headers: () => (record.headers ?? []).map(([name, value]) => [name, bytesOf(value)] as const),
  }, { topic: "orders", partition: 3 });
  return scope;
}

/** The value of the expression for the record. */
export function evaluate(source: string, record: TextRecord = {}): unknown {
  return compileExpression(source).evaluate(scopeOf(record));
}

/** The error of the expression, at whatever time it comes; null if there is none. */
export function errorOf(
  source: string,
  record: TextRecord = {},
  limits?: BudgetLimits,
): ExpressionError | null {
  try {
    compileExpression(source).evaluate(scopeOf(record, limits));
    return null;
  } catch (error) {
    if (error instanceof ExpressionError) return error;
    throw error;
  }
}
