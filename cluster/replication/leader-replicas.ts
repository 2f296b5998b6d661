/**
 * What the leader of a partition knows of its replicas: how far each is, who is in the ISR, and so how
 * far the high watermark is. A pure state; events in, numbers and proposals out. After Kafka's
 * `kafka.cluster.Partition` and `Replica`, KIP-497 (one proposal to the controller at a time) and
 * KIP-903 (broker epochs).
 *
 * The high watermark is the least end in the *maximal* ISR: all that may be the ISR for the controller
 * at this moment. A proposed member counts from the proposal on, one whose removal is proposed until
 * the controller has removed it. So whoever the controller makes leader has all that is below it.
 */
import { assert } from "../../core/assert.ts";

/** The ISR as the controller has committed it. */
export interface CommittedIsr {
  readonly isr: readonly number[];
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
}

/** A partition that begins to be led. */
export interface Leadership extends CommittedIsr {
  readonly self: number;
  /** All replicas, this one among them. */
  readonly replicas: readonly number[];
  /** Where the log ended when this epoch began. */
  readonly epochStartOffset: number;
  /** The high watermark as this replica knew it before. */
  readonly highWatermark: number;
}

/** Settings that count at the moment. */
export interface IsrSettings {
  /** `replica.lag.time.max.ms`: so long a member of the ISR may not have been caught up. */
  readonly lagTimeMaxMs: number;
  /** `min.insync.replicas`. */
  readonly minInsync: number;
  /** Whether the broker is alive at this epoch, and not about to stop. */
  isEligible(brokerId: number, brokerEpoch: number): boolean;
}

/** A follower's fetch, which says that it has everything before `fetchOffset`. */
export interface FollowerFetch {
  readonly brokerId: number;
  readonly brokerEpoch: number;
  readonly fetchOffset: number;
  readonly logStartOffset: number;
}

/** What is to be asked of the controller (AlterPartition). Epochs of −1 are not known. */
export interface IsrProposal {
  readonly isr: readonly { readonly brokerId: number; readonly brokerEpoch: number }[];
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
}

interface Follower {
  /** −1: it has not fetched in this leader epoch. */
  endOffset: number;
  logStartOffset: number;
  brokerEpoch: number;
  lastFetchMs: number;
  /** Where the leader's log ended at the last fetch. */
  leaderEndAtFetch: number;
  /** When it had last everything that the leader had. */
  caughtUpMs: number;
}

/** See the head of the file. Times are monotonic milliseconds. */
export class LeaderReplicas {
  readonly #self: number;
  readonly #epochStartOffset: number;
  readonly #followers = new Map<number, Follower>();
  #committed: CommittedIsr;
  #proposed: IsrProposal | null = null;
  #logEnd: number;
  #durableEnd: number;
  #highWatermark: number;

  /** The log ends at `logEnd`, of which `durableEnd` counts as written. */
  constructor(leadership: Leadership, logEnd: number, durableEnd: number, nowMs: number) {
    this.#self = leadership.self;
    this.#epochStartOffset = leadership.epochStartOffset;
    this.#committed = leadership;
    this.#logEnd = logEnd;
    this.#durableEnd = durableEnd;
    this.#highWatermark = leadership.highWatermark;
    for (const replica of leadership.replicas) {
      // Who is in the ISR has the whole time to fetch for the first time.
      if (replica !== this.#self) this.#add(replica, leadership.isr.includes(replica) ? nowMs : 0);
    }
  }

  /** All that is below it is on every replica that can become leader. It never falls. */
  get highWatermark(): number {
    return this.#highWatermark;
  }

  /** The committed ISR. */
  get isr(): readonly number[] {
    return this.#committed.isr;
  }

  /**
   * The least start of the log of any follower that is alive, for DeleteRecords to wait for; −1 as long
   * as one has not said, Infinity if there is none.
   */
  lowWatermark(isAlive: (brokerId: number) => boolean): number {
    let low = Infinity;
    for (const [id, { logStartOffset }] of this.#followers) {
      if (isAlive(id)) low = Math.min(low, logStartOffset);
    }
    return low;
  }

  /** Followers in the ISR that have `offset`, or end with it; those that are furthest first. */
  inSyncWith(offset: number): number[] {
    return [...this.#followers]
      .filter(([id, { endOffset, logStartOffset }]) =>
        this.#committed.isr.includes(id) && endOffset >= offset && logStartOffset <= offset
      )
      .sort(([, a], [, b]) => b.endOffset - a.endOffset || b.caughtUpMs - a.caughtUpMs)
      .map(([id]) => id);
  }

  /** The leader's own log has grown, or more of it is durable. True if the high watermark has moved. */
  onOwnEnd(logEnd: number, durableEnd: number, settings: IsrSettings, nowMs: number): boolean {
    assert(durableEnd <= logEnd, "what is durable is in the log");
    this.#logEnd = logEnd;
    this.#durableEnd = durableEnd;
    return this.advance(settings, nowMs);
  }

  /**
   * A follower has fetched. Null if it is none of the replicas or one that was there before its broker
   * began anew; else whether the high watermark has moved.
   */
  onFetch(fetch: FollowerFetch, settings: IsrSettings, nowMs: number): boolean | null {
    const follower = this.#followers.get(fetch.brokerId);
    if (follower === undefined || fetch.brokerEpoch < follower.brokerEpoch) return null;
    if (fetch.fetchOffset >= this.#logEnd) follower.caughtUpMs = nowMs;
    else if (follower.endOffset >= 0 && fetch.fetchOffset >= follower.leaderEndAtFetch) {
      // It has what there was at its last fetch: under a steady load nobody ever has everything.
      follower.caughtUpMs = Math.max(follower.caughtUpMs, follower.lastFetchMs);
    }
    follower.endOffset = fetch.fetchOffset;
    follower.logStartOffset = fetch.logStartOffset;
    follower.brokerEpoch = fetch.brokerEpoch;
    follower.lastFetchMs = nowMs;
    follower.leaderEndAtFetch = this.#logEnd;
    return this.advance(settings, nowMs);
  }

  /**
   * The metadata say so: an answer to a proposal, or a change that came without one. What is not newer
   * than what is known changes nothing. True if the high watermark has moved.
   */
  onCommitted(
    committed: CommittedIsr,
    replicas: readonly number[],
    settings: IsrSettings,
    nowMs: number,
  ): boolean {
    assert(
      committed.leaderEpoch === this.#committed.leaderEpoch,
      "one object for each leader epoch",
    );
    if (committed.partitionEpoch <= this.#committed.partitionEpoch) return false;
    this.#committed = committed;
    // It was for another state of the partition: committed with this one, or never will be.
    this.#proposed = null;
    for (const id of this.#followers.keys()) if (!replicas.includes(id)) this.#followers.delete(id);
    for (const id of replicas) if (id !== this.#self && !this.#followers.has(id)) this.#add(id, 0);
    return this.advance(settings, nowMs);
  }

  /**
   * The change of the ISR that is due, or null. It counts as under way until `onCommitted` with a later
   * partition epoch; meanwhile there is no other, and whoever sends it sends it again until it has an
   * answer. A refusal, too, raises the partition epoch (`refuseProposal`). Else this could happen: sent
   * twice; the second copy is refused, so the member to be does not count any more and the high
   * watermark passes it; then the first copy arrives, and the controller has no reason to refuse it.
   */
  propose(settings: IsrSettings, nowMs: number): IsrProposal | null {
    if (this.#proposed !== null) return null;
    const isr = this.#committed.isr.filter((id) => !this.#isBehind(id, settings, nowMs));
    for (const [id, follower] of this.#followers) {
      if (!this.#committed.isr.includes(id) && this.#mayJoin(id, follower, settings)) isr.push(id);
    }
    if (sameMembers(isr, this.#committed.isr)) return null;
    const { leaderEpoch, partitionEpoch } = this.#committed;
    this.#proposed = {
      isr: isr.map((brokerId) => ({
        brokerId,
        brokerEpoch: this.#followers.get(brokerId)?.brokerEpoch ?? -1,
      })),
      leaderEpoch,
      partitionEpoch,
    };
    return this.#proposed;
  }

  /** The high watermark as far as it can go now; called when settings have changed. */
  advance(settings: IsrSettings, nowMs: number): boolean {
    // Below it, what is acknowledged could be on a replica that is not eligible any more (KIP-966).
    const minInsync = Math.min(settings.minInsync, this.#followers.size + 1);
    if (this.#committed.isr.length < minInsync) return false;
    let least = this.#durableEnd;
    for (const [id, follower] of this.#followers) {
      if (follower.endOffset >= least) continue;
      const counts = this.#isInMaximalIsr(id) || this.#isAboutToJoin(id, follower, settings, nowMs);
      if (counts) least = follower.endOffset;
    }
    if (least <= this.#highWatermark) return false;
    this.#highWatermark = least;
    return true;
  }

  #add(id: number, caughtUpMs: number): void {
    this.#followers.set(id, {
      endOffset: -1,
      logStartOffset: -1,
      brokerEpoch: -1,
      lastFetchMs: 0,
      leaderEndAtFetch: 0,
      caughtUpMs,
    });
  }

  #isInMaximalIsr(id: number): boolean {
    return this.#committed.isr.includes(id) ||
      (this.#proposed?.isr.some(({ brokerId }) => brokerId === id) ?? false);
  }

  /** It is waited for, or under a steady load it would never be where the high watermark is. */
  #isAboutToJoin(id: number, follower: Follower, settings: IsrSettings, nowMs: number): boolean {
    if (follower.endOffset < 0 || !settings.isEligible(id, follower.brokerEpoch)) return false;
    return nowMs - follower.caughtUpMs <= settings.lagTimeMaxMs;
  }

  #mayJoin(id: number, follower: Follower, settings: IsrSettings): boolean {
    return follower.endOffset >= Math.max(this.#highWatermark, this.#epochStartOffset) &&
      settings.isEligible(id, follower.brokerEpoch);
  }

  #isBehind(id: number, settings: IsrSettings, nowMs: number): boolean {
    const follower = this.#followers.get(id);
    if (follower === undefined || follower.endOffset === this.#logEnd) return false;
    return nowMs - follower.caughtUpMs > settings.lagTimeMaxMs;
  }
}

function sameMembers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
