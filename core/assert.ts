/**
 * Thrown by `assert`: the program itself is wrong. It is never caught to go on; the process logs
 * it and ends, because state that broke an invariant must not be written to disk.
 */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** States an invariant. Always on, also in production; the message says what should have held. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** For the default branch of an exhaustive switch: the compiler refuses it if a case is missing. */
export function unreachable(value: never, message: string): never {
  throw new AssertionError(`${message}: ${JSON.stringify(value)}`);
}
