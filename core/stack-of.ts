/** What a bug leaves in the log. */

/** The error's stack, else what it says; of what is no error, that itself as text. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
