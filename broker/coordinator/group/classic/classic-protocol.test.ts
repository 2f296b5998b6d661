/** The classic group protocol: sequences of requests and time, and what each member hears. */
import { expect, test } from "bun:test";
import { errorName, Errors } from "../../../../core/errors.ts";
import { settle } from "../../coordinator.test-helper.ts";
import { GROUP, GroupHarness, subscription } from "../group.test-helper.ts";

const start = (config = {}) => new GroupHarness(config).start();

test("a member is told its id, joins, leads, syncs and is stable", async () => {
  const groups = await start();
  const first = groups.join();
  expect(first.answer?.error).toBe(Errors.MEMBER_ID_REQUIRED);
  const memberId = first.answer!.memberId;
  expect(memberId).toMatch(/^c-[0-9a-f-]{36}$/);
  const join = groups.join({ memberId });
  expect(join.answer).toBeNull();
  await groups.clock.advance(0);
  expect(join.answer).toMatchObject({
    error: Errors.NONE,
    generationId: 1,
    leader: memberId,
    protocolName: "range",
    protocolType: "consumer",
  });
  expect(join.answer!.members.map((each) => each.memberId)).toEqual([memberId]);
  expect(groups.state()).toBe("CompletingRebalance");
  const sync = groups.sync({ memberId, assignments: new Map([[memberId, Uint8Array.of(7)]]) });
  expect(sync.answer).toMatchObject({ error: Errors.NONE, assignment: Uint8Array.of(7) });
  expect(groups.state()).toBe("Stable");
  expect(groups.heartbeat(memberId, 1)).toBe(Errors.NONE);
});

test("an assignment is given out only when it is committed", async () => {
  const groups = await start();
  const join = groups.joinNew();
  await groups.clock.advance(0);
  groups.log.autoCommit = false;
  const { memberId } = join;
  const sync = groups.sync({ memberId, assignments: new Map([[memberId, Uint8Array.of(7)]]) });
  await settle();
  expect(sync.answer).toBeNull();
  groups.log.commit();
  expect(sync.answer?.error).toBe(Errors.NONE);
});

test("an assignment that cannot be stored starts another rebalance", async () => {
  const groups = await start();
  const { memberId } = groups.joinNew();
  await groups.clock.advance(0);
  groups.log.failWith = Errors.KAFKA_STORAGE_ERROR;
  expect(groups.sync({ memberId }).answer?.error).toBe(Errors.NOT_COORDINATOR);
  expect(groups.state()).toBe("PreparingRebalance");
  groups.log.failWith = Errors.NONE;
  const again = groups.join({ memberId });
  await settle();
  expect(again.answer?.generationId).toBe(2);
  expect(groups.sync({ memberId, generationId: 2 }).answer?.error).toBe(Errors.NONE);
});

test("an assignment that is not committed in time is as one that could not be stored", async () => {
  const groups = await start();
  const { memberId } = groups.joinNew();
  await groups.clock.advance(0);
  groups.log.autoCommit = false;
  const sync = groups.sync({ memberId });
  await groups.clock.advance(5_000);
  expect(sync.answer?.error).toBe(Errors.COORDINATOR_NOT_AVAILABLE);
  groups.log.commit();
  expect(groups.state()).toBe("PreparingRebalance");
});

test("a second member makes the first rejoin, and followers see no members", async () => {
  const groups = await start();
  const [one] = await groups.stable(1) as [string];
  const two = groups.joinNew();
  await settle();
  expect(two.answer).toBeNull();
  expect(groups.heartbeat(one, 1)).toBe(Errors.REBALANCE_IN_PROGRESS);
  const again = groups.join({ memberId: one });
  expect(again.answer).toMatchObject({ generationId: 2, leader: one });
  expect(again.answer!.members.length).toBe(2);
  expect(two.answer).toMatchObject({ generationId: 2, leader: one, members: [] });
  const follower = groups.sync({ memberId: two.memberId, generationId: 2 });
  expect(follower.answer).toBeNull();
  const assignments = new Map([[one, Uint8Array.of(1)], [two.memberId, Uint8Array.of(2)]]);
  groups.sync({ memberId: one, generationId: 2, assignments });
  expect(follower.answer?.assignment).toEqual(Uint8Array.of(2));
  expect(groups.heartbeat(two.memberId, 1)).toBe(Errors.ILLEGAL_GENERATION);
});

test("the initial rebalance waits for more members, but no longer than the rebalance timeout", async () => {
  const groups = await start({ initialRebalanceDelayMs: 3_000 });
  const request = { rebalanceTimeoutMs: 7_000 };
  const one = groups.joinNew(request);
  await groups.clock.advance(2_000);
  const two = groups.joinNew(request);
  await groups.clock.advance(1_500);
  expect(one.answer).toBeNull();
  await groups.clock.advance(1_500);
  const three = groups.joinNew(request);
  await groups.clock.advance(1_999);
  expect(one.answer).toBeNull();
  await groups.clock.advance(1);
  expect([one, two, three].map((each) => each.answer?.generationId)).toEqual([1, 1, 1]);
});

test("who does not rejoin in the rebalance timeout is out, and another one leads", async () => {
  const groups = await start();
  const [one, two] = await groups.stable(2, {
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 20_000,
  });
  const rejoin = groups.join({
    memberId: two!,
    protocols: [{ name: "range", metadata: subscription("t", "u") }],
  });
  for (let i = 0; i < 4; i++) {
    await groups.clock.advance(4_999);
    expect(groups.heartbeat(one!, 1)).toBe(Errors.REBALANCE_IN_PROGRESS);
  }
  expect(rejoin.answer).toBeNull();
  await groups.clock.advance(60_000);
  expect(rejoin.answer).toMatchObject({ generationId: 2, leader: two! });
  expect(groups.heartbeat(one!, 1)).toBe(Errors.UNKNOWN_MEMBER_ID);
});

test("a member without heartbeats is out after its session, the others rebalance", async () => {
  const groups = await start();
  const [one, two] = await groups.stable(2);
  await groups.clock.advance(9_000);
  expect(groups.heartbeat(one!, 1)).toBe(Errors.NONE);
  await groups.clock.advance(1_001);
  expect(groups.heartbeat(one!, 1)).toBe(Errors.REBALANCE_IN_PROGRESS);
  expect(groups.heartbeat(two!, 1)).toBe(Errors.UNKNOWN_MEMBER_ID);
  const rejoin = groups.join({ memberId: one! });
  expect(rejoin.answer).toMatchObject({ generationId: 2, leader: one! });
});

test("a group whose last member goes is empty, and its next member starts generation + 2", async () => {
  const groups = await start();
  const [one] = await groups.stable(1) as [string];
  expect(await groups.leave(one)).toBe(Errors.NONE);
  expect(groups.state()).toBe("Empty");
  const next = groups.joinNew();
  await groups.clock.advance(0);
  expect(next.answer?.generationId).toBe(3);
});

test("who is told a member id and never uses it holds nobody up longer than its session", async () => {
  const groups = await start();
  groups.join({ sessionTimeoutMs: 6_000 });
  const one = groups.joinNew();
  await groups.clock.advance(0);
  expect(one.answer?.generationId).toBe(1);
  groups.sync({ memberId: one.memberId });
  groups.join({ sessionTimeoutMs: 9_000 });
  const rejoin = groups.join({
    memberId: one.memberId,
    protocols: [{ name: "range", metadata: subscription("u") }],
  });
  await groups.clock.advance(8_999);
  expect(rejoin.answer).toBeNull();
  await groups.clock.advance(1);
  expect(rejoin.answer?.generationId).toBe(2);
});

test("an id that was given out and expires leaves nothing behind", async () => {
  const groups = await start();
  groups.join();
  expect(groups.state()).toBe("Empty");
  await groups.clock.advance(10_000);
  expect(groups.state()).toBe("Dead");
  expect(groups.log.batches).toEqual([]);
});

test("members that do not sync in time are out and the rest rebalance", async () => {
  const groups = await start();
  const one = groups.joinNew({ sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 20_000 });
  const two = groups.joinNew({ sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 20_000 });
  await groups.clock.advance(0);
  const sync = groups.sync({ memberId: one.memberId });
  expect(sync.answer?.error).toBe(Errors.NONE);
  await groups.clock.advance(19_000);
  expect(groups.heartbeat(two.memberId, 1)).toBe(Errors.NONE);
  await groups.clock.advance(1_000);
  expect(groups.heartbeat(two.memberId, 1)).toBe(Errors.UNKNOWN_MEMBER_ID);
  expect(groups.heartbeat(one.memberId, 1)).toBe(Errors.REBALANCE_IN_PROGRESS);
});

test("the protocol that all support and most prefer is chosen", async () => {
  const groups = await start({ initialRebalanceDelayMs: 100 });
  const protocol = (name: string) => ({ name, metadata: subscription("t") });
  const lists = [["a", "b", "c"], ["c", "b"], ["c", "b"]];
  const joins = lists.map((names) => groups.joinNew({ protocols: names.map(protocol) }));
  await groups.clock.advance(1_000);
  expect(joins.map((each) => each.answer?.protocolName)).toEqual(["c", "c", "c"]);
});

test("what does not fit the group's protocol is refused", async () => {
  const groups = await start();
  await groups.stable(1);
  const other = groups.join({ protocols: [{ name: "sticky", metadata: subscription("t") }] });
  expect(other.answer?.error).toBe(Errors.INCONSISTENT_GROUP_PROTOCOL);
  expect(groups.join({ protocolType: "connect" }).answer?.error)
    .toBe(Errors.INCONSISTENT_GROUP_PROTOCOL);
  const none = await start();
  expect(none.join({ protocols: [] }).answer?.error).toBe(Errors.INCONSISTENT_GROUP_PROTOCOL);
  expect(none.state()).toBe("Dead");
});

test("the codes of requests that come out of turn", async () => {
  const groups = await start();
  const unknown = (memberId: string) => groups.join({ memberId }).answer?.error;
  const rows: [string, number | undefined][] = [
    ["UNKNOWN_MEMBER_ID", unknown("nobody")],
    ["UNKNOWN_MEMBER_ID", groups.sync({ memberId: "nobody" }).answer?.error],
    ["UNKNOWN_MEMBER_ID", groups.heartbeat("nobody", 1)],
    ["UNKNOWN_MEMBER_ID", await groups.leave("nobody")],
  ];
  const [one] = await groups.stable(1) as [string];
  rows.push(
    ["UNKNOWN_MEMBER_ID", unknown("nobody")],
    ["UNKNOWN_MEMBER_ID", groups.heartbeat("nobody", 1)],
    ["UNKNOWN_MEMBER_ID", await groups.leave("nobody")],
    ["UNKNOWN_MEMBER_ID", await groups.leave("", "no instance")],
    ["UNKNOWN_MEMBER_ID", groups.heartbeat(one, 1, "no instance")],
    ["ILLEGAL_GENERATION", groups.sync({ memberId: one, generationId: 2 }).answer?.error],
    ["ILLEGAL_GENERATION", groups.heartbeat(one, 0)],
    [
      "INCONSISTENT_GROUP_PROTOCOL",
      groups.sync({ memberId: one, protocolType: "connect" }).answer?.error,
    ],
    [
      "INCONSISTENT_GROUP_PROTOCOL",
      groups.sync({ memberId: one, protocolName: "sticky" }).answer?.error,
    ],
    ["NONE", groups.sync({ memberId: one }).answer?.error],
  );
  groups.joinNew();
  rows.push(["REBALANCE_IN_PROGRESS", groups.sync({ memberId: one }).answer?.error]);
  expect(rows.map(([, code]) => errorName(code ?? -1))).toEqual(rows.map(([name]) => name));
});

test("a follower that joins again unchanged is answered at once; a leader rebalances", async () => {
  const groups = await start();
  const [one, two] = await groups.stable(2);
  expect(groups.join({ memberId: two! }).answer?.generationId).toBe(1);
  expect(groups.join({ memberId: one! }).answer).toBeNull();
  expect(groups.state()).toBe("PreparingRebalance");
});

test("a join that is retried takes the place of the first, which is ended", async () => {
  const groups = await start();
  const [one] = await groups.stable(1) as [string];
  const two = groups.joinNew();
  const retry = groups.join({ memberId: two.memberId });
  expect(two.answer?.error).toBe(Errors.REBALANCE_IN_PROGRESS);
  groups.join({ memberId: one });
  expect(retry.answer?.generationId).toBe(2);
});

test("group.max.size bounds members, not those who rejoin", async () => {
  const groups = await start({ maxSize: 2 });
  const [one] = await groups.stable(2);
  expect(groups.join().answer?.error).toBe(Errors.GROUP_MAX_SIZE_REACHED);
  expect(groups.join({ memberId: one! }).answer).toBeNull();
});

test("older clients join without knowing their id, and the leader's rejoin is a rebalance", async () => {
  const groups = await start();
  const join = groups.join({ requiresKnownMemberId: false });
  await groups.clock.advance(0);
  expect(join.answer).toMatchObject({ error: Errors.NONE, generationId: 1 });
});

test("a new member whose connection is gone is out at once", async () => {
  const groups = await start();
  const [one] = await groups.stable(1) as [string];
  const replies: unknown[] = [];
  const reply = (response: unknown) => void replies.push(response);
  const request = {
    groupId: GROUP,
    memberId: "",
    groupInstanceId: null,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: subscription("t") }],
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 600_000,
    reason: null,
    clientId: "gone",
    clientHost: "/127.0.0.1",
    requiresKnownMemberId: false,
    supportsSkippingAssignment: false,
  };
  void groups.runtime.write(0, (shard) => shard.classic.join(request, reply));
  await settle();
  const rejoin = groups.join({ memberId: one });
  expect(rejoin.answer?.members.length).toBe(2);
  expect(replies.length).toBe(1);
  void groups.runtime.write(0, (shard) => shard.classic.abandon(GROUP, reply));
  const gone = (response: unknown) => void replies.push(response);
  void groups.runtime.write(
    0,
    (shard) => shard.classic.join({ ...request, clientId: "gone" }, gone),
  );
  void groups.runtime.write(0, (shard) => shard.classic.abandon(GROUP, gone));
  expect(groups.runtime.now(0, (shard) => shard.classic.describe(GROUP)?.members.length))
    .toEqual({ ok: true, value: 2 });
  expect(replies.length).toBe(1);
});

test("many members rebalance as one", async () => {
  const groups = await start({ initialRebalanceDelayMs: 500 });
  const joins = Array.from({ length: 300 }, () => groups.joinNew());
  await groups.clock.advance(5_000);
  expect(new Set(joins.map((each) => each.answer?.generationId))).toEqual(new Set([1]));
  const leader = joins.find((each) => each.answer!.leader === each.memberId)!;
  expect(leader.answer!.members.length).toBe(300);
  const assignments = new Map(joins.map((each, i) => [each.memberId, Uint8Array.of(i % 256)]));
  const syncs = joins.map(({ memberId }) =>
    groups.sync({ memberId, assignments: memberId === leader.memberId ? assignments : new Map() })
  );
  expect(syncs.every((each, i) => each.answer?.assignment[0] === i % 256)).toBe(true);
  expect(groups.clock.timerCount).toBe(301);
});

test("losing the partition answers everybody who waits", async () => {
  const groups = await start();
  await groups.stable(1);
  const join = groups.joinNew();
  groups.runtime.resign(0);
  expect(join.answer?.error).toBe(Errors.NOT_COORDINATOR);
  expect(groups.heartbeat("x", 1)).toBe(Errors.NOT_COORDINATOR);
  expect(groups.clock.timerCount).toBe(0);
});
