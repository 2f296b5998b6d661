/** What methods and functions of expressions look like to the compiler. */
import { fail } from "./expression-error.ts";
import type { Span } from "./expression-error.ts";
import type { RecordScope } from "./record-scope.ts";
import { toNumber, toText } from "./values.ts";
import type { Kind } from "./values.ts";

/** A compiled arrow. */
export type Callback = (scope: RecordScope, a?: unknown, b?: unknown, c?: unknown) => unknown;

/** One call: `self` is what the method is called on, undefined for a function. */
export interface Call {
  readonly scope: RecordScope;
  readonly span: Span;
  readonly args: readonly unknown[];
  /** The arrow that was the first argument; `args` begins behind it. */
  readonly callback: Callback | null;
}

/** How it may be called; checked when the expression is compiled. */
export interface Signature {
  /** Arguments behind the arrow. */
  readonly argsMin: number;
  readonly argsMax: number;
  readonly arrow: "never" | "may" | "must";
}

/** A function by its full name. */
export interface FunctionEntry extends Signature {
  readonly run: (call: Call) => unknown;
}

/** A method by its name, for each kind of value that has it. */
export interface MethodEntry extends Signature {
  readonly of: Partial<Readonly<Record<Kind, (self: never, call: Call) => unknown>>>;
}

/** The text of an argument. */
export function textArg(call: Call, index: number): string {
  return toText(call.args[index], call.scope.budget, call.span);
}

/** The number of an argument; `missing` if it is undefined. */
export function numberArg(call: Call, index: number, missing = NaN): number {
  const value = call.args[index];
  return value === undefined ? missing : toNumber(value, call.scope.budget, call.span);
}

/** An argument that has to be a whole number within bounds. */
export function integerArg(
  call: Call,
  index: number,
  missing: number,
  min: number,
  max: number,
): number {
  const value = Math.trunc(numberArg(call, index, missing) || 0);
  if (value >= min && value <= max) return value;
  return fail(`argument ${index + 1} has to be a number from ${min} to ${max}`, call.span);
}

/** The arrow of a call whose signature demands one. */
export function arrowOf(call: Call): Callback {
  return call.callback ?? fail("an arrow function is missing: write x => …", call.span);
}
