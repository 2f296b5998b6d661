/** Expressions over what another program answers: `v` is its JSON, `h` its headers. */
import {
  compileExpression,
  ExpressionError,
  RecordScope,
} from "../../core/expression/expression.ts";
import { FieldError } from "../index.ts";
import type { ConnectValue } from "../index.ts";
import { FormatError } from "./format-error.ts";

/** What an expression looks at. */
export interface Answer {
  readonly body: Uint8Array;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Null for undefined. Throws `FormatError`. */
export type AnswerExpression = (answer: Answer) => ConnectValue;

const encoder = new TextEncoder();

/** Throws `FieldError` for what is no expression. */
export function answerExpression(source: string): AnswerExpression {
  const compiled = compile(source);
  const scope = new RecordScope();
  return ({ body, headers }) => {
    const known = headers.map(([name, value]) => [name, encoder.encode(value)] as const);
    scope.set(
      { offset: -1, timestamp: -1, key: () => null, value: () => body, headers: () => known },
      { topic: "", partition: -1 },
    );
    try {
      // Expressions yield what JSON has, and undefined.
      return (compiled.evaluate(scope) ?? null) as ConnectValue;
    } catch (error) {
      if (error instanceof ExpressionError) throw new FormatError(`${source}: ${error.message}`);
      throw error;
    }
  };
}

function compile(source: string) {
  try {
    return compileExpression(source);
  } catch (error) {
    if (error instanceof ExpressionError) {
      throw new FieldError(`is no expression: ${error.message}`);
    }
    throw error;
  }
}
