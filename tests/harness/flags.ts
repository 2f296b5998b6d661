/** Flags of programs that are run by hand and by suites, with no help of their own. */

/** The word behind a flag, or the fallback where the flag or its word is missing. */
export function optionAfter(args: readonly string[], flag: string, fallback: string): string {
  const index = args.indexOf(flag);
  return index < 0 ? fallback : args[index + 1] ?? fallback;
}
