/** What came of an item of a request: a value, or why not. */
import type { ErrorCode } from "../core/errors.ts";

/** A protocol error with a sentence for the client. */
export interface Refusal {
  readonly ok: false;
  readonly error: ErrorCode;
  readonly message: string;
}

/** What came of one item of a request. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | Refusal;

/** The outcome that is an error. */
export function refuse(error: ErrorCode, message: string): Refusal {
  return { ok: false, error, message };
}

/** The outcome that is a value. */
export function accept<T>(value: T): Outcome<T> {
  return { ok: true, value };
}
