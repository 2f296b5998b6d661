/** What was thrown, as an `Error`: of anything else, its text is the message. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
