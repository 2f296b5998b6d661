/** The shape of a compatibility suite, and small checks that its scenarios share. */

/** One suite: somebody else's program against our binary (or our binary against theirs). */
export interface CompatSuite {
  readonly name: string;
  /** Brought in before the run; the first reason that one cannot be had skips the suite. */
  readonly needs: readonly (() => Promise<string | null>)[];
  /** Part of CI's sample, which must stay short. */
  readonly inSample: boolean;
  /** Whether its scenarios can run against Apache Kafka instead (`withTarget`). */
  readonly control?: boolean;
  readonly cases: readonly CompatCase[];
}

/** One scenario; it fails by throwing. */
export interface CompatCase {
  readonly name: string;
  /** False where a suite of the sample leaves this case out of it. */
  readonly inSample?: boolean;
  run(): Promise<void>;
}

/** Fails with both values where they differ. */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== e) {
    throw new Error(`${what}: expected ${e?.slice(0, 2000)}, got ${a?.slice(0, 2000)}`);
  }
}

/** Fails where the text lacks the part. */
export function expectContains(text: string, part: string | RegExp, what: string): void {
  const found = typeof part === "string" ? text.includes(part) : part.test(text);
  if (!found) throw new Error(`${what}: expected ${part} in:\n${text.slice(-3000)}`);
}

/** Numbered lines `prefix 0` … as one text with a newline at its end. */
export function numberedLines(prefix: string, count: number): string {
  return Array.from({ length: count }, (_, index) => `${prefix} ${index}\n`).join("");
}
