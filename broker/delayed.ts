import type { Clock } from "../core/io.ts";
import type { FetchSession } from "./fetch-session.ts";
import type { Isolation, Partition } from "./partition.ts";

/** One partition that a parked fetch watches, as it stood when the fetch last read it. */
export interface Watch {
  readonly partition: Partition;
  /** Bytes that the read returned. */
  readonly readBytes: number;
  /** `partition.visibleBytes` at the read. */
  readonly visibleBytes: number;
  /** What the fetch may see. */
  readonly isolation: Isolation;
  /** The most that this partition may add to the response. */
  readonly maxBytes: number;
}

/** Why a parked fetch goes on. */
export type Wake = "data" | "deadline" | "aborted";

/**
 * Parks a fetch until the watched partitions together hold `minBytes` for it, one of them is closed
 * or changes its leader, `deadlineMs` (monotonic) has come, `signal` is aborted, or the `session`
 * of a follower ends. When the broker stops, `stopping` is aborted and the partitions wake their
 * listeners: thousands of waits need not listen to one signal. It never polls. Kafka's
 * `DelayedFetch`.
 */
export function waitForData(
  clock: Clock,
  watches: readonly Watch[],
  minBytes: number,
  deadlineMs: number,
  signal: AbortSignal,
  stopping: AbortSignal,
  session: Pick<FetchSession, "waiting"> | null = null,
): Promise<Wake> {
  return new Promise((resolve) => {
    if (signal.aborted || stopping.aborted) return resolve("aborted");
    const epochs = watches.map((watch) => watch.partition.leaderEpoch);
    const unsubscribe: (() => void)[] = [];
    const settle = (wake: Wake) => {
      timer.cancel();
      signal.removeEventListener("abort", onAbort);
      for (const stop of unsubscribe) stop();
      resolve(wake);
    };
    const onAbort = () => settle("aborted");
    const onAdvance = () => {
      if (stopping.aborted) settle("aborted");
      else if (shouldWake(watches, epochs, minBytes)) settle("data");
    };
    const delayMs = Math.max(0, deadlineMs - clock.monotonicMs());
    const timer = clock.setTimer(delayMs, () => settle("deadline"));
    signal.addEventListener("abort", onAbort, { once: true });
    if (session !== null) unsubscribe.push(session.waiting(onAbort));
    for (const watch of watches) unsubscribe.push(watch.partition.onAdvance(onAdvance));
  });
}

function shouldWake(
  watches: readonly Watch[],
  epochs: readonly number[],
  minBytes: number,
): boolean {
  let bytes = 0;
  for (let i = 0; i < watches.length; i++) {
    const { partition, readBytes, visibleBytes, maxBytes, isolation } = watches[i];
    if (partition.closed || partition.failed || partition.leaderEpoch !== epochs[i]) {
      return true;
    }
    const arrived = partition.visibleBytes(isolation) - visibleBytes;
    // A batch larger than the bound is returned all the same, so one byte always counts.
    bytes += Math.max(Math.min(readBytes + arrived, maxBytes), arrived > 0 ? 1 : 0);
    if (bytes >= minBytes) return true;
  }
  return false;
}
