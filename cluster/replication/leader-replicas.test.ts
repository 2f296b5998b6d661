import { describe, expect, test } from "bun:test";
import { type IsrSettings, LeaderReplicas } from "./leader-replicas.ts";

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
    expect(first.isr).toHaveLength(2);
    const refused = { isr: [0], leaderEpoch: 5, partitionEpoch: 11 };
    replicas.onCommitted(refused, [0, 1, 2], settings, 3);
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
    expect(replicas.lowWatermark(() => true)).toBe(0);
    expect(replicas.lowWatermark(() => false)).toBe(Infinity);
    // Old news.
    expect(
      replicas.onCommitted({ isr: [0], leaderEpoch: 5, partitionEpoch: 11 }, [0], settings, 4),
    ).toBe(false);
    expect(replicas.isr).toEqual([0, 1]);
  });
});
