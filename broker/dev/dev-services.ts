import { type Io, sleep } from "../../core/io.ts";
import type { Services } from "../services.ts";
import type { DevClock } from "./dev-clock.ts";
import { FaultRules } from "./faults.ts";

/** What a broker for development has and others have not. */
export interface DevServices {
  /** The faults that requests meet with. */
  readonly faults: FaultRules;
  readonly clock: Pick<DevClock, "aheadMs">;
  /** Moves the broker's time forward, as `DevClock.advance`; resolves when all is done. */
  advance(byMs: number, options?: { readonly sessions?: boolean }): Promise<void>;
}

/** How long is waited for transactions that end, in real time, and how often is looked at them. */
const ENDING_MS_MAX = 10_000;
const ENDING_POLL_MS = 1;

/** See `DevServices`. */
export function devServices(
  io: Pick<Io, "clock" | "random">,
  clock: DevClock,
  { transactions, dataDirs }: Pick<Services, "transactions" | "dataDirs">,
): DevServices {
  const settled = async () => {
    const endMs = io.clock.monotonicMs() + ENDING_MS_MAX;
    while (transactions.isEnding && io.clock.monotonicMs() < endMs) {
      await sleep(io.clock, ENDING_POLL_MS);
    }
  };
  const arrived = async () => {
    await Promise.all(dataDirs.all.map((dir) => dir.maintainFully()));
  };
  return {
    faults: new FaultRules(io.random),
    clock,
    advance: (byMs, { sessions = false } = {}) =>
      clock.advance(byMs, { settled, arrived }, sessions),
  };
}
