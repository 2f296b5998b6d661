import { OffloadPool } from "../../core/io/bun/offload.ts";
import type { Offload } from "../../core/io.ts";

/** Workers of one broker: cleaning is bound by the disk sooner than by two cores. */
const WORKERS_MAX = 2;
const IDLE_MS = 10_000;

/** Where `offload-worker.ts` is: in the binary it goes by its path in the sources. */
const SCRIPT = /[\\/](\$bunfs|~BUN)[\\/]/.test(import.meta.path)
  ? "./cmd/serve/offload-worker.ts"
  : new URL("./offload-worker.ts", import.meta.url).href;

/** The broker's worker threads; none is started before there is work. */
export function workerOffload(): Offload {
  return new OffloadPool({ script: SCRIPT, workersMax: WORKERS_MAX, idleMs: IDLE_MS });
}
