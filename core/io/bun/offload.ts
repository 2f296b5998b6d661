import { assert } from "../../assert.ts";
import type { Offload } from "../../io.ts";

/** A pure function over bytes that `Offload.run` knows by name. */
export type OffloadJob = (input: Uint8Array) => Uint8Array;

/**
 * Runs jobs on the calling thread, each in a task of its own. It serves the simulator, tests, and
 * jobs that are short enough not to hold the event loop; the contract is that of the seam, so a
 * worker pool takes its place without a change to its users.
 */
export function inlineOffload(jobs: Readonly<Record<string, OffloadJob>>): Offload {
  return {
    async run(name, input, signal) {
      await Promise.resolve();
      signal?.throwIfAborted();
      const job = jobs[name];
      assert(job !== undefined, `no offload job is registered as ${name}`);
      return job(input);
    },
  };
}
