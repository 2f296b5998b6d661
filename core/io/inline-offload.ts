import { assert } from "../assert.ts";
import type { Offload } from "../io.ts";

/**
 * Runs tasks on the calling thread, each call in a task of its own: for the simulator, for tests,
 * and where there are no workers.
 */
export function inlineOffload(): Offload {
  return {
    open(task) {
      let run: ReturnType<typeof task.start> | null = task.start();
      return {
        async call(input) {
          await Promise.resolve();
          assert(run !== null, `a session of ${task.name} is not used after its end`);
          return run(input);
        },
        end() {
          run = null;
        },
      };
    },
  };
}
