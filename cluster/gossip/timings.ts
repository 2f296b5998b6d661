/**
 * How fast gossip works: two presets, and what grows with the logarithm of the cluster. All times
 * are in milliseconds.
 *
 * | Timing                  | `default` | `lan`  | Meaning                                          |
 * | ----------------------- | --------- | ------ | ------------------------------------------------ |
 * | `probeIntervalMs`       | 1,000     | 200    | one member is probed in each                     |
 * | `probeTimeoutMs`        | 400       | 80     | for a direct answer, before others are asked     |
 * | `gossipIntervalMs`      | 150       | 50     | news go out in each, if there are any            |
 * | `syncIntervalMs`        | 30,000    | 10,000 | a state exchange up to 32 members                |
 * | `reconnectIntervalMs`   | 5,000     | 1,000  | a member that has failed is tried again          |
 * | `gossipToFailedMs`      | 30,000    | 10,000 | the failed still get news                        |
 * | `leaveTimeoutMs`        | 3,000     | 1,000  | bound on telling that one leaves                 |
 * | `streamTimeoutMs`       | 10,000    | 3,000  | bound on a state exchange                        |
 * | `suspicionMultiplier`   | 2.5       | 3      | probe intervals per decade of members            |
 * | `keepFailedMs`          | 1 day     | 1 day  | until a failed member is forgotten               |
 * | `keepLeftMs`            | 1 hour    | 1 hour | until one that has left is forgotten             |
 *
 * A crash in a cluster of n members is known everywhere after about one probe interval until
 * somebody probes it, one until the probe has failed, `suspicionMultiplier` × log10 n until
 * the suspicion has become certainty, and the time that news need: log(n) gossip intervals. For
 * 1,000 members: 1 + 1 + 7.5 + 0.3 s with `default`, 0.2 + 0.2 + 1.8 + 0.1 s with `lan`.
 */

/** See the table at the head of this file; the other numbers are counts and factors. */
export interface Timings {
  readonly probeIntervalMs: number;
  readonly probeTimeoutMs: number;
  /** How many others are asked to probe whom we cannot reach (SWIM's k). */
  readonly indirectProbes: number;
  readonly gossipIntervalMs: number;
  /** To how many members news go in one gossip interval. */
  readonly gossipFanout: number;
  /** News are sent `retransmitMultiplier` × (1 + ⌈log10(n + 1)⌉) times by each (SWIM's λ). */
  readonly retransmitMultiplier: number;
  /** Lifeguard's α: the shortest suspicion, in probe intervals per decade of members. */
  readonly suspicionMultiplier: number;
  /** Smaller clusters count as if they had this many decades of members. */
  readonly suspicionDecadesMin: number;
  /** Lifeguard's β: the longest suspicion, that of which nobody else knows, over the shortest. */
  readonly suspicionMaxFactor: number;
  /** Lifeguard's K: so many others who suspect the same make a suspicion as short as it gets. */
  readonly confirmations: number;
  readonly syncIntervalMs: number;
  readonly reconnectIntervalMs: number;
  readonly gossipToFailedMs: number;
  readonly leaveTimeoutMs: number;
  readonly streamTimeoutMs: number;
  readonly keepFailedMs: number;
  readonly keepLeftMs: number;
}

const DAY_MS = 24 * 3_600_000;

/** For any network. */
const DEFAULT: Timings = {
  probeIntervalMs: 1_000,
  probeTimeoutMs: 400,
  indirectProbes: 3,
  gossipIntervalMs: 150,
  gossipFanout: 3,
  retransmitMultiplier: 4,
  suspicionMultiplier: 2.5,
  suspicionDecadesMin: 1,
  suspicionMaxFactor: 4,
  confirmations: 3,
  syncIntervalMs: 30_000,
  reconnectIntervalMs: 5_000,
  gossipToFailedMs: 30_000,
  leaveTimeoutMs: 3_000,
  streamTimeoutMs: 10_000,
  keepFailedMs: DAY_MS,
  keepLeftMs: 3_600_000,
};

/** The presets by name: `lan` is for members in one data centre, with round trips below 20 ms. */
export const TIMINGS = {
  default: DEFAULT,
  lan: {
    ...DEFAULT,
    probeIntervalMs: 200,
    probeTimeoutMs: 80,
    suspicionMultiplier: 3,
    // A second at least, or a network that loses much gives no time to object.
    suspicionDecadesMin: 2,
    gossipIntervalMs: 50,
    syncIntervalMs: 10_000,
    reconnectIntervalMs: 1_000,
    gossipToFailedMs: 10_000,
    leaveTimeoutMs: 1_000,
    streamTimeoutMs: 3_000,
  },
} as const satisfies Record<string, Timings>;

/** The names of the presets. */
export type TimingsName = keyof typeof TIMINGS;

/** How often news are sent by each who has them, in a cluster of `members`. */
export function retransmitLimit(timings: Timings, members: number): number {
  return timings.retransmitMultiplier * (1 + Math.ceil(Math.log10(members + 1)));
}

/** The shortest and the longest time that a member is under suspicion, in a cluster of `members`. */
export function suspicionBounds(
  timings: Timings,
  members: number,
): { readonly minMs: number; readonly maxMs: number } {
  const decades = Math.max(timings.suspicionDecadesMin, Math.log10(members));
  const minMs = timings.suspicionMultiplier * decades * timings.probeIntervalMs;
  return { minMs, maxMs: minMs * timings.suspicionMaxFactor };
}

/** The time between two state exchanges: one more interval for each doubling above 32 members. */
export function syncIntervalMs(timings: Timings, members: number): number {
  return timings.syncIntervalMs * (1 + Math.max(0, Math.ceil(Math.log2(members / 32))));
}
