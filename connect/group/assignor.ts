/**
 * Who runs what, decided by the leader at each rebalance (KIP-415, incremental cooperative): whoever
 * has something keeps it; what nobody has goes to whoever has least; who has too much gives some of it
 * up, and in the rebalance that follows it goes to others. So nothing runs twice: a piece of work is
 * given to a worker only if no member of the group says that it has it, and who is no member any more
 * has stopped all (its session ends for itself before it does for the group).
 *
 * What was with a worker that is gone waits for a time: as a rule the worker is back soon and gets it
 * again, and nothing else moves.
 */
import type { Work } from "./work.ts";

/** A worker at a rebalance, by what it has: all that runs on it or has not quite ended yet. */
export interface AssignableWorker {
  readonly memberId: string;
  readonly held: readonly Work[];
}

/** What a worker is to do. */
export interface WorkerPart {
  /** All that it runs from now on. */
  readonly assigned: readonly Work[];
  /** What it has to stop; then it joins again, so that others may get it. */
  readonly revoked: readonly Work[];
}

/** What the leader remembers from one rebalance to the next; another leader begins with none. */
export interface AssignorMemory {
  /** All that somebody was given at the last rebalance. */
  readonly given: ReadonlySet<Work>;
  /** What waits for its worker to come back, and until when (monotonic). */
  readonly lost: ReadonlySet<Work>;
  readonly lostUntilMs: number | null;
}

export const NO_MEMORY: AssignorMemory = { given: new Set(), lost: new Set(), lostUntilMs: null };

export interface Assignment {
  readonly parts: ReadonlyMap<string, WorkerPart>;
  readonly memory: AssignorMemory;
}

/** Times of a rebalance. */
export interface AssignTimes {
  readonly nowMs: number;
  /** How long work waits for a worker that is gone (`scheduled.rebalance.max.delay.ms`). */
  readonly maxDelayMs: number;
}

/** Shares out `work`; connectors and tasks are spread evenly, each kind for itself. */
export function assign(
  workers: readonly AssignableWorker[],
  work: readonly Work[],
  memory: AssignorMemory,
  times: AssignTimes,
): Assignment {
  const wanted = new Set(work);
  const shares = new Map(workers.map(({ memberId }) => [memberId, new Share()]));
  const holders = keepHeld(workers, wanted, shares);
  const free = work.filter((piece) => !holders.has(piece));
  // A worker that was away comes back with nothing: it is the one that was waited for.
  const isBack = workers.some(({ held }) => held.length === 0);
  const { lost, lostUntilMs } = isBack ? NOTHING_LOST : stillLost(free, memory, times);
  for (const piece of free) if (!lost.has(piece)) give(piece, shares);
  if (lost.size === 0) {
    for (const kind of KINDS) balance(kind, shares, work.filter((piece) => kindOf(piece) === kind));
  }
  const given = new Set([...shares.values()].flatMap(({ assigned }) => [...assigned]));
  const parts = new Map([...shares].map(([memberId, { assigned, revoked }]) => {
    return [memberId, { assigned: [...assigned], revoked: [...revoked] }];
  }));
  return { parts, memory: { given, lost, lostUntilMs } };
}

type Kind = "c" | "t";
const KINDS: readonly Kind[] = ["c", "t"];

function kindOf(piece: Work): Kind {
  return piece.startsWith("c") ? "c" : "t";
}

class Share {
  readonly assigned = new Set<Work>();
  readonly revoked = new Set<Work>();
  readonly counts: Record<Kind, number> = { c: 0, t: 0 };

  keep(piece: Work): void {
    this.assigned.add(piece);
    this.counts[kindOf(piece)]++;
  }

  revoke(piece: Work): void {
    if (this.assigned.delete(piece)) this.counts[kindOf(piece)]--;
    this.revoked.add(piece);
  }
}

/** Leaves everybody what it has and what there still is; all that somebody has, in any case. */
function keepHeld(
  workers: readonly AssignableWorker[],
  wanted: ReadonlySet<Work>,
  shares: ReadonlyMap<string, Share>,
): Set<Work> {
  const holders = new Map<Work, number>();
  for (const { held } of workers) {
    for (const piece of held) holders.set(piece, (holders.get(piece) ?? 0) + 1);
  }
  for (const { memberId, held } of workers) {
    const share = shares.get(memberId);
    for (const piece of held) {
      // Two that have the same were both wrong: a third one, or one of them, gets it next time.
      if (wanted.has(piece) && holders.get(piece) === 1) share?.keep(piece);
      else share?.revoke(piece);
    }
  }
  return new Set(holders.keys());
}

type Lost = Pick<AssignorMemory, "lost" | "lostUntilMs">;

const NOTHING_LOST: Lost = { lost: new Set(), lostUntilMs: null };

/** What waits for a worker that is gone, and until when. */
function stillLost(
  free: readonly Work[],
  { given, lost, lostUntilMs }: AssignorMemory,
  { nowMs, maxDelayMs }: AssignTimes,
): Lost {
  const waiting = free.filter((piece) => given.has(piece) || lost.has(piece));
  if (waiting.length === 0) return NOTHING_LOST;
  const untilMs = lostUntilMs ?? nowMs + maxDelayMs;
  return nowMs >= untilMs ? NOTHING_LOST : { lost: new Set(waiting), lostUntilMs: untilMs };
}

/** To whoever has least of its kind, and least of all among those. */
function give(piece: Work, shares: ReadonlyMap<string, Share>): void {
  const kind = kindOf(piece);
  let best: Share | null = null;
  for (const share of shares.values()) {
    if (best === null || isLess(share.counts, best.counts, kind)) best = share;
  }
  best?.keep(piece);
}

function isLess(a: Record<Kind, number>, b: Record<Kind, number>, kind: Kind): boolean {
  return a[kind] < b[kind] || (a[kind] === b[kind] && a.c + a.t < b.c + b.t);
}

/** Has workers give up what is more than their part, down to where all are even. */
function balance(kind: Kind, shares: ReadonlyMap<string, Share>, work: readonly Work[]): void {
  if (shares.size === 0) return;
  const floor = Math.floor(work.length / shares.size);
  // So many workers have one more than the others.
  let larger = work.length % shares.size;
  const byCount = [...shares.values()].sort((a, b) => b.counts[kind] - a.counts[kind]);
  for (const share of byCount) {
    const fair = larger-- > 0 ? floor + 1 : floor;
    const pieces = [...share.assigned].filter((piece) => kindOf(piece) === kind);
    for (const piece of pieces.slice(fair)) share.revoke(piece);
  }
}
