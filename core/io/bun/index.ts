/** The real world, as Bun gives it. */
import type { Io, Offload } from "../../io.ts";
import { bunClock } from "./clock.ts";
import { BunDisk } from "./disk.ts";
import { bunDatagrams } from "./datagrams.ts";
import { bunNetwork } from "./network.ts";
import { inlineOffload } from "../inline-offload.ts";
import { bunRandom } from "./random.ts";

export { bunClock } from "./clock.ts";
export { bunDatagrams } from "./datagrams.ts";

/** This machine; `offload` has the worker threads of `serve`, without it there are none. */
export function bunIo(offload: Offload | null = null): Io {
  return {
    clock: bunClock,
    random: bunRandom,
    disk: new BunDisk(offload),
    network: bunNetwork,
    datagrams: bunDatagrams,
    offload: offload ?? inlineOffload(),
  };
}
