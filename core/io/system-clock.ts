import type { Clock, Timer } from "../io.ts";

/** The longest delay that the runtime's timers take; longer ones are chained. */
const TIMER_DELAY_MS_MAX = 2 ** 31 - 1;

/** The clock of this process, on any runtime. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs: number, callback: () => void): Timer {
    const deadlineMs = performance.now() + Math.max(0, delayMs);
    let handle: ReturnType<typeof setTimeout>;
    const fire = () => {
      // The runtime rounds delays to whole milliseconds and may be a fraction early.
      const leftMs = deadlineMs - performance.now();
      if (leftMs > 0) arm(leftMs);
      else callback();
    };
    const arm = (leftMs: number) => {
      handle = setTimeout(fire, Math.min(Math.ceil(leftMs), TIMER_DELAY_MS_MAX));
    };
    arm(Math.max(0, delayMs));
    return { cancel: () => clearTimeout(handle) };
  },
};
