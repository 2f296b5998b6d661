import type { Io } from "../../core/io.ts";
import { FaultRules } from "./faults.ts";

/** What a broker for development has and others have not. */
export interface DevServices {
  /** The faults that requests meet with. */
  readonly faults: FaultRules;
}

/** See `DevServices`. */
export function devServices(io: Pick<Io, "random">): DevServices {
  return { faults: new FaultRules(io.random) };
}
