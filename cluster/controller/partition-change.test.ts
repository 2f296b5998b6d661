import { describe, expect, test } from "bun:test";
import { changePartition, type PartitionChange, type PartitionState } from "./partition-change.ts";

const healthy: PartitionState = {
  replicas: [0, 1, 2],
  isr: [0, 1, 2],
  elr: [],
  lastKnownElr: [],
  leader: 0,
  leaderEpoch: 4,
  partitionEpoch: 9,
  isRecovering: false,
  adding: [],
  removing: [],
  offline: [],
};

/** The next state, of what changes in it. */
function after(
  state: Partial<PartitionState>,
  change: Partial<PartitionChange>,
  alive: readonly number[] = [0, 1, 2],
): Partial<PartitionState> | null {
  const before = { ...healthy, ...state };
  const next = changePartition(before, {
    election: "online",
    minInsync: 2,
    isAlive: (id) => alive.includes(id),
    ...change,
  });
  if (next === null) return null;
  const changed = Object.entries(next).filter(([name, value]) =>
    JSON.stringify(value) !== JSON.stringify(before[name as keyof PartitionState])
  );
  return Object.fromEntries(changed);
}

describe("a partition", () => {
  test("keeps a leader that lives, and elects the first of the ISR for one that does not", () => {
    expect(after({}, {})).toBeNull();
    expect(after({}, { leaving: [0] }, [1, 2]))
      .toEqual({ isr: [1, 2], leader: 1, leaderEpoch: 5, partitionEpoch: 10 });
    expect(after({ replicas: [2, 1, 0] }, { leaving: [0] }, [1, 2])).toMatchObject({ leader: 2 });
    expect(after({ isr: [0, 2] }, { leaving: [0] }, [1, 2])).toMatchObject({ leader: 2 });
  });

  test("changes the ISR as its leader proposes, in the same leader epoch", () => {
    expect(after({}, { isr: [0, 2] })).toEqual({ isr: [0, 2], partitionEpoch: 10 });
    expect(after({ isr: [0, 2] }, { isr: [0, 2, 1] })).toEqual({
      isr: [0, 2, 1],
      partitionEpoch: 10,
    });
  });

  test("gives the lead back to the preferred replica only if that can lead", () => {
    expect(after({ leader: 1 }, {})).toBeNull();
    expect(after({ leader: 1 }, { election: "preferred" })).toMatchObject({
      leader: 0,
      leaderEpoch: 5,
    });
    expect(after({ leader: 1, isr: [1, 2] }, { election: "preferred" })).toBeNull();
    expect(after({ leader: 1 }, { election: "preferred" }, [1, 2])).toBeNull();
  });

  test("keeps who leaves a small ISR eligible, and forgets them when it is large enough", () => {
    expect(after({ isr: [0, 1] }, { leaving: [1] }, [0]))
      .toEqual({ isr: [0], elr: [1], partitionEpoch: 10 });
    expect(after({ isr: [0], elr: [1] }, { leaving: [0] }, []))
      .toEqual({ isr: [], elr: [1, 0], leader: -1, leaderEpoch: 5, partitionEpoch: 10 });
    expect(after({ isr: [], elr: [1, 0], leader: -1 }, {}, [1]))
      .toEqual({ isr: [1], elr: [0], leader: 1, leaderEpoch: 5, partitionEpoch: 10 });
    expect(after({ isr: [1], elr: [0], leader: 1 }, { isr: [1, 2] }))
      .toEqual({ isr: [1, 2], elr: [], partitionEpoch: 10 });
  });

  test("forgets them also when an eligible one leads and makes the ISR large enough", () => {
    expect(after({ isr: [2], elr: [0, 1], leader: 2 }, { election: "preferred" }))
      .toEqual({ isr: [2, 0], elr: [], leader: 0, leaderEpoch: 5, partitionEpoch: 10 });
  });

  test("does not count on who stopped uncleanly, but for the last of all", () => {
    expect(after({ isr: [0], elr: [1] }, { unclean: [1] }, [0])).toEqual({
      elr: [],
      partitionEpoch: 10,
    });
    const gone = { isr: [], elr: [1], leader: -1 };
    expect(after(gone, { unclean: [1] }, []))
      .toEqual({ elr: [], lastKnownElr: [1], partitionEpoch: 10 });
    const nobody = { isr: [], elr: [], leader: -1, lastKnownElr: [1] };
    expect(after(nobody, {}, [0, 2])).toBeNull();
    expect(after(nobody, {}, [0, 1])).toEqual({
      ...{ isr: [1], lastKnownElr: [], leader: 1, leaderEpoch: 5, partitionEpoch: 10 },
      isRecovering: true,
    });
  });

  test("is led uncleanly only where that is asked for", () => {
    const gone = { isr: [], elr: [1], leader: -1 };
    expect(after(gone, {}, [0, 2])).toBeNull();
    expect(after(gone, { election: "unclean" }, [0, 2])).toEqual({
      ...{ isr: [0], elr: [], leader: 0, leaderEpoch: 5, partitionEpoch: 10 },
      isRecovering: true,
    });
    expect(after(gone, { election: "unclean" }, [1, 2])).toMatchObject({ leader: 1, isr: [1] });
    expect(after({ isr: [0], isRecovering: true }, { isRecovered: true }))
      .toEqual({ isRecovering: false, partitionEpoch: 10 });
  });

  test("takes on the replicas of a reassignment, and completes it when the target is in sync", () => {
    const moving = { replicas: [3, 1, 0, 2], adding: [3], removing: [0, 2] };
    expect(after({}, { assignment: moving })).toEqual({ ...moving, partitionEpoch: 10 });
    expect(after(moving, { isr: [0, 2, 3] }, [0, 1, 2, 3]))
      .toEqual({ isr: [0, 2, 3], partitionEpoch: 10 });
    expect(after(moving, { isr: [0, 1, 2, 3] }, [0, 1, 2, 3])).toEqual({
      ...{ replicas: [3, 1], isr: [1, 3], adding: [], removing: [] },
      ...{ leader: 3, leaderEpoch: 5, partitionEpoch: 10 },
    });
  });

  test("begins another epoch when a replica goes, also under the same leader", () => {
    const moving = { replicas: [0, 1, 3, 2], adding: [3], removing: [2] };
    expect(after(moving, { isr: [0, 1, 2, 3] }, [0, 1, 2, 3])).toEqual({
      ...{ replicas: [0, 1, 3], isr: [0, 1, 3], adding: [], removing: [] },
      ...{ leaderEpoch: 5, partitionEpoch: 10 },
    });
    const another = { replicas: [2, 1, 0], adding: [], removing: [] };
    expect(after({}, { assignment: another })).toEqual({ replicas: [2, 1, 0], partitionEpoch: 10 });
  });

  test("has nobody eligible that is no replica any more", () => {
    const moving = { replicas: [0, 1, 2, 3], adding: [3], isr: [0], elr: [2, 3] };
    const back = { replicas: [0, 1, 2], adding: [], removing: [] };
    expect(after(moving, { assignment: back })).toMatchObject({ elr: [2] });
    const lost = { ...moving, leader: -1, isr: [], elr: [], lastKnownElr: [3] };
    expect(after(lost, { assignment: back }, [])).toMatchObject({ lastKnownElr: [] });
  });
});
