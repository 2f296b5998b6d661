/**
 * Tells soon that no broker answers. What tries on for long is silent otherwise until it gives up, and
 * whoever has mistyped a broker waits in vain.
 */
import { asError } from "../core/as-error.ts";
import { sleep } from "../core/io.ts";
import type { Cluster } from "./cluster.ts";

const SILENCE_MS = 1000;

/** See the head of the file. `tell` is called once, or never. */
export async function tellSilence(
  cluster: Cluster,
  signal: AbortSignal,
  tell: (why: string) => void,
): Promise<void> {
  let why: string | null = "nothing comes from it";
  cluster.any(signal).then(() => why = null, (error: unknown) => {
    why = asError(error).message;
  });
  try {
    await sleep(cluster.io.clock, SILENCE_MS, signal);
  } catch {
    return;
  }
  // It may have been tried again meanwhile.
  if (why !== null && cluster.brokers.size === 0) tell(why);
}
