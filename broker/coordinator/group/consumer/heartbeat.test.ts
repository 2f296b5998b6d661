/** ConsumerGroupHeartbeat: who may speak, what members hear, and what the group is then. */
import { expect, test } from "bun:test";
import { errorName, Errors } from "../../../../core/errors.ts";
import { GROUP, GroupHarness, topicIdOf } from "../group.test-helper.ts";
import { NO_PARTITIONS } from "../modern/topic-partitions.ts";
import { describeGroup, SimConsumer, untilStable } from "./consumer.test-helper.ts";
import type { HeartbeatRequest } from "./heartbeat.ts";

const start = async (partitions = 4, config = {}) => {
  const groups = await new GroupHarness(config).start();
  groups.setTopic("t", partitions);
  return groups;
};

const join: Partial<HeartbeatRequest> = {
  memberEpoch: 0,
  rebalanceTimeoutMs: 60_000,
  subscribedTopicNames: ["t"],
  owned: NO_PARTITIONS,
};

/** The name of what a heartbeat answers. */
async function code(groups: GroupHarness, request: Partial<HeartbeatRequest>): Promise<string> {
  const outcome = await groups.consumerHeartbeat(request);
  return outcome.ok ? "NONE" : errorName(outcome.error);
}

test("the codes of heartbeats out of turn", async () => {
  const groups = await start();
  const rows: [string, string][] = [];
  const row = async (expected: string, request: Partial<HeartbeatRequest>) =>
    rows.push([expected, await code(groups, request)]);
  await row("GROUP_ID_NOT_FOUND", { memberEpoch: 1 });
  await row("GROUP_ID_NOT_FOUND", { memberEpoch: -1 });
  await row("NONE", { ...join, memberId: "a" });
  await row("UNKNOWN_MEMBER_ID", { memberId: "b", memberEpoch: 1 });
  await row("UNKNOWN_MEMBER_ID", { memberId: "b", memberEpoch: -1 });
  await row("NONE", { memberId: "a", memberEpoch: 2 });
  await row("FENCED_MEMBER_EPOCH", { memberId: "a", memberEpoch: 3 });
  await row("NONE", { ...join, memberId: "b" });
  // One epoch back is let pass with what it has now, or less, and only if it says what that is.
  await row("NONE", { memberId: "a", memberEpoch: 2, owned: NO_PARTITIONS });
  await row("INVALID_REGULAR_EXPRESSION", {
    ...join,
    memberId: "c",
    subscribedTopicNames: null,
    subscribedTopicRegex: "(",
  });
  await row("NONE", { ...join, memberId: "s1", instanceId: "i" });
  await row("UNRELEASED_INSTANCE_ID", { ...join, memberId: "s2", instanceId: "i" });
  await row("FENCED_INSTANCE_ID", { memberId: "s2", memberEpoch: 1, instanceId: "i" });
  await row("FENCED_INSTANCE_ID", { memberId: "s2", memberEpoch: -2, instanceId: "i" });
  await row("UNKNOWN_MEMBER_ID", { memberId: "s1", memberEpoch: 1, instanceId: "j" });
  await row("UNKNOWN_MEMBER_ID", { memberId: "s1", memberEpoch: -2, instanceId: "j" });
  await row("NONE", { memberId: "s1", memberEpoch: -2, instanceId: "i" });
  await row("NONE", { ...join, memberId: "s2", instanceId: "i" });
  await row("UNKNOWN_MEMBER_ID", { memberId: "s1", memberEpoch: 1 });
  expect(rows.map(([, got]) => got)).toEqual(rows.map(([expected]) => expected));
});

test("the group has at most group.consumer.max.size members, who may all go on", async () => {
  const { DEFAULT_GROUP_CONFIG } = await import("../group-config.ts");
  const consumer = { ...DEFAULT_GROUP_CONFIG.consumer, maxSize: 1 };
  const groups = await start(4, { consumer });
  expect(await code(groups, { ...join, memberId: "a" })).toBe("NONE");
  expect(await code(groups, { ...join, memberId: "b" })).toBe("GROUP_MAX_SIZE_REACHED");
  expect(await code(groups, { ...join, memberId: "a" })).toBe("NONE");
});

test("a member joins, is told its partitions once, and gives some up when another comes", async () => {
  const groups = await start();
  const a = new SimConsumer(groups, "a");
  await a.beat();
  expect(a.partitions).toEqual(["t-0", "t-1", "t-2", "t-3"]);
  expect(groups.state()).toBe("Stable");
  const again = await groups.consumerHeartbeat({ memberId: "a", memberEpoch: 2 });
  expect(again).toMatchObject({ ok: true, value: { memberEpoch: 2, assignment: null } });

  const b = new SimConsumer(groups, "b");
  await groups.clock.advance(1_000);
  await b.beat();
  expect([b.memberEpoch, b.partitions]).toEqual([3, []]);
  expect(groups.state()).toBe("Reconciling");
  await a.beat({ keepsRevoked: true });
  expect(a.memberEpoch).toBe(2);
  await b.beat();
  expect(b.partitions).toEqual([]);
  a.revoke();
  await a.beat();
  expect(a.memberEpoch).toBe(3);
  await b.beat();
  expect([a.partitions, b.partitions]).toEqual([["t-0", "t-1"], ["t-2", "t-3"]]);
  expect(groups.state()).toBe("Stable");
  expect(groups.runtime.now(0, (shard) => shard.list())).toMatchObject({
    value: [{ groupId: GROUP, protocolType: "consumer", state: "Stable", type: "consumer" }],
  });
});

test("a member whose heartbeats stop is out after the session timeout", async () => {
  const groups = await start();
  const a = new SimConsumer(groups, "a");
  await a.beat();
  await groups.clock.advance(44_999);
  expect(await a.beat()).toBe(Errors.NONE);
  await groups.clock.advance(44_999);
  expect(groups.state()).toBe("Stable");
  await groups.clock.advance(1);
  expect(groups.state()).toBe("Empty");
  expect(await a.beat()).toBe(Errors.UNKNOWN_MEMBER_ID);
});

test("a member that does not give up partitions is out after its rebalance timeout", async () => {
  const groups = await start();
  const slow = new SimConsumer(groups, "slow", { rebalanceTimeoutMs: 10_000 });
  await slow.beat();
  const b = new SimConsumer(groups, "b");
  await groups.clock.advance(1_000);
  await b.beat();
  for (let second = 0; second < 9; second++) {
    await slow.beat({ keepsRevoked: true });
    await b.beat();
    await groups.clock.advance(1_000);
  }
  expect(describeGroup(groups).members.map((each) => each.memberId)).toEqual(["slow", "b"]);
  await groups.clock.advance(1_001);
  expect(describeGroup(groups).members.map((each) => each.memberId)).toEqual(["b"]);
  slow.reset();
  await untilStable(groups, [b]);
  expect(b.partitions.length).toBe(4);
});

test("over a restart the deadlines go on", async () => {
  const groups = await start();
  const slow = new SimConsumer(groups, "slow", { rebalanceTimeoutMs: 10_000 });
  await slow.beat();
  const b = new SimConsumer(groups, "b");
  await groups.clock.advance(1_000);
  await b.beat();
  await slow.beat({ keepsRevoked: true });
  await groups.start();
  await groups.clock.advance(10_001);
  expect(describeGroup(groups).members.map((each) => each.memberId)).toEqual(["b"]);
  await groups.clock.advance(45_000);
  expect(groups.state()).toBe("Empty");
});

test("a static member that comes back under a new id has its partitions, and nobody moves", async () => {
  const groups = await start();
  const others = [new SimConsumer(groups, "a"), new SimConsumer(groups, "b")];
  const first = new SimConsumer(groups, "s1", { instanceId: "i" });
  await untilStable(groups, [...others, first]);
  const had = first.partitions;
  const epoch = describeGroup(groups).groupEpoch;
  await first.leave();
  const second = new SimConsumer(groups, "s2", { instanceId: "i" });
  await second.beat();
  expect(second.partitions).toEqual(had);
  expect(describeGroup(groups)).toMatchObject({ groupEpoch: epoch, groupState: "Stable" });
});

test("a topic that grows or goes is seen at the next heartbeat", async () => {
  const groups = await start(2);
  const a = new SimConsumer(groups, "a", { topics: ["t", "later"] });
  await a.beat();
  expect(a.partitions).toEqual(["t-0", "t-1"]);
  groups.setTopic("t", 3);
  await untilStable(groups, [a]);
  expect(a.partitions).toEqual(["t-0", "t-1", "t-2"]);
  groups.setTopic("later", 1);
  await untilStable(groups, [a]);
  expect(a.partitions).toEqual(["later-0", "t-0", "t-1", "t-2"]);
  groups.deleteTopic("t");
  for (let round = 0; round < 4; round++) await untilStable(groups, [a]);
  expect(a.partitions).toEqual(["later-0"]);
});

test("targets are computed at most once in the assignment interval", async () => {
  const groups = await start();
  await new SimConsumer(groups, "a").beat();
  await new SimConsumer(groups, "b").beat();
  expect(describeGroup(groups)).toMatchObject({ groupEpoch: 3, assignmentEpoch: 2 });
  expect(groups.state()).toBe("Assigning");
  await groups.clock.advance(1_000);
  await new SimConsumer(groups, "a").beat();
  expect(describeGroup(groups)).toMatchObject({ groupEpoch: 3, assignmentEpoch: 3 });
});

test("commits and fetches are fenced by the member epoch", async () => {
  const groups = await start(2);
  const a = new SimConsumer(groups, "a");
  await a.beat();
  const commit = async (memberId: string, generationId: number) =>
    errorName(await groups.commit(1n, { memberId, generationId }));
  const fetch = (memberId: string | null, memberEpoch: number) => {
    const outcome = groups.runtime.now(
      0,
      (shard) => shard.offsets.fetchProblem(GROUP, memberId, memberEpoch),
    );
    return outcome.ok ? errorName(outcome.value) : "";
  };
  expect(await commit("a", 2)).toBe("NONE");
  expect(await commit("a", 3)).toBe("STALE_MEMBER_EPOCH");
  expect(await commit("a", 1)).toBe("STALE_MEMBER_EPOCH");
  expect(await commit("x", 1)).toBe("UNKNOWN_MEMBER_ID");
  expect(await commit("", -1)).toBe("UNKNOWN_MEMBER_ID");
  expect([fetch("a", 2), fetch("a", 3), fetch("x", 1), fetch(null, -1)])
    .toEqual(["NONE", "STALE_MEMBER_EPOCH", "UNKNOWN_MEMBER_ID", "NONE"]);
  // t-0 stays with a through the next epoch, so commits of the one before still count (KIP-1251).
  const b = new SimConsumer(groups, "b");
  await untilStable(groups, [a, b]);
  expect([a.memberEpoch, a.partitions]).toEqual([3, ["t-0"]]);
  await groups.start();
  expect(await commit("a", 2)).toBe("NONE");
  expect(await commit("b", 2)).toBe("STALE_MEMBER_EPOCH");
});

test("an empty group keeps its offsets, may be deleted, and expires with the last offset", async () => {
  const groups = await start(2);
  const a = new SimConsumer(groups, "a");
  await a.beat();
  await groups.commit(7n, { memberId: "a", generationId: 2 });
  const remove = async () => {
    const outcome = await groups.runtime.write(0, (shard) => shard.deleteGroups([GROUP]));
    return outcome.ok ? errorName(outcome.value.get(GROUP) ?? 0) : "";
  };
  expect(await remove()).toBe("NON_EMPTY_GROUP");
  await a.leave();
  expect([groups.state(), groups.offset()]).toEqual(["Empty", 7n]);
  await groups.start();
  expect([groups.state(), groups.offset()]).toEqual(["Empty", 7n]);
  expect(await remove()).toBe("NONE");
  expect([groups.state(), groups.offset()]).toEqual(["Dead", null]);

  await a.beat();
  await groups.commit(8n, { memberId: "a", generationId: 2 });
  await a.leave();
  await groups.clock.advance(10_081 * 60_000);
  expect([groups.state(), groups.offset()]).toEqual(["Dead", null]);
  await groups.start();
  expect(groups.state()).toBe("Dead");
});

test("regular expressions match what the member may see, and topics that come later", async () => {
  const groups = await start(1);
  groups.setTopic("tt", 1);
  groups.setTopic("secret-t", 1);
  groups.setTopic("x", 1);
  const request = {
    ...join,
    memberId: "a",
    subscribedTopicNames: null,
    subscribedTopicRegex: ".*t+",
    canDescribe: (topic: string) => topic !== "secret-t",
  };
  const beat = async (memberEpoch: number) => {
    const outcome = await groups.consumerHeartbeat({ ...request, memberEpoch });
    if (!outcome.ok) throw new Error(outcome.message);
    const topics = [...outcome.value.assignment?.keys() ?? []];
    return { epoch: outcome.value.memberEpoch, topics: topics.toSorted() };
  };
  const joined = await beat(0);
  expect(joined.topics).toEqual([]);
  await groups.clock.advance(1_000);
  const first = await beat(joined.epoch);
  expect(first.topics).toEqual([groups.topics.get("t")!, topicIdOf("tt")].toSorted());
  groups.setTopic("new-t", 1);
  await groups.clock.advance(10_001);
  await beat(first.epoch);
  await groups.clock.advance(1_000);
  const second = await beat(first.epoch);
  expect(second.topics).toEqual(
    [groups.topics.get("t")!, topicIdOf("tt"), topicIdOf("new-t")].toSorted(),
  );
  await groups.start();
  expect((await beat(second.epoch)).topics.length).toBe(3);
  expect(describeGroup(groups).members[0]).toMatchObject({ subscribedTopicRegex: ".*t+" });
});
