/** The APIs of consumer groups (KIP-848) through a whole broker, over real sockets. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { errorName, Errors } from "../../core/errors.ts";
import { metadata } from "../../core/protocol/03-metadata.ts";
import { offsetCommit } from "../../core/protocol/08-offset-commit.ts";
import { offsetFetch } from "../../core/protocol/09-offset-fetch.ts";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import { listGroups } from "../../core/protocol/16-list-groups.ts";
import { deleteGroups } from "../../core/protocol/42-delete-groups.ts";
import { incrementalAlterConfigs } from "../../core/protocol/44-incremental-alter-configs.ts";
import { offsetDelete } from "../../core/protocol/47-offset-delete.ts";
import { consumerGroupHeartbeat } from "../../core/protocol/68-consumer-group-heartbeat.ts";
import { consumerGroupDescribe } from "../../core/protocol/69-consumer-group-describe.ts";
import type { EncodableRequest } from "../../core/protocol/schema.ts";
import { DataTest } from "./data-path.test-helper.ts";

type Beat = EncodableRequest<typeof consumerGroupHeartbeat>;

const UNKNOWN_ID = "BBBBBBBBBBBBBBBBBBBBBA";
const GROUP_RESOURCE = 32;

let t: DataTest;
let topicId: string;

beforeEach(async () => {
  t = await DataTest.start();
  await t.createTopic("t", { partitions: 2 });
  const described = await t.connection.request(metadata, { topics: [{ name: "t" }] });
  topicId = described.topics[0]!.topicId;
  await t.connection.request(findCoordinator, { coordinatorKeys: ["g"] });
});
afterEach(() => t.stop());

const join: Beat = {
  groupId: "g",
  memberId: "m",
  memberEpoch: 0,
  rebalanceTimeoutMs: 60_000,
  subscribedTopicNames: ["t"],
  topicPartitions: [],
};

const beat = (request: Beat, version = 1) =>
  t.connection.request(consumerGroupHeartbeat, { groupId: "g", ...request }, {
    maxVersion: version,
  });

test("the codes of heartbeats that say too little, too much or nonsense", async () => {
  const rows: [string, Beat, number?][] = [
    ["INVALID_REQUEST", { ...join, memberId: "" }],
    ["INVALID_REQUEST", { ...join, memberId: " " }],
    ["INVALID_REQUEST", { memberId: "", memberEpoch: 1 }, 0],
    ["INVALID_REQUEST", { memberId: "", memberEpoch: -1 }, 0],
    ["INVALID_REQUEST", { ...join, groupId: "" }],
    ["INVALID_REQUEST", { ...join, instanceId: "" }],
    ["INVALID_REQUEST", { ...join, rackId: " " }],
    ["INVALID_REQUEST", { ...join, rebalanceTimeoutMs: -1 }],
    ["INVALID_REQUEST", { ...join, topicPartitions: null }],
    ["INVALID_REQUEST", { ...join, topicPartitions: [{ topicId, partitions: [0] }] }],
    ["INVALID_REQUEST", { ...join, subscribedTopicNames: null }],
    ["INVALID_REQUEST", { memberId: "m", memberEpoch: -2 }],
    ["INVALID_REQUEST", { memberId: "m", memberEpoch: -3 }],
    ["UNSUPPORTED_ASSIGNOR", { ...join, serverAssignor: "sticky" }],
    ["INVALID_REGULAR_EXPRESSION", {
      ...join,
      subscribedTopicNames: null,
      subscribedTopicRegex: "a{1001}",
    }],
    ["GROUP_ID_NOT_FOUND", { memberId: "m", memberEpoch: 1 }],
    ["GROUP_ID_NOT_FOUND", { memberId: "m", memberEpoch: -1 }],
    ["NONE", join],
    ["UNKNOWN_MEMBER_ID", { memberId: "x", memberEpoch: 1 }],
    ["FENCED_MEMBER_EPOCH", { memberId: "m", memberEpoch: 2 ** 31 - 1 }],
  ];
  for (const [expected, request, version] of rows) {
    const { errorCode, errorMessage } = await beat(request, version);
    expect([errorName(errorCode), request]).toEqual([expected, request]);
    expect(errorMessage === null).toBe(expected === "NONE");
  }
});

test("a group lives through both versions, its offsets by name and by id", async () => {
  for (const version of [0, 1]) {
    const groupId = `g${version}`;
    const memberId = version === 0 ? "" : "m";
    const joined = await beat({ ...join, groupId, memberId }, version);
    expect(joined).toMatchObject({ errorCode: 0, memberEpoch: 2, heartbeatIntervalMs: 5_000 });
    expect(joined.memberId).toMatch(version === 0 ? /^[\w-]{22}$/ : /^m$/);
    expect(joined.assignment?.topicPartitions).toMatchObject([{ topicId, partitions: [0, 1] }]);
    const own = joined.memberId ?? "";
    const commit = async (
      named: { name?: string; topicId?: string },
      epoch: number,
      max: number,
    ) => {
      const partitions = [{ partitionIndex: 0, committedOffset: 7n }];
      const response = await t.connection.request(offsetCommit, {
        groupId,
        memberId: own,
        generationIdOrMemberEpoch: epoch,
        topics: [{ ...named, partitions }],
      }, { maxVersion: max });
      return errorName(response.topics[0]!.partitions[0]!.errorCode);
    };
    expect(await commit({ name: "t" }, 2, 9)).toBe("NONE");
    expect(await commit({ topicId }, 2, 10)).toBe("NONE");
    expect(await commit({ topicId: UNKNOWN_ID }, 2, 10)).toBe("UNKNOWN_TOPIC_ID");
    expect(await commit({ topicId }, 3, 10)).toBe("STALE_MEMBER_EPOCH");
    expect(await commit({ name: "t" }, 2, 8)).toBe("UNSUPPORTED_VERSION");
    const topics = [{ topicId, partitionIndexes: [0] }];
    const fetched = await t.connection.request(offsetFetch, {
      groups: [
        { groupId, memberId: own, memberEpoch: 2, topics },
        { groupId, memberId: own, memberEpoch: 1, topics },
      ],
    });
    expect(fetched.groups[0]!.topics[0]!.partitions[0]).toMatchObject({ committedOffset: 7n });
    expect(fetched.groups[1]).toMatchObject({ topics: [], errorCode: Errors.STALE_MEMBER_EPOCH });

    const described = await t.connection.request(
      consumerGroupDescribe,
      { groupIds: [groupId, "", "nope"], includeAuthorizedOperations: true },
      { maxVersion: version },
    );
    expect(described.groups.map((each) => errorName(each.errorCode)))
      .toEqual(["NONE", "INVALID_GROUP_ID", "GROUP_ID_NOT_FOUND"]);
    const [group] = described.groups;
    expect(group).toMatchObject({ groupState: "Stable", groupEpoch: 2, assignorName: "uniform" });
    expect(group!.authorizedOperations).toBeGreaterThan(0);
    expect(group!.members[0]!.memberType).toBe(version === 0 ? -1 : 1);

    const remove = async () => {
      const response = await t.connection.request(deleteGroups, { groupsNames: [groupId] });
      return errorName(response.results[0]!.errorCode);
    };
    const subscribed = await t.connection.request(offsetDelete, {
      groupId,
      topics: [{ name: "t", partitions: [{ partitionIndex: 0 }] }],
    });
    expect(errorName(subscribed.topics[0]!.partitions[0]!.errorCode))
      .toBe("GROUP_SUBSCRIBED_TO_TOPIC");
    expect(await remove()).toBe("NON_EMPTY_GROUP");
    expect((await beat({ groupId, memberId: own, memberEpoch: -1 }, version)).memberEpoch).toBe(-1);
    const listed = await t.connection.request(listGroups, { typesFilter: ["consumer"] });
    expect(listed.groups).toMatchObject([{ groupId, groupState: "Empty", groupType: "consumer" }]);
    expect(await remove()).toBe("NONE");
  }
});

test("a group's own configs count, and its state survives a restart", async () => {
  const configs = [
    { name: "consumer.heartbeat.interval.ms", configOperation: 0, value: "7000" },
    { name: "consumer.session.timeout.ms", configOperation: 0, value: "50000" },
  ];
  const resources = [{ resourceType: GROUP_RESOURCE, resourceName: "g", configs }];
  const altered = await t.connection.request(incrementalAlterConfigs, { resources });
  expect(altered.responses[0]!.errorCode).toBe(Errors.NONE);
  expect((await beat(join)).heartbeatIntervalMs).toBe(7_000);
  await t.restart();
  await t.connection.request(findCoordinator, { coordinatorKeys: ["g"] });
  const after = await beat({ memberId: "m", memberEpoch: 2 });
  expect(after).toMatchObject({ errorCode: 0, memberEpoch: 2, heartbeatIntervalMs: 7_000 });
  expect(after.assignment).toBeNull();
});
