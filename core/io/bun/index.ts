/** The real world, as Bun gives it. */
import type { Io } from "../../io.ts";
import { bunClock } from "./clock.ts";
import { BunDisk } from "./disk.ts";
import { bunNetwork } from "./network.ts";
import { inlineOffload } from "../inline-offload.ts";
import { bunRandom } from "./random.ts";

export { bunClock } from "./clock.ts";

/** This machine; without workers, which `serve` adds. */
export function bunIo(): Io {
  return {
    clock: bunClock,
    random: bunRandom,
    disk: new BunDisk(),
    network: bunNetwork,
    offload: inlineOffload(),
  };
}
