/** Groups that change between the classic and the new protocol with members in them. */
import { expect, test } from "bun:test";
import { errorName, Errors } from "../../../../core/errors.ts";
import { SeededRandom } from "../../coordinator.test-helper.ts";
import { DEFAULT_GROUP_CONFIG } from "../group-config.ts";
import { GROUP, GroupHarness } from "../group.test-helper.ts";
import {
  classicAssignment,
  ClassicConsumer,
  classicSubscription,
  describeGroup,
  SimConsumer,
} from "./consumer.test-helper.ts";

/** A stable classic group of two that share four partitions. */
async function classicGroup(config = {}): Promise<[GroupHarness, ClassicConsumer[]]> {
  const groups = await new GroupHarness(config).start();
  groups.setTopic("t", 4);
  const consumers = [new ClassicConsumer(groups), new ClassicConsumer(groups)];
  const joins = consumers.map((each) => groups.joinNew(each.request()));
  await groups.clock.advance(0);
  const assignments = new Map(
    joins.map(({ memberId }, i) => [memberId, classicAssignment([i, i + 2])]),
  );
  for (const [index, consumer] of consumers.entries()) {
    consumer.memberId = joins[index]!.memberId;
    consumer.generationId = 1;
  }
  const [leader, other] = consumers as [ClassicConsumer, ClassicConsumer];
  groups.sync({ memberId: leader.memberId, generationId: 1, assignments });
  await leader.sync();
  await other.sync();
  expect([leader.owned, other.owned]).toEqual([[0, 2], [1, 3]]);
  return [groups, consumers];
}

const kind = (groups: GroupHarness) => {
  const outcome = groups.runtime.now(0, (shard) => shard.find(GROUP)?.kind);
  return outcome.ok ? outcome.value : undefined;
};

const checkOwners = (consumers: readonly ClassicConsumer[], sim: SimConsumer) => {
  const all = [...consumers.flatMap((each) => each.owned.map((p) => `t-${p}`)), ...sim.partitions];
  expect(new Set(all).size).toBe(all.length);
};

test("a classic group becomes a consumer group, shares, and becomes classic again", async () => {
  const [groups, consumers] = await classicGroup();
  await groups.commit(5n, { memberId: consumers[0]!.memberId, generationId: 1 });
  const sim = new SimConsumer(groups, "new");
  expect(await sim.beat()).toBe(Errors.NONE);
  expect(kind(groups)).toBe("consumer");
  expect(groups.offset()).toBe(5n);
  expect(describeGroup(groups).members.map((each) => each.memberType)).toEqual([0, 0, 1]);
  for (let round = 0; round < 6; round++) {
    await groups.clock.advance(1_000);
    for (const consumer of consumers) await consumer.beat();
    checkOwners(consumers, sim);
    await sim.beat();
    checkOwners(consumers, sim);
    if (round === 2) await groups.start();
  }
  expect(groups.state()).toBe("Stable");
  expect([sim.partitions.length, ...consumers.map((each) => each.owned.length)].toSorted())
    .toEqual([1, 1, 2]);
  const [first] = consumers as [ClassicConsumer];
  const commit = { memberId: first.memberId, generationId: first.generationId };
  expect(await groups.commit(6n, commit)).toBe(Errors.NONE);
  expect(errorName(await groups.commit(6n, { ...commit, generationId: 99 })))
    .toBe("ILLEGAL_GENERATION");

  await sim.leave();
  expect(kind(groups)).toBe("classic");
  expect(groups.offset()).toBe(6n);
  await groups.clock.advance(1);
  expect(groups.state()).toBe("PreparingRebalance");
  const joins = consumers.map((each) => groups.join(each.request()));
  await groups.clock.advance(0);
  expect(joins.map((each) => each.answer?.error)).toEqual([0, 0]);
  expect(joins.filter((each) => (each.answer?.members.length ?? 0) === 2).length).toBe(1);
  await groups.start();
  expect(kind(groups)).toBe("classic");
});

test("what has no new member is classic after a restart, with the same assignments", async () => {
  const [groups, consumers] = await classicGroup();
  const sim = new SimConsumer(groups, "new");
  await sim.beat();
  await sim.leave();
  await groups.start();
  expect(kind(groups)).toBe("classic");
  const described = groups.runtime.now(0, (shard) => shard.classic.describe(GROUP));
  const members = described.ok ? described.value!.members : [];
  expect(members.map((each) => each.memberId))
    .toEqual(consumers.map((consumer) => consumer.memberId));
});

test("the migration policy decides which way a group may go", async () => {
  const consumer = { ...DEFAULT_GROUP_CONFIG.consumer, canUpgrade: false, canDowngrade: false };
  const [groups] = await classicGroup({ consumer });
  expect(errorName(await new SimConsumer(groups, "new").beat())).toBe("GROUP_ID_NOT_FOUND");
  expect(kind(groups)).toBe("classic");

  const other = await new GroupHarness({ consumer }).start();
  await new SimConsumer(other, "new").beat();
  const refused = other.join(new ClassicConsumer(other).request());
  expect(errorName(refused.answer?.error ?? 0)).toBe("INCONSISTENT_GROUP_PROTOCOL");
});

test("a classic group that rebalances, or is of another protocol, stays", async () => {
  const groups = await new GroupHarness({ initialRebalanceDelayMs: 3_000 }).start();
  groups.joinNew();
  const sim = new SimConsumer(groups, "new");
  expect(errorName(await sim.beat())).toBe("COORDINATOR_LOAD_IN_PROGRESS");
  expect(kind(groups)).toBe("classic");

  const connect = await new GroupHarness().start();
  await connect.stable(1, { protocolType: "connect" });
  expect(errorName(await new SimConsumer(connect, "new").beat())).toBe("GROUP_ID_NOT_FOUND");
});

test("without members a group changes its kind as it is joined, and keeps its offsets", async () => {
  const groups = await new GroupHarness().start();
  await groups.commit(3n);
  const sim = new SimConsumer(groups, "new");
  await sim.beat();
  expect([kind(groups), groups.offset()]).toEqual(["consumer", 3n]);
  await sim.leave();
  const joined = groups.join({ requiresKnownMemberId: false });
  await groups.clock.advance(1);
  expect(joined.answer).toMatchObject({ error: 0, generationId: 1 });
  expect([kind(groups), groups.offset()]).toEqual(["classic", 3n]);
  await groups.start();
  expect([kind(groups), groups.offset()]).toEqual(["classic", 3n]);
});

test("a classic member that does not rejoin or sync in time is out", async () => {
  const [groups, consumers] = await classicGroup();
  const sim = new SimConsumer(groups, "new");
  await sim.beat();
  const [one, two] = consumers as [ClassicConsumer, ClassicConsumer];
  for (let second = 0; second < 61; second += 3) {
    groups.heartbeat(one.memberId, one.generationId);
    await two.beat();
    await sim.beat();
    await groups.clock.advance(3_000);
  }
  const ids = describeGroup(groups).members.map((each) => each.memberId);
  expect(ids.includes(one.memberId)).toBe(false);
  expect(ids.includes(two.memberId)).toBe(true);
});

test("who asks with another generation, or of the other protocol, is refused", async () => {
  const [groups, consumers] = await classicGroup();
  const sim = new SimConsumer(groups, "new");
  await sim.beat();
  const [one] = consumers as [ClassicConsumer];
  const rows: [string, number][] = [
    ["ILLEGAL_GENERATION", groups.heartbeat(one.memberId, 7)],
    ["UNKNOWN_MEMBER_ID", groups.heartbeat("nobody", 1)],
    ["UNKNOWN_MEMBER_ID", groups.heartbeat("new", sim.memberEpoch)],
    ["UNKNOWN_MEMBER_ID", groups.sync({ memberId: "nobody" }).answer!.error],
    [
      "INCONSISTENT_GROUP_PROTOCOL",
      groups.sync({ memberId: one.memberId, protocolName: "range" }).answer!.error,
    ],
    ["UNKNOWN_MEMBER_ID", await groups.leave("nobody")],
    ["UNKNOWN_MEMBER_ID", await groups.leave("", "nobody")],
    ["INCONSISTENT_GROUP_PROTOCOL", groups.join({ protocolType: "connect" }).answer!.error],
    [
      "INCONSISTENT_GROUP_PROTOCOL",
      groups.join({ protocols: [{ name: "x", metadata: classicSubscription([]) }] }).answer!.error,
    ],
    ["NONE", await groups.leave("new")],
  ];
  expect(rows.map(([, code]) => errorName(code))).toEqual(rows.map(([name]) => name));
  expect(kind(groups)).toBe("classic");
});

test("no partition has two readers in a group of both protocols", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = new SeededRandom(seed);
    const groups = await new GroupHarness({}, undefined, new SeededRandom(seed)).start();
    groups.setTopic("t", 12);
    const anchor = new SimConsumer(groups, "anchor");
    await anchor.beat();
    const sims = [anchor];
    const classics: ClassicConsumer[] = [];
    for (let step = 0; step < 60; step++) {
      const choice = random.below(8);
      if (choice === 0 && sims.length < 5) sims.push(new SimConsumer(groups, `m${step}`));
      else if (choice === 1 && classics.length < 5) classics.push(new ClassicConsumer(groups));
      else if (choice === 2 && sims.length > 1) await sims.pop()!.leave();
      else if (choice === 3 && classics.length > 0) await groups.leave(classics.pop()!.memberId);
      else if (choice === 4) await groups.start();
      await groups.clock.advance(500);
      for (const sim of sims) await sim.beat({ lost: random.below(10) === 0 });
      for (const classic of classics) await classic.beat();
      const all = [
        ...sims.flatMap((sim) => sim.partitions),
        ...classics.flatMap(({ owned }) => owned.map((partition) => `t-${partition}`)),
      ];
      expect({ seed, step, twice: all.length - new Set(all).size }).toEqual({
        seed,
        step,
        twice: 0,
      });
    }
    for (let round = 0; round < 12; round++) {
      await groups.clock.advance(1_000);
      for (const sim of sims) await sim.beat();
      for (const classic of classics) await classic.beat();
    }
    expect({ seed, state: groups.state() }).toEqual({ seed, state: "Stable" });
    const read = sims.reduce((sum, sim) => sum + sim.partitions.length, 0) +
      classics.reduce((sum, { owned }) => sum + owned.length, 0);
    expect({ seed, read }).toEqual({ seed, read: 12 });
  }
}, 60_000);

test("a rebalance that an upgrade interrupts goes on: who has just joined gets a share", async () => {
  const groups = await new GroupHarness().start();
  groups.setTopic("t", 4);
  const protocols = [{ name: "cooperative-sticky", metadata: classicSubscription([]) }];
  const first = groups.join({ groupInstanceId: "i", protocols });
  await groups.clock.advance(5_000);
  const leader = { memberId: first.answer!.memberId, groupInstanceId: "i" };
  const assignments = new Map([[leader.memberId, classicAssignment([0, 1, 2, 3])]]);
  groups.sync({ ...leader, generationId: 1, assignments });
  await groups.clock.advance(0);
  const late = new ClassicConsumer(groups, groups.joinNew({ protocols }).memberId);
  await groups.clock.advance(0);
  const sim = new SimConsumer(groups, "new", { instanceId: "i" });
  expect(await sim.beat()).toBe(Errors.NONE);
  expect(kind(groups)).toBe("consumer");
  for (let round = 0; round < 6; round++) {
    await groups.clock.advance(1_000);
    await late.beat();
    await sim.beat();
  }
  expect(late.owned.length).toBeGreaterThan(0);
});
