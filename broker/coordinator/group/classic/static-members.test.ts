/** Static members (KIP-345, KIP-814): their places, and who is fenced. */
import { expect, test } from "bun:test";
import { Errors } from "../../../../core/errors.ts";
import { settle } from "../../coordinator.test-helper.ts";
import { GroupHarness, subscription } from "../group.test-helper.ts";

/** A stable group of static members `i0`, `i1`, …; their member ids. The first leads. */
async function stable(groups: GroupHarness, count: number): Promise<string[]> {
  const joins = Array.from({ length: count }, (_, i) => groups.join({ groupInstanceId: `i${i}` }));
  await groups.clock.advance(0);
  const ids = joins.map((join) => join.answer!.memberId);
  const assignments = new Map(ids.map((id, i) => [id, Uint8Array.of(i)]));
  for (const memberId of ids) {
    const leads = memberId === joins[0]!.answer!.leader;
    groups.sync({ memberId, assignments: leads ? assignments : new Map() });
  }
  await settle();
  expect(groups.state()).toBe("Stable");
  return ids;
}

test("a static member is placed at once, under an id with its instance", async () => {
  const groups = await new GroupHarness().start();
  const [id] = await stable(groups, 1);
  expect(id).toMatch(/^i0-[0-9a-f-]{36}$/);
});

test("one that returns takes up its assignment without a rebalance, and the old one is fenced", async () => {
  const groups = await new GroupHarness().start();
  const [leader, old] = await stable(groups, 2) as [string, string];
  const back = groups.join({ groupInstanceId: "i1" }).answer!;
  expect(back).toMatchObject({
    error: Errors.NONE,
    generationId: 1,
    leader,
    skipAssignment: false,
  });
  expect(back.memberId).not.toBe(old);
  expect(groups.state()).toBe("Stable");
  const sync = groups.sync({ memberId: back.memberId, groupInstanceId: "i1" });
  expect(sync.answer?.assignment).toEqual(Uint8Array.of(1));
  expect(groups.heartbeat(old, 1, "i1")).toBe(Errors.FENCED_INSTANCE_ID);
  expect(groups.heartbeat(old, 1)).toBe(Errors.UNKNOWN_MEMBER_ID);
  expect(groups.join({ memberId: old, groupInstanceId: "i1" }).answer?.error)
    .toBe(Errors.FENCED_INSTANCE_ID);
  expect(groups.sync({ memberId: old, groupInstanceId: "i1" }).answer?.error)
    .toBe(Errors.FENCED_INSTANCE_ID);
  expect(await groups.leave(old, "i1")).toBe(Errors.FENCED_INSTANCE_ID);
});

test("a leader that returns leads on, and is told to skip the assignment if it understands", async () => {
  const groups = await new GroupHarness().start();
  const [first] = await stable(groups, 2) as [string];
  const back = groups.join({ groupInstanceId: "i0" }).answer!;
  expect(back).toMatchObject({ leader: back.memberId, skipAssignment: true });
  expect(back.members.length).toBe(2);
  const older = groups.join({ groupInstanceId: "i0", supportsSkippingAssignment: false }).answer!;
  expect(older).toMatchObject({ leader: back.memberId, skipAssignment: false, members: [] });
  expect([first, back.memberId]).not.toContain(older.memberId);
});

test("one that returns with other protocols makes the group rebalance if its choice changes", async () => {
  const groups = await new GroupHarness().start();
  const both = ["range", "sticky"].map((name) => ({ name, metadata: subscription("t") }));
  const join = groups.join({ groupInstanceId: "i0", protocols: both });
  await groups.clock.advance(0);
  groups.sync({ memberId: join.answer!.memberId });
  const back = groups.join({ groupInstanceId: "i0", protocols: both.toReversed() });
  expect(back.answer).toMatchObject({ generationId: 2, protocolName: "sticky" });
});

test("what cannot be recorded did not happen: the old member id is in place again", async () => {
  const groups = await new GroupHarness().start();
  const [, old] = await stable(groups, 2) as [string, string];
  groups.log.failWith = Errors.KAFKA_STORAGE_ERROR;
  expect(groups.join({ groupInstanceId: "i1" }).answer?.error).toBe(Errors.NOT_COORDINATOR);
  groups.log.failWith = Errors.NONE;
  expect(groups.heartbeat(old, 1, "i1")).toBe(Errors.NONE);
  expect(groups.state()).toBe("Stable");
});

test("one that is away longer than the rebalance keeps its place until its session ends", async () => {
  const groups = await new GroupHarness().start();
  const joins = ["i0", "i1"].map((groupInstanceId) =>
    groups.join({ groupInstanceId, sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 5_000 })
  );
  await groups.clock.advance(0);
  const [one, two] = joins.map((join) => join.answer!.memberId) as [string, string];
  groups.sync({ memberId: one });
  groups.sync({ memberId: two });
  const changed = [{ name: "range", metadata: subscription("u") }];
  const rejoin = groups.join({
    memberId: two,
    groupInstanceId: "i1",
    protocols: changed,
    sessionTimeoutMs: 60_000,
    rebalanceTimeoutMs: 5_000,
  });
  await groups.clock.advance(5_000);
  expect(rejoin.answer).toMatchObject({ generationId: 2, leader: two });
  expect(rejoin.answer!.members.length).toBe(2);
});

test("an administrator removes one by its instance id alone", async () => {
  const groups = await new GroupHarness().start();
  const [one, two] = await stable(groups, 2) as [string, string];
  expect(await groups.leave("", "i1")).toBe(Errors.NONE);
  expect(groups.heartbeat(one, 1, "i0")).toBe(Errors.REBALANCE_IN_PROGRESS);
  expect(groups.heartbeat(two, 1, "i1")).toBe(Errors.UNKNOWN_MEMBER_ID);
});

test("two that join under one instance id: the first hears that it is fenced", async () => {
  const groups = await new GroupHarness({ initialRebalanceDelayMs: 1_000 }).start();
  const first = groups.join({ groupInstanceId: "i0" });
  const second = groups.join({ groupInstanceId: "i0" });
  expect(first.answer?.error).toBe(Errors.FENCED_INSTANCE_ID);
  await groups.clock.advance(5_000);
  expect(second.answer).toMatchObject({ error: Errors.NONE, generationId: 1 });
});
