import { describe, expect, test } from "bun:test";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { type IsrProposal, type IsrSettings, LeaderReplicas } from "./leader-replicas.ts";

const LAG_MS = 100;
const settings: IsrSettings = { lagTimeMaxMs: LAG_MS, minInsync: 1, isEligible: () => true };

function lead(isr: readonly number[], replicas: readonly number[] = [0, 1, 2]): LeaderReplicas {
  const committed = { isr, leaderEpoch: 5, partitionEpoch: 10 };
  return new LeaderReplicas(
    { self: 0, replicas, epochStartOffset: 0, highWatermark: 0, ...committed },
    0,
    0,
    0,
  );
}

const fetch = (brokerId: number, fetchOffset: number, brokerEpoch = 1) => ({
  brokerId,
  brokerEpoch,
  fetchOffset,
  logStartOffset: 0,
});

describe("the high watermark", () => {
  test("is where the last of the ISR is, and the leader's own durable end", () => {
    const replicas = lead([0, 1, 2]);
    replicas.onOwnEnd(10, 8, settings, 0);
    replicas.onFetch(fetch(1, 10), settings, 1);
    expect(replicas.highWatermark).toBe(0);
    expect(replicas.onFetch(fetch(2, 5), settings, 1)).toBe(true);
    expect(replicas.highWatermark).toBe(5);
    replicas.onFetch(fetch(2, 10), settings, 2);
    expect(replicas.highWatermark).toBe(8);
    expect(replicas.onOwnEnd(10, 10, settings, 3)).toBe(true);
    expect(replicas.highWatermark).toBe(10);
  });

  test("never falls, whatever a follower says", () => {
    const replicas = lead([0, 1], [0, 1]);
    replicas.onOwnEnd(10, 10, settings, 0);
    replicas.onFetch(fetch(1, 10), settings, 1);
    replicas.onFetch(fetch(1, 3, 2), settings, 2);
    expect(replicas.highWatermark).toBe(10);
  });

  test("rests while the ISR is smaller than min.insync.replicas", () => {
    const strict = { ...settings, minInsync: 2 };
    const replicas = lead([0]);
    replicas.onOwnEnd(10, 10, strict, 0);
    expect(replicas.highWatermark).toBe(0);
    // A topic may ask for more than it has.
    const alone = lead([0], [0]);
    alone.onOwnEnd(10, 10, strict, 0);
    expect(alone.highWatermark).toBe(10);
  });

  test("waits for a proposed member from the proposal on, for a removed one until it is", () => {
    const replicas = lead([0, 1], [0, 1, 2]);
    replicas.onOwnEnd(10, 10, settings, 0);
    replicas.onFetch(fetch(1, 10), settings, 1);
    replicas.onFetch(fetch(2, 10), settings, 1);
    const joins = replicas.propose(settings, 1)!;
    expect(joins.isr.map(({ brokerId }) => brokerId)).toEqual([0, 1, 2]);
    replicas.onOwnEnd(20, 20, settings, 2);
    replicas.onFetch(fetch(1, 20), settings, LAG_MS + 50);
    expect(replicas.highWatermark).toBe(10);
    replicas.onCommitted(
      { isr: [0, 1, 2], leaderEpoch: 5, partitionEpoch: 11 },
      [0, 1, 2],
      settings,
      60,
    );
    const leaves = replicas.propose(settings, LAG_MS + 60)!;
    expect(leaves.isr.map(({ brokerId }) => brokerId)).toEqual([0, 1]);
    expect(replicas.highWatermark).toBe(10);
    expect(
      replicas.onCommitted(
        { isr: [0, 1], leaderEpoch: 5, partitionEpoch: 12 },
        [0, 1, 2],
        settings,
        LAG_MS + 70,
      ),
    ).toBe(true);
    expect(replicas.highWatermark).toBe(20);
  });

  test("waits for a follower that is about to join, not for one that has long been away", () => {
    const replicas = lead([0], [0, 1, 2]);
    replicas.onOwnEnd(10, 10, settings, 1);
    expect(replicas.highWatermark).toBe(10);
    replicas.onFetch(fetch(1, 10), settings, 1000);
    replicas.onFetch(fetch(2, 4), settings, 1000);
    replicas.onOwnEnd(20, 20, settings, 1001);
    expect(replicas.highWatermark).toBe(10);
    replicas.onFetch(fetch(1, 20), settings, 1002);
    expect(replicas.highWatermark).toBe(20);
  });
});

describe("the ISR", () => {
  test("loses who has not been caught up for too long, though it fetches", () => {
    const replicas = lead([0, 1], [0, 1]);
    for (let ms = 0; ms <= LAG_MS; ms += 10) {
      replicas.onOwnEnd(100 + ms, 100 + ms, settings, ms);
      replicas.onFetch(fetch(1, ms), settings, ms);
      expect(replicas.propose(settings, ms)).toBeNull();
    }
    expect(replicas.propose(settings, LAG_MS + 1)?.isr).toEqual([{ brokerId: 0, brokerEpoch: -1 }]);
  });

  test("keeps who has at each fetch what there was at the one before", () => {
    const replicas = lead([0, 1], [0, 1]);
    for (let ms = 0; ms <= 10 * LAG_MS; ms += 10) {
      replicas.onOwnEnd(100 + ms, 100 + ms, settings, ms);
      replicas.onFetch(fetch(1, 90 + ms), settings, ms);
      expect(replicas.propose(settings, ms)).toBeNull();
    }
  });

  test("is joined at the high watermark and the start of the epoch, by who is eligible", () => {
    const committed = { isr: [0], leaderEpoch: 5, partitionEpoch: 10 };
    const start = {
      self: 0,
      replicas: [0, 1],
      epochStartOffset: 8,
      highWatermark: 5,
      ...committed,
    };
    const replicas = new LeaderReplicas(start, 8, 5, 0);
    replicas.onFetch(fetch(1, 7), settings, 1);
    expect(replicas.propose(settings, 1)).toBeNull();
    replicas.onFetch(fetch(1, 8, 3), settings, 2);
    const choosy = { ...settings, isEligible: (_id: number, epoch: number) => epoch === 4 };
    expect(replicas.propose(choosy, 2)).toBeNull();
    replicas.onFetch(fetch(1, 8, 4), settings, 3);
    // A fetch that was sent before the broker began anew comes late.
    expect(replicas.onFetch(fetch(1, 100, 3), settings, 3)).toBeNull();
    expect(replicas.propose(choosy, 3)).toEqual({
      isr: [{ brokerId: 0, brokerEpoch: -1 }, { brokerId: 1, brokerEpoch: 4 }],
      leaderEpoch: 5,
      partitionEpoch: 10,
    });
  });

  test("has one proposal under way, and another only after its answer", () => {
    const replicas = lead([0], [0, 1, 2]);
    replicas.onFetch(fetch(1, 0), settings, 1);
    const first = replicas.propose(settings, 1)!;
    replicas.onFetch(fetch(2, 0), settings, 1);
    expect(replicas.propose(settings, 2)).toBeNull();
    replicas.onRefused({ ...first }, settings, 3);
    expect(replicas.propose(settings, 3)).toBeNull();
    replicas.onRefused(first, settings, 3);
    expect(replicas.propose(settings, 4)?.isr).toHaveLength(3);
  });

  test("follows changes of the replicas", () => {
    const replicas = lead([0, 1, 2]);
    replicas.onOwnEnd(10, 10, settings, 0);
    replicas.onFetch(fetch(1, 10), settings, 1);
    expect(
      replicas.onCommitted(
        { isr: [0, 1], leaderEpoch: 5, partitionEpoch: 11 },
        [0, 1, 3],
        settings,
        2,
      ),
    ).toBe(true);
    expect(replicas.onFetch(fetch(2, 10), settings, 3)).toBeNull();
    expect(replicas.onFetch(fetch(3, 4), settings, 3)).toBe(false);
    expect(replicas.lowWatermark).toBe(0);
    // Old news.
    expect(
      replicas.onCommitted({ isr: [0], leaderEpoch: 5, partitionEpoch: 11 }, [0], settings, 4),
    ).toBe(false);
    expect(replicas.isr).toEqual([0, 1]);
  });
});

/** A controller, followers and a network that delays, loses and repeats, around one leader. */
class World {
  readonly ids = [0, 1, 2, 3];
  readonly ends = new Map<number, number>();
  readonly epochs = new Map<number, number>();
  committed = { isr: [0, 1, 2, 3], leaderEpoch: 1, partitionEpoch: 0 };
  readonly leader: LeaderReplicas;
  readonly settings: IsrSettings;
  proposal: IsrProposal | null = null;
  mail: (() => void)[] = [];
  logEnd = 0;
  durableEnd = 0;
  nowMs = 0;

  constructor(readonly random: SimRandom) {
    for (const id of this.ids) {
      this.ends.set(id, 0);
      this.epochs.set(id, 1);
    }
    this.settings = {
      lagTimeMaxMs: LAG_MS,
      minInsync: random.between(1, 3),
      // The leader may be told late who has begun anew.
      isEligible: (id, epoch) => epoch === this.epochs.get(id) || random.chance(20),
    };
    const start = { self: 0, replicas: this.ids, epochStartOffset: 0, highWatermark: 0 };
    this.leader = new LeaderReplicas({ ...start, ...this.committed }, 0, 0, 0);
  }

  append(): void {
    this.logEnd += this.random.between(1, 5);
    this.leader.onOwnEnd(this.logEnd, this.durableEnd, this.settings, this.nowMs);
  }

  sync(): void {
    this.durableEnd = this.random.between(this.durableEnd, this.logEnd);
    this.leader.onOwnEnd(this.logEnd, this.durableEnd, this.settings, this.nowMs);
  }

  /** A follower fetches, and what comes back it has from then on. */
  fetch(id: number): void {
    const message = {
      brokerId: id,
      brokerEpoch: this.epochs.get(id)!,
      fetchOffset: this.ends.get(id)!,
      logStartOffset: 0,
    };
    this.mail.push(() => {
      if (this.leader.onFetch(message, this.settings, this.nowMs) === null) return;
      const upTo = this.random.between(Math.min(message.fetchOffset, this.logEnd), this.logEnd);
      this.mail.push(() => {
        if (this.epochs.get(id) !== message.brokerEpoch) return;
        this.ends.set(id, Math.max(this.ends.get(id)!, upTo));
      });
    });
  }

  /** A follower's broker begins anew and has lost something: it leaves the ISR as it registers. */
  restart(id: number): void {
    this.epochs.set(id, this.epochs.get(id)! + 1);
    this.ends.set(id, this.random.between(0, this.ends.get(id)!));
    if (!this.committed.isr.includes(id)) return;
    this.commit(this.committed.isr.filter((other) => other !== id));
  }

  commit(isr: readonly number[]): void {
    const partitionEpoch = this.committed.partitionEpoch + 1;
    this.committed = { ...this.committed, isr: [...isr], partitionEpoch };
    const news = this.committed;
    this.mail.push(() => this.leader.onCommitted(news, this.ids, this.settings, this.nowMs));
  }

  /** Sends what is under way again, or what is due. */
  propose(): void {
    const proposal = this.leader.propose(this.settings, this.nowMs) ?? this.proposal;
    if (proposal === null) return;
    this.proposal = proposal;
    this.mail.push(() => this.decide(proposal));
  }

  /** The controller's part (`ReplicationControlManager.alterPartition`). */
  decide(proposal: IsrProposal): void {
    if (proposal.partitionEpoch !== this.committed.partitionEpoch) return;
    const isFit = proposal.isr.every(({ brokerId, brokerEpoch }) =>
      brokerEpoch === -1 || brokerEpoch === this.epochs.get(brokerId)
    );
    if (isFit) this.commit(proposal.isr.map(({ brokerId }) => brokerId));
    else this.mail.push(() => this.leader.onRefused(proposal, this.settings, this.nowMs));
  }

  deliver(isLossy: boolean): void {
    if (this.mail.length === 0) return;
    const at = this.random.below(this.mail.length);
    const [message] = this.random.chance(isLossy ? 10 : 0)
      ? [this.mail[at]]
      : this.mail.splice(at, 1);
    if (!isLossy || this.random.chance(85)) message?.();
  }

  check(): void {
    const { highWatermark } = this.leader;
    expect(highWatermark).toBeLessThanOrEqual(this.durableEnd);
    for (const id of this.committed.isr) {
      if (id !== 0) expect(this.ends.get(id)!).toBeGreaterThanOrEqual(highWatermark);
    }
  }

  step(): void {
    this.nowMs += this.random.below(20);
    const follower = this.random.between(1, 3);
    const kind = this.random.below(100);
    if (kind < 15) this.append();
    else if (kind < 25) this.sync();
    else if (kind < 50) this.fetch(follower);
    else if (kind < 52) this.restart(follower);
    else if (kind < 65) this.propose();
    else this.deliver(true);
    this.check();
  }

  /** Everything works again: all join, and all that was written counts. */
  heal(): void {
    this.durableEnd = this.logEnd;
    for (let round = 0; round < 60; round++) {
      this.leader.onOwnEnd(this.logEnd, this.durableEnd, this.settings, ++this.nowMs);
      for (const id of [1, 2, 3]) this.fetch(id);
      this.propose();
      // A leader hears of every change in the end, by the metadata if not by an answer.
      const news = this.committed;
      this.mail.push(() => this.leader.onCommitted(news, this.ids, this.settings, this.nowMs));
      while (this.mail.length > 0) {
        this.deliver(false);
        this.check();
      }
    }
  }
}

test("whoever the controller may make leader has all below the high watermark, come what may", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const world = new World(new SimRandom(seed));
    for (let step = 0; step < 300; step++) world.step();
    world.heal();
    expect([seed, world.leader.highWatermark, [...world.leader.isr].sort()])
      .toEqual([seed, world.logEnd, [0, 1, 2, 3]]);
  }
});
