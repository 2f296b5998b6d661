/** Groups through a whole broker: real sockets, the log engine, restarts. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { offsetCommit } from "../../core/protocol/08-offset-commit.ts";
import { offsetFetch } from "../../core/protocol/09-offset-fetch.ts";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import { joinGroup } from "../../core/protocol/11-join-group.ts";
import { heartbeat } from "../../core/protocol/12-heartbeat.ts";
import { leaveGroup } from "../../core/protocol/13-leave-group.ts";
import { syncGroup } from "../../core/protocol/14-sync-group.ts";
import { describeGroups } from "../../core/protocol/15-describe-groups.ts";
import { subscription } from "../coordinator/group/group.test-helper.ts";
import { DataTest } from "./data-path.test-helper.ts";

let t: DataTest;
beforeEach(async () => void (t = await DataTest.start()));
afterEach(() => t.stop());

const joinRequest = (memberId = "") => ({
  groupId: "g",
  memberId,
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 20_000,
  protocolType: "consumer",
  protocols: [{ name: "range", metadata: subscription("t") }],
});

/** Gets a member id and joins with it; the answer comes when the generation is complete. */
async function join(connection: Connection) {
  const first = await connection.request(joinGroup, joinRequest());
  expect(first.errorCode).toBe(Errors.MEMBER_ID_REQUIRED);
  const { memberId } = first;
  return { memberId, joined: connection.request(joinGroup, joinRequest(memberId)) };
}

function sync(
  connection: Connection,
  memberId: string,
  generationId: number,
  members: string[] = [],
) {
  return connection.request(syncGroup, {
    groupId: "g",
    memberId,
    generationId,
    protocolType: "consumer",
    protocolName: "range",
    assignments: members.map((each, i) => ({ memberId: each, assignment: Uint8Array.of(i) })),
  });
}

const find = () => t.connection.request(findCoordinator, { coordinatorKeys: ["g"] });

const describeGroup = async () =>
  (await t.connection.request(describeGroups, { groups: ["g"] })).groups[0]!;

test("the first group of a broker hears of no error, and two members share a generation", async () => {
  expect((await find()).coordinators[0]).toMatchObject({ errorCode: 0, nodeId: 1 });
  const other = await t.connect();
  const one = await join(t.connection);
  const first = await one.joined;
  expect(first).toMatchObject({ errorCode: 0, generationId: 1, leader: one.memberId });
  expect((await sync(t.connection, one.memberId, 1, [one.memberId])).errorCode).toBe(0);
  const two = await join(other);
  const beat = { groupId: "g", memberId: one.memberId, generationId: 1 };
  expect((await t.connection.request(heartbeat, beat)).errorCode).toBe(
    Errors.REBALANCE_IN_PROGRESS,
  );
  const again = await t.connection.request(joinGroup, joinRequest(one.memberId));
  expect(again).toMatchObject({ errorCode: 0, generationId: 2 });
  expect(again.members.map((each) => each.memberId)).toEqual([one.memberId, two.memberId]);
  expect(await two.joined).toMatchObject({ errorCode: 0, generationId: 2, members: [] });
  const waiting = sync(other, two.memberId, 2);
  await sync(t.connection, one.memberId, 2, [one.memberId, two.memberId]);
  expect([...(await waiting).assignment]).toEqual([1]);
  expect((await describeGroup()).members.length).toBe(2);
});

test("a consumer that is cut off while it joins leaves nothing behind", async () => {
  await find();
  const other = await t.connect();
  const one = await join(t.connection);
  await one.joined;
  await sync(t.connection, one.memberId, 1, [one.memberId]);
  const two = await join(other);
  two.joined.catch(() => {});
  await describeGroup();
  other.close();
  for (let tries = 0; (await describeGroup()).members.length > 1 && tries < 200; tries++);
  const again = await t.connection.request(joinGroup, joinRequest(one.memberId));
  expect(again.members.map((each) => each.memberId)).toEqual([one.memberId]);
});

test("members and offsets are there after a restart of the broker", async () => {
  await t.createTopic("t", { partitions: 2 });
  await find();
  const one = await join(t.connection);
  await one.joined;
  await sync(t.connection, one.memberId, 1, ["nobody", one.memberId]);
  const commit = {
    groupId: "g",
    memberId: one.memberId,
    generationIdOrMemberEpoch: 1,
    topics: [{
      name: "t",
      partitions: [{ partitionIndex: 1, committedOffset: 42n, committedMetadata: "m" }],
    }],
  };
  const committed = await t.connection.request(offsetCommit, commit, { maxVersion: 9 });
  expect(committed.topics[0]!.partitions[0]!.errorCode).toBe(0);
  await t.restart();
  await find();
  const beat = { groupId: "g", memberId: one.memberId, generationId: 1 };
  expect((await t.connection.request(heartbeat, beat)).errorCode).toBe(0);
  expect([...(await sync(t.connection, one.memberId, 1)).assignment]).toEqual([1]);
  const all = { groups: [{ groupId: "g", topics: null }] };
  const fetched = await t.connection.request(offsetFetch, all, { maxVersion: 9 });
  expect(fetched.groups[0]!.topics[0]!.partitions).toMatchObject([
    { partitionIndex: 1, committedOffset: 42n, metadata: "m" },
  ]);
  const members = [{ memberId: one.memberId }];
  expect((await t.connection.request(leaveGroup, { groupId: "g", members })).errorCode).toBe(0);
  expect((await describeGroup()).groupState).toBe("Empty");
});

test("a broker that stops does not wait for members that wait", async () => {
  await find();
  const one = await join(t.connection);
  await one.joined;
  await sync(t.connection, one.memberId, 1, [one.memberId]);
  const two = await join(await t.connect());
  const started = performance.now();
  const [response] = await Promise.allSettled([two.joined, t.stop()]);
  if (response.status === "fulfilled") {
    expect(response.value.errorCode).toBe(Errors.COORDINATOR_NOT_AVAILABLE);
  }
  expect(performance.now() - started).toBeLessThan(4_000);
});
