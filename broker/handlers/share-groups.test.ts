/** Share groups through a broker's port: membership, offsets, deletion. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import { listGroups } from "../../core/protocol/16-list-groups.ts";
import { createPartitions } from "../../core/protocol/37-create-partitions.ts";
import { deleteGroups } from "../../core/protocol/42-delete-groups.ts";
import { shareGroupHeartbeat } from "../../core/protocol/76-share-group-heartbeat.ts";
import { shareGroupDescribe } from "../../core/protocol/77-share-group-describe.ts";
import { shareFetch } from "../../core/protocol/78-share-fetch.ts";
import { describeShareGroupOffsets } from "../../core/protocol/90-describe-share-group-offsets.ts";
import { alterShareGroupOffsets } from "../../core/protocol/91-alter-share-group-offsets.ts";
import { deleteShareGroupOffsets } from "../../core/protocol/92-delete-share-group-offsets.ts";
import { batch, DataTest } from "./data-path.test-helper.ts";

let t: DataTest;
let topicId: string;
beforeEach(async () => {
  t = await DataTest.start();
  topicId = await t.createTopic("t", { partitions: 2 });
  await findGroup();
});
afterEach(() => t.stop());

/** Waits until the coordinator has loaded the group. */
const findGroup = () => t.connection.request(findCoordinator, { coordinatorKeys: ["g"] });

type Beat = { memberId?: string; memberEpoch?: number } & {
  groupId?: string;
  rackId?: string | null;
  subscribedTopicNames?: string[] | null;
};
const beat = (given: Beat = {}) =>
  t.connection.request(shareGroupHeartbeat, {
    groupId: "g",
    memberId: "m",
    memberEpoch: 0,
    subscribedTopicNames: ["t"],
    ...given,
  });
const leave = (memberId = "m") => beat({ memberId, memberEpoch: -1, subscribedTopicNames: null });

const describeGroup = async (groupId = "g") =>
  (await t.connection.request(shareGroupDescribe, { groupIds: [groupId] })).groups[0]!;

const describeOffsets = async (topics: { topicName: string; partitions: number[] }[] | null) =>
  (await t.connection.request(describeShareGroupOffsets, { groups: [{ groupId: "g", topics }] }))
    .groups[0]!;

const alter = (topicName: string, ...offsets: [number, bigint][]) =>
  t.connection.request(alterShareGroupOffsets, {
    groupId: "g",
    topics: [{
      topicName,
      partitions: offsets.map(([partitionIndex, startOffset]) => ({ partitionIndex, startOffset })),
    }],
  });

test("a member has its partitions with the first heartbeat, and shares them with a second", async () => {
  const joined = await beat();
  expect(joined).toMatchObject({ errorCode: 0, memberId: "m", heartbeatIntervalMs: 5_000 });
  expect(joined.assignment?.topicPartitions).toEqual([{ topicId, partitions: [0, 1] }]);
  const second = await beat({ memberId: "n" });
  expect(second.assignment?.topicPartitions[0]?.partitions.length).toBe(1);
  const { memberEpoch } = joined;
  const after = await beat({ memberEpoch, subscribedTopicNames: null });
  expect(after.memberEpoch).toBeGreaterThan(memberEpoch);
  expect(after.assignment?.topicPartitions[0]?.partitions.length).toBe(1);
  const quiet = await beat({ memberEpoch: after.memberEpoch, subscribedTopicNames: null });
  expect(quiet).toMatchObject({ memberEpoch: after.memberEpoch, assignment: null });
  const group = await describeGroup();
  expect(group).toMatchObject({ groupState: "Stable", assignorName: "simple" });
  expect(group.members.map(({ memberId }) => memberId).toSorted()).toEqual(["m", "n"]);
  expect(group.members[0]!.assignment.topicPartitions[0]!.topicName).toBe("t");
});

test("who leaves is gone; the others take over", async () => {
  const joined = await beat();
  await beat({ memberId: "n" });
  expect(await leave("n")).toMatchObject({ errorCode: 0, memberEpoch: -1 });
  const after = await beat({ memberEpoch: joined.memberEpoch, subscribedTopicNames: null });
  expect(after.assignment?.topicPartitions ?? [{ topicId, partitions: [0, 1] }]).toEqual([
    { topicId, partitions: [0, 1] },
  ]);
  await leave();
  expect(await describeGroup()).toMatchObject({ groupState: "Empty", members: [] });
});

test("the group is the same after a restart", async () => {
  await beat();
  await beat({ memberId: "n" });
  const before = await describeGroup();
  await t.restart();
  await findGroup();
  expect(await describeGroup()).toEqual(before);
  const member = before.members.find(({ memberId }) => memberId === "n")!;
  const again = await beat({ memberId: "n", memberEpoch: member.memberEpoch });
  expect(again).toMatchObject({ errorCode: 0, memberEpoch: member.memberEpoch });
});

test("partitions that are added are read, too", async () => {
  const joined = await beat();
  await t.connection.request(createPartitions, {
    topics: [{ name: "t", count: 3, assignments: null }],
    timeoutMs: 5_000,
  });
  let epoch = joined.memberEpoch;
  let partitions: readonly number[] = [];
  for (let round = 0; round < 100 && partitions.length < 3; round++) {
    await t.roundTrip();
    const next = await beat({ memberEpoch: epoch, subscribedTopicNames: null });
    epoch = next.memberEpoch;
    partitions = next.assignment?.topicPartitions[0]?.partitions ?? partitions;
  }
  expect(partitions).toEqual([0, 1, 2]);
});

test("a topic that is created later is read, too", async () => {
  const joined = await beat({ subscribedTopicNames: ["later"] });
  expect(joined.assignment?.topicPartitions).toEqual([]);
  const later = await t.createTopic("later");
  let epoch = joined.memberEpoch;
  for (;;) {
    await t.roundTrip();
    const next = await beat({ memberEpoch: epoch, subscribedTopicNames: null });
    expect(next.errorCode).toBe(Errors.NONE);
    epoch = next.memberEpoch;
    if (next.assignment === null) continue;
    if (next.assignment.topicPartitions.length === 0) continue;
    expect(next.assignment.topicPartitions).toEqual([{ topicId: later, partitions: [0] }]);
    return;
  }
});

const refusedBeats: readonly (readonly [string, Beat, ErrorCode])[] = [
  ["no member id", { memberId: "" }, Errors.INVALID_REQUEST],
  ["blank member id", { memberId: " " }, Errors.INVALID_REQUEST],
  ["no group id", { groupId: "" }, Errors.INVALID_REQUEST],
  ["blank rack", { rackId: "" }, Errors.INVALID_REQUEST],
  ["join without topics", { memberId: "n", subscribedTopicNames: null }, Errors.INVALID_REQUEST],
  ["join with no topics", { memberId: "n", subscribedTopicNames: [] }, Errors.INVALID_REQUEST],
  ["epoch below the last", { memberEpoch: -2 }, Errors.INVALID_REQUEST],
  ["unknown group", { groupId: "h", memberEpoch: 1 }, Errors.GROUP_ID_NOT_FOUND],
  ["leaving an unknown group", { groupId: "h", memberEpoch: -1 }, Errors.GROUP_ID_NOT_FOUND],
  ["unknown member", { memberId: "n", memberEpoch: 1 }, Errors.UNKNOWN_MEMBER_ID],
  ["leaving as nobody", { memberId: "n", memberEpoch: -1 }, Errors.UNKNOWN_MEMBER_ID],
  ["epoch of the future", { memberEpoch: 99 }, Errors.FENCED_MEMBER_EPOCH],
];

test.each(refusedBeats)("ShareGroupHeartbeat is refused: %s", async (_name, given, error) => {
  await beat();
  expect((await beat(given)).errorCode).toBe(error);
});

test("offsets are set, told with their lag, and deleted", async () => {
  await t.connection.request(produce, {
    acks: -1,
    timeoutMs: 1_000,
    topicData: [{ name: "t", partitionData: [{ index: 0, records: batch(["a", "b", "c"]) }] }],
  }, { maxVersion: 12 });
  await beat();
  expect(await alter("t", [0, 1n])).toMatchObject({ errorCode: Errors.NON_EMPTY_GROUP });
  await leave();
  const altered = await alter("t", [0, 1n], [7, 0n]);
  expect(altered.responses[0]!.partitions.map(({ errorCode }) => errorCode)).toEqual([
    Errors.NONE,
    Errors.UNKNOWN_TOPIC_OR_PARTITION,
  ]);
  const [told] = (await describeOffsets(null)).topics;
  expect(told!.partitions[0]).toMatchObject({ startOffset: 1n, lag: 2n, errorCode: 0 });
  await beat();
  const fetched = await t.connection.request(shareFetch, {
    groupId: "g",
    memberId: "m",
    shareSessionEpoch: 0,
    maxBytes: 100_000,
    maxRecords: 10,
    batchSize: 10,
    minBytes: 1,
    maxWaitMs: 0,
    topics: [{ topicId, partitions: [{ partitionIndex: 0 }] }],
  });
  expect(fetched.responses[0]!.partitions[0]!.acquiredRecords[0]).toMatchObject({
    firstOffset: 1n,
    lastOffset: 2n,
  });
  await leave();
  const deleted = await t.connection.request(deleteShareGroupOffsets, {
    groupId: "g",
    topics: [{ topicName: "t" }, { topicName: "none" }],
  });
  expect(deleted.responses.map(({ topicName, errorCode }) => [topicName, errorCode])).toEqual([
    ["none", Errors.UNKNOWN_TOPIC_OR_PARTITION],
    ["t", Errors.NONE],
  ]);
  expect((await describeOffsets(null)).topics).toEqual([]);
  const asked = await describeOffsets([{ topicName: "t", partitions: [0] }]);
  expect(asked.topics[0]!.partitions[0]).toMatchObject({ startOffset: -1n, lag: -1n });
});

test("offsets of groups that have none, and of wrong ones", async () => {
  expect((await describeOffsets(null)).topics).toEqual([]);
  const asked = await describeOffsets([{ topicName: "none", partitions: [0] }]);
  expect(asked.topics[0]!.partitions[0]).toMatchObject({ startOffset: -1n, errorCode: 0 });
  const nothing = await t.connection.request(deleteShareGroupOffsets, {
    groupId: "g",
    topics: [{ topicName: "t" }],
  });
  expect(nothing.errorCode).toBe(Errors.GROUP_ID_NOT_FOUND);
  const nameless = await t.connection.request(alterShareGroupOffsets, { groupId: "", topics: [] });
  expect(nameless.errorCode).toBe(Errors.INVALID_GROUP_ID);
  // A group that is not there is made.
  await alter("t", [1, 5n]);
  expect(await describeGroup()).toMatchObject({ errorCode: 0, groupState: "Empty" });
});

test("a share group is listed, and deleted with all that was persisted of it", async () => {
  await beat();
  const listed = await t.connection.request(listGroups, { typesFilter: ["share"] });
  expect(listed.groups).toEqual([
    { groupId: "g", protocolType: "share", groupState: "Stable", groupType: "share" },
  ]);
  const remove = async () =>
    (await t.connection.request(deleteGroups, { groupsNames: ["g"] })).results[0]!.errorCode;
  expect(await remove()).toBe(Errors.NON_EMPTY_GROUP);
  await leave();
  expect(await remove()).toBe(Errors.NONE);
  expect(await remove()).toBe(Errors.GROUP_ID_NOT_FOUND);
  const asked = await describeOffsets([{ topicName: "t", partitions: [0] }]);
  expect(asked.topics[0]!.partitions[0]!.startOffset).toBe(-1n);
  await t.restart();
  await findGroup();
  expect((await describeGroup()).errorCode).toBe(Errors.GROUP_ID_NOT_FOUND);
});

test("a deleted topic is forgotten; one of its name begins anew", async () => {
  await beat();
  await leave();
  await alter("t", [0, 9n]);
  await t.deleteTopic("t");
  topicId = await t.createTopic("t", { partitions: 1 });
  expect((await describeOffsets(null)).topics).toEqual([]);
  expect((await beat()).assignment?.topicPartitions).toEqual([{ topicId, partitions: [0] }]);
});
