/** Tests that need a server of others. */
import { test } from "bun:test";

/**
 * A test that is left out where the server cannot be had; CI fails there. `missing`: why it cannot be had,
 * or null.
 */
export function liveTest(missing: string | null): typeof test | typeof test.skip {
  if (missing !== null && process.env["CI"] !== undefined) throw new Error(missing);
  return missing === null ? test : test.skip;
}
