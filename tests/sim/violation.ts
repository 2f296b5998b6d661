/** How a simulated run fails. */

/** The engine did something wrong. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** The engine did not get done what it has to when all is well again. */
export class LivenessError extends Error {
  override readonly name = "LivenessError";
}

/** Throws a `Violation` if the condition does not hold. */
export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Violation(message);
}
