/** Runs all of these, whichever of them throws; then throws what the first one that did has thrown. */
export function runAll(steps: Iterable<() => void>): void {
  let failure: { readonly error: unknown } | null = null;
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      failure ??= { error };
    }
  }
  if (failure !== null) throw failure.error;
}
