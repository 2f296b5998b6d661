/** Whom a worker shares its work with: a group, or nobody. */
import type { Work } from "./work.ts";

/** Another worker, or this one. */
export interface Peer {
  readonly workerId: string;
  /** Of its REST API; empty: it has none. */
  readonly url: string;
}

/** What a worker hears of its membership. */
export interface MembershipEvents {
  /** All that this worker has by now, also what has not quite ended. */
  held(): readonly Work[];
  /** All that there is to do: asked of the leader at a rebalance. */
  work(): readonly Work[];
  /** This worker has this from now on, and nothing else; nothing is waited for. */
  assigned(work: readonly Work[]): void;
  /** Resolves when nothing of it runs here any more. */
  revoked(work: readonly Work[]): Promise<void>;
  /** Others may have all of it soon: resolves when nothing runs here any more. */
  lost(): Promise<void>;
  /** Trouble that lasts; the member goes on trying unless it is `fatal`. */
  failed(error: Error, fatal: boolean): void;
}

/** A worker among others, from `start` to `stop`. */
export interface WorkerMembership {
  start(): void;
  /** Leaves the others. What ran here must have ended. */
  stop(): Promise<void>;
  /** There is other work than at the last rebalance: as leader it is shared out again, soon. */
  workChanged(): void;
  /** Joins again, as one that doubts whether it still leads. */
  rejoin(): void;
  /** Whether this worker decides what is written to the config topic. */
  readonly isLeader: boolean;
  /** Null outside of the group, as in a rebalance that takes long. */
  readonly leader: Peer | null;
  /** Counts rebalances. */
  readonly generation: number;
  /** Whether it is in the group and knows what it has. */
  readonly isStable: boolean;
  /** As leader: who has this; null: nobody. */
  ownerOf(work: Work): Peer | null;
}

/** A worker that has all the work to itself. */
export class AloneMembership implements WorkerMembership {
  readonly isLeader = true;
  readonly generation = 0;
  readonly isStable = true;
  #isRunning = false;

  constructor(private readonly self: Peer, private readonly events: MembershipEvents) {}

  start(): void {
    this.#isRunning = true;
    this.workChanged();
  }

  stop(): Promise<void> {
    this.#isRunning = false;
    return Promise.resolve();
  }

  workChanged(): void {
    if (this.#isRunning) this.events.assigned(this.events.work());
  }

  rejoin(): void {
    this.workChanged();
  }

  get leader(): Peer {
    return this.self;
  }

  ownerOf(): Peer {
    return this.self;
  }
}
