/** Bad requests of and about groups. */
import { offsetCommit } from "../../../../core/protocol/08-offset-commit.ts";
import { findCoordinator } from "../../../../core/protocol/10-find-coordinator.ts";
import { joinGroup } from "../../../../core/protocol/11-join-group.ts";
import { heartbeat } from "../../../../core/protocol/12-heartbeat.ts";
import { leaveGroup } from "../../../../core/protocol/13-leave-group.ts";
import { syncGroup } from "../../../../core/protocol/14-sync-group.ts";
import { describeGroups } from "../../../../core/protocol/15-describe-groups.ts";
import { deleteGroups } from "../../../../core/protocol/42-delete-groups.ts";
import { offsetDelete } from "../../../../core/protocol/47-offset-delete.ts";
import { consumerGroupHeartbeat } from "../../../../core/protocol/68-consumer-group-heartbeat.ts";
import { consumerGroupDescribe } from "../../../../core/protocol/69-consumer-group-describe.ts";
import { shareGroupHeartbeat } from "../../../../core/protocol/76-share-group-heartbeat.ts";
import { shareGroupDescribe } from "../../../../core/protocol/77-share-group-describe.ts";
import { UNKNOWN_ID } from "../step.ts";
import { bad, type BadInput, beating, committing, joining, member, syncing } from "./case.ts";

export const GROUPS: readonly BadInput[] = [
  bad(
    findCoordinator,
    "unknown kind",
    "INVALID_REQUEST",
    () => ({ keyType: 9, coordinatorKeys: ["a"] }),
  ),
  bad(joinGroup, "no group", "INVALID_GROUP_ID", (f) => joining(f, { groupId: "" })),
  bad(
    joinGroup,
    "session too short",
    "INVALID_SESSION_TIMEOUT",
    (f) => joining(f, { sessionTimeoutMs: 1 }),
  ),
  bad(
    joinGroup,
    "no protocols",
    "INCONSISTENT_GROUP_PROTOCOL",
    (f) => joining(f, { protocols: [] }),
  ),
  bad(
    joinGroup,
    "other type",
    "INCONSISTENT_GROUP_PROTOCOL",
    (f) => joining(f, { protocolType: "connect" }),
  ),
  bad(joinGroup, "no member id", "MEMBER_ID_REQUIRED", (f) => joining(f)),
  bad(joinGroup, "unknown member", "UNKNOWN_MEMBER_ID", (f) => joining(f, { memberId: "nobody" })),
  bad(
    syncGroup,
    "unknown member",
    "UNKNOWN_MEMBER_ID",
    (f) => ({ ...syncing(f), memberId: "nobody" }),
  ),
  bad(
    syncGroup,
    "wrong generation",
    "ILLEGAL_GENERATION",
    (f) => ({ ...syncing(f), generationId: 99 }),
  ),
  bad(syncGroup, "other protocol", "INCONSISTENT_GROUP_PROTOCOL", (f) => ({
    ...member(f),
    protocolType: "consumer",
    protocolName: "sticky",
  })),
  bad(
    heartbeat,
    "unknown member",
    "UNKNOWN_MEMBER_ID",
    (f) => ({ ...member(f), memberId: "nobody" }),
  ),
  bad(
    heartbeat,
    "wrong generation",
    "ILLEGAL_GENERATION",
    (f) => ({ ...member(f), generationId: 99 }),
  ),
  bad(
    heartbeat,
    "unknown instance",
    "UNKNOWN_MEMBER_ID",
    (f) => ({ ...member(f), groupInstanceId: "i" }),
  ),
  bad(leaveGroup, "unknown member", "UNKNOWN_MEMBER_ID", (f) => ({
    groupId: f.name("g"),
    members: [{ memberId: "nobody" }],
  })),
  bad(
    offsetCommit,
    "unknown member",
    "UNKNOWN_MEMBER_ID",
    (f) => committing(f, { memberId: "nobody" }),
  ),
  bad(
    offsetCommit,
    "wrong generation",
    "ILLEGAL_GENERATION",
    (f) => committing(f, { generationIdOrMemberEpoch: 99 }),
  ),
  bad(
    offsetCommit,
    "no member of a group that has some",
    "UNKNOWN_MEMBER_ID",
    (f) => committing(f, { memberId: "", generationIdOrMemberEpoch: -1 }),
  ),
  bad(offsetCommit, "unknown topic", "UNKNOWN_TOPIC_ID", (f) =>
    committing(f, {
      topics: [{
        name: f.name("none"),
        topicId: UNKNOWN_ID,
        partitions: [{ partitionIndex: 0, committedOffset: 1n, committedMetadata: "" }],
      }],
    })),
  bad(offsetCommit, "oversized metadata", "OFFSET_METADATA_TOO_LARGE", (f) =>
    committing(f, {
      topics: [{
        name: f.name("t"),
        topicId: f.topicId("t"),
        partitions: [{
          partitionIndex: 0,
          committedOffset: 1n,
          committedMetadata: "x".repeat(5_000),
        }],
      }],
    })),
  bad(
    offsetDelete,
    "unknown group",
    "GROUP_ID_NOT_FOUND",
    (f) => ({ groupId: f.name("none"), topics: [] }),
  ),
  bad(describeGroups, "unknown group", "GROUP_ID_NOT_FOUND", (f) => ({ groups: [f.name("none")] })),
  bad(
    deleteGroups,
    "unknown group",
    "GROUP_ID_NOT_FOUND",
    (f) => ({ groupsNames: [f.name("none")] }),
  ),
  bad(
    deleteGroups,
    "group with members",
    "NON_EMPTY_GROUP",
    (f) => ({ groupsNames: [f.name("g")] }),
  ),
  bad(consumerGroupHeartbeat, "no group", "INVALID_REQUEST", (f) => beating(f, { groupId: "" })),
  bad(
    consumerGroupHeartbeat,
    "no subscription",
    "INVALID_REQUEST",
    (f) => beating(f, { memberId: "n", subscribedTopicNames: null }),
  ),
  bad(
    consumerGroupHeartbeat,
    "unknown assignor",
    "UNSUPPORTED_ASSIGNOR",
    (f) => beating(f, { serverAssignor: "none" }),
  ),
  bad(
    consumerGroupHeartbeat,
    "bad expression",
    "INVALID_REGULAR_EXPRESSION",
    (f) => beating(f, { subscribedTopicNames: null, subscribedTopicRegex: "(" }),
  ),
  bad(
    consumerGroupHeartbeat,
    "epoch of the future",
    "FENCED_MEMBER_EPOCH",
    (f) => beating(f, { memberEpoch: 99 }),
  ),
  bad(
    consumerGroupHeartbeat,
    "unknown member",
    "UNKNOWN_MEMBER_ID",
    (f) => beating(f, { memberId: "nobody", memberEpoch: 5 }),
  ),
  bad(
    consumerGroupHeartbeat,
    "classic group",
    "GROUP_ID_NOT_FOUND",
    (f) => beating(f, { groupId: f.name("g") }),
  ),
  bad(
    consumerGroupDescribe,
    "unknown group",
    "GROUP_ID_NOT_FOUND",
    (f) => ({ groupIds: [f.name("none")] }),
  ),
  bad(shareGroupHeartbeat, "no group", "INVALID_REQUEST", (f) => ({
    groupId: "",
    memberId: "m",
    memberEpoch: 0,
    subscribedTopicNames: [f.name("t")],
  })),
  bad(shareGroupHeartbeat, "unknown member", "GROUP_ID_NOT_FOUND", (f) => ({
    groupId: f.name("s"),
    memberId: "m",
    memberEpoch: 5,
    subscribedTopicNames: [f.name("t")],
  })),
  bad(
    shareGroupDescribe,
    "unknown group",
    "GROUP_ID_NOT_FOUND",
    (f) => ({ groupIds: [f.name("none")] }),
  ),
];
