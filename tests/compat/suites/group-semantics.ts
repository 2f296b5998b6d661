/**
 * The same requests about groups to Apache Kafka and to our broker: every answer has to be the
 * same, codes, states, generations and bytes. Left out of the comparison is what Kafka's own hash
 * maps decide (the order of members and partitions), ids that are random, and words beside a code.
 */
import { Errors } from "../../../core/errors.ts";
import { offsetCommit } from "../../../core/protocol/08-offset-commit.ts";
import { offsetFetch } from "../../../core/protocol/09-offset-fetch.ts";
import { findCoordinator } from "../../../core/protocol/10-find-coordinator.ts";
import { joinGroup } from "../../../core/protocol/11-join-group.ts";
import { heartbeat } from "../../../core/protocol/12-heartbeat.ts";
import { leaveGroup } from "../../../core/protocol/13-leave-group.ts";
import { syncGroup } from "../../../core/protocol/14-sync-group.ts";
import { describeGroups } from "../../../core/protocol/15-describe-groups.ts";
import { listGroups } from "../../../core/protocol/16-list-groups.ts";
import { createTopics } from "../../../core/protocol/19-create-topics.ts";
import { deleteGroups } from "../../../core/protocol/42-delete-groups.ts";
import { offsetDelete } from "../../../core/protocol/47-offset-delete.ts";
import type { EncodableRequest } from "../../../core/protocol/schema.ts";
import { needKafka } from "../install.ts";
import { expectSameAnswers, recordAnswers, type Recorder } from "../recorder.ts";
import type { CompatSuite } from "../suite.ts";

const GROUP = "semantics";
const UNKNOWN_ID = "BBBBBBBBBBBBBBBBBBBBBA";
/** Kafka 4.3's last version where ours has a later one. */
const DELETE_GROUPS_VERSION = 2;
/** The last version with topics by name. */
const BY_NAME_VERSION = 9;

/** A ConsumerProtocolSubscription of version 0. */
function subscription(...topics: string[]): Uint8Array {
  const names = topics.map((topic) => [0, topic.length, ...Buffer.from(topic)]);
  return Uint8Array.from([0, 0, 0, 0, 0, topics.length, ...names.flat(), 255, 255, 255, 255]);
}

const range = (...topics: string[]) => [{ name: "range", metadata: subscription(...topics) }];

const joining = (more: EncodableRequest<typeof joinGroup> = {}) => ({
  groupId: GROUP,
  memberId: "",
  sessionTimeoutMs: 6_000,
  rebalanceTimeoutMs: 8_000,
  protocolType: "consumer",
  protocols: range("t"),
  ...more,
});

const member = (memberId: string, generationId: number, groupInstanceId: string | null = null) => ({
  groupId: GROUP,
  memberId,
  generationId,
  groupInstanceId,
});

const syncing = (
  memberId: string,
  generationId: number,
  more: EncodableRequest<typeof syncGroup> = {},
) => ({
  ...member(memberId, generationId),
  protocolType: "consumer",
  protocolName: "range",
  ...more,
});

const committing = (
  more: EncodableRequest<typeof offsetCommit> = {},
  { topic = "t", partition = 0, offset = 5n, metadata = "m" as string | null } = {},
) => ({
  groupId: GROUP,
  topics: [{
    name: topic,
    partitions: [{
      partitionIndex: partition,
      committedOffset: offset,
      committedMetadata: metadata,
    }],
  }],
  ...more,
});

const asMember = (memberId: string, generation: number, instance: string | null = null) => ({
  memberId,
  generationIdOrMemberEpoch: generation,
  groupInstanceId: instance,
});

const removing = (...topics: [string, ...number[]][]) => ({
  groupId: GROUP,
  topics: topics.map(([name, ...partitions]) => ({
    name,
    partitions: partitions.map((partitionIndex) => ({ partitionIndex })),
  })),
});

/** Waits until the coordinator serves the group, and makes the topics. */
async function prepare(recorder: Recorder): Promise<void> {
  const { one } = recorder;
  await one.request(createTopics, {
    timeoutMs: 10_000,
    topics: [
      { name: "t", numPartitions: 2, replicationFactor: 1 },
      { name: "u", numPartitions: 1, replicationFactor: 1 },
    ],
  });
  for (let tries = 0; tries < 100; tries++) {
    const found = await one.request(findCoordinator, { coordinatorKeys: [GROUP] });
    const beat = await one.request(heartbeat, member("nobody", 1));
    const loaded = beat.errorCode === Errors.UNKNOWN_MEMBER_ID;
    if (found.coordinators[0]?.errorCode === Errors.NONE && loaded) return;
    await Bun.sleep(200);
  }
  throw new Error("the group coordinator did not get ready");
}

async function noGroup(r: Recorder): Promise<void> {
  await r.ask("no group", heartbeat, member("x", 1));
  await r.ask("no group", syncGroup, syncing("x", 1));
  await r.ask("no group", leaveGroup, { groupId: GROUP, members: [{ memberId: "x" }] });
  await r.ask("no group", leaveGroup, { groupId: GROUP, memberId: "x" }, 2);
  await r.ask("no group", joinGroup, joining({ memberId: "x" }));
  await r.ask("no group", describeGroups, { groups: [GROUP] });
  await r.ask("no group", describeGroups, { groups: [GROUP] }, 5);
  const topics = [{ name: "t", partitionIndexes: [0, 7] }];
  await r.ask("no group", offsetFetch, { groups: [{ groupId: GROUP, topics }] }, BY_NAME_VERSION);
  const all = { groups: [{ groupId: GROUP, topics: null }] };
  await r.ask("no group, all", offsetFetch, all, BY_NAME_VERSION);
  await r.ask("no group", offsetFetch, { groupId: GROUP, topics }, 1);
  await r.ask("no group, all", offsetFetch, { groupId: GROUP, topics: null }, 5);
  await r.ask("no group", deleteGroups, { groupsNames: [GROUP] }, DELETE_GROUPS_VERSION);
  await r.ask("no group", offsetDelete, removing(["t", 0]));
  await r.ask("no group", offsetCommit, committing(asMember("x", 1)), BY_NAME_VERSION);
  await r.ask("no group", offsetCommit, committing(asMember("x", 1)), 8);
}

async function emptyGroupId(r: Recorder): Promise<void> {
  const groupId = "";
  await r.ask("empty id", heartbeat, { ...member("x", 1), groupId });
  await r.ask("empty id", joinGroup, joining({ groupId }));
  await r.ask("empty id", syncGroup, syncing("x", 1, { groupId }));
  await r.ask("empty id", leaveGroup, { groupId, members: [{ memberId: "x" }] });
  await r.ask("empty id", describeGroups, { groups: [groupId] });
  await r.ask("empty id", deleteGroups, { groupsNames: [groupId] }, DELETE_GROUPS_VERSION);
  await r.ask("empty id", offsetCommit, committing({ groupId }), BY_NAME_VERSION);
  const all = { groups: [{ groupId, topics: null }] };
  await r.ask("empty id", offsetFetch, all, BY_NAME_VERSION);
  await r.ask("empty id", offsetDelete, { groupId });
  await r.ask("short session", joinGroup, joining({ sessionTimeoutMs: 5_999 }));
  await r.ask("long session", joinGroup, joining({ sessionTimeoutMs: 1_800_001 }));
  await r.ask("no protocols", joinGroup, joining({ protocols: [] }));
  await r.ask("no type", joinGroup, joining({ protocolType: "" }));
}

async function withoutMembers(r: Recorder): Promise<void> {
  const commit = (what: string, request: EncodableRequest<typeof offsetCommit>, version = 9) =>
    r.ask(what, offsetCommit, request, version);
  await commit("simple", committing());
  await commit("no such partition", committing({}, { partition: 9 }));
  await commit("negative", committing({}, { partition: 1, offset: -5n, metadata: null }));
  await commit("long metadata", committing({}, { metadata: "y".repeat(4097) }));
  await commit("no such topic", committing({}, { topic: "nope" }));
  const [nope] = committing({}, { topic: "nope" }).topics;
  const [u] = committing({}, { topic: "u" }).topics;
  await commit("good and bad", { groupId: GROUP, topics: [nope!, u!] });
  const unknown = { topicId: UNKNOWN_ID, partitions: u!.partitions };
  await commit("unknown id", { groupId: GROUP, topics: [unknown] }, 10);
  await commit("nothing", { groupId: GROUP });
  const topics = [
    { name: "t", partitionIndexes: [0, 1, 2] },
    { name: "nope", partitionIndexes: [0] },
  ];
  const stable = { groups: [{ groupId: GROUP, topics }], requireStable: true };
  await r.ask("simple", offsetFetch, stable, BY_NAME_VERSION);
  const byId = { groupId: GROUP, topics: [{ topicId: UNKNOWN_ID, partitionIndexes: [0] }] };
  await r.ask("unknown id", offsetFetch, { groups: [byId] }, 10);
  const old = { groupId: GROUP, topics: [{ name: "u", partitionIndexes: [0] }] };
  await r.ask("simple", offsetFetch, old, 2);
  await r.ask("no topics", offsetFetch, { groups: [{ groupId: GROUP, topics: [] }] }, 9);
  await r.ask("simple", describeGroups, { groups: [GROUP] });
  await r.ask("simple", listGroups, {});
  await r.ask("simple", heartbeat, member("x", 1));
  await r.ask("simple", syncGroup, syncing("x", 1));
  await r.ask("simple", offsetDelete, removing(["u", 0, 4], ["nope", 0]));
}

/** A group of one, stable in generation 1; its member id. */
async function firstGeneration(r: Recorder): Promise<string> {
  const { memberId } = await r.ask("first", joinGroup, joining());
  await r.ask("with its id", joinGroup, joining({ memberId }));
  await r.ask("before sync", describeGroups, { groups: [GROUP] });
  await r.ask("before sync", offsetCommit, committing(asMember(memberId, 1)), 9);
  await r.ask("before sync", heartbeat, member(memberId, 1));
  await r.ask("before sync, again", joinGroup, joining({ memberId }));
  await r.ask("wrong generation", syncGroup, syncing(memberId, 9));
  await r.ask("wrong name", syncGroup, syncing(memberId, 1, { protocolName: "z" }));
  await r.ask("wrong type", syncGroup, syncing(memberId, 1, { protocolType: "z" }));
  await r.ask("no type", syncGroup, syncing(memberId, 1, { protocolType: null }));
  const assignments = [
    { memberId, assignment: Uint8Array.of(1) },
    { memberId: "other", assignment: Uint8Array.of(2) },
  ];
  await r.ask("leader", syncGroup, syncing(memberId, 1, { assignments }));
  await r.ask("again", syncGroup, syncing(memberId, 1));
  return memberId;
}

async function stableGroup(r: Recorder, memberId: string): Promise<void> {
  await r.ask("stable", describeGroups, { groups: [GROUP] });
  await r.ask("filters", listGroups, { statesFilter: ["sTaBLE"], typesFilter: ["CLASSIC"] });
  await r.ask("no such type", listGroups, { typesFilter: ["z"] });
  await r.ask("no such state", listGroups, { statesFilter: ["z"] });
  await r.ask("stable", heartbeat, member(memberId, 1));
  await r.ask("wrong generation", heartbeat, member(memberId, 2));
  await r.ask("no such instance", heartbeat, member(memberId, 1, "z"));
  const commit = (what: string, request: EncodableRequest<typeof offsetCommit>, version = 9) =>
    r.ask(what, offsetCommit, request, version);
  await commit("member", committing(asMember(memberId, 1), { offset: 77n }));
  await commit("nobody", committing());
  await commit("wrong generation", committing(asMember(memberId, 3)));
  await commit("own retention", committing({ ...asMember(memberId, 1), retentionTimeMs: 9n }), 2);
  await commit("no such instance", committing(asMember(memberId, 1, "z")));
  await commit("no generation", committing(asMember(memberId, -1)));
  await r.ask("subscribed", offsetDelete, removing(["t", 0], ["u", 0]));
  const names = { groupsNames: [GROUP, "z"] };
  await r.ask("not empty", deleteGroups, names, DELETE_GROUPS_VERSION);
  const other = [{ name: "z", metadata: new Uint8Array(0) }];
  await r.ask("other protocol", joinGroup, joining({ protocols: other }));
  await r.ask("other type", joinGroup, joining({ protocolType: "connect" }));
}

async function rebalance(r: Recorder, memberId: string): Promise<void> {
  const waiting = r.two.request(joinGroup, joining(), { maxVersion: 3 });
  while ((await r.one.request(heartbeat, member(memberId, 1))).errorCode === 0) await Bun.sleep(10);
  await r.ask("rebalance", heartbeat, member(memberId, 1));
  await r.ask("rebalance", syncGroup, syncing(memberId, 1));
  await r.ask("rebalance", offsetCommit, committing(asMember(memberId, 1)), 9);
  await r.ask("rebalance", describeGroups, { groups: [GROUP] });
  await r.ask("rejoin", joinGroup, joining({ memberId, reason: "r" }));
  const joined = await waiting;
  r.record("second joined", joined);
  const second = joined.memberId;
  const unnamed = syncing(second, 2, { protocolType: null, protocolName: null });
  const synced = r.two.request(syncGroup, unnamed, { maxVersion: 3 });
  await r.three.request(describeGroups, { groups: [GROUP] });
  const assignments = [{ memberId: second, assignment: Uint8Array.of(9) }];
  await r.ask("leader", syncGroup, syncing(memberId, 2, { assignments }));
  r.record("second synced", await synced);
  await r.ask("follower again", joinGroup, joining({ memberId: second }), 9, r.two);
  const members = [
    { memberId: second, reason: "bye" },
    { memberId: "z" },
    { memberId: "", groupInstanceId: "z" },
  ];
  await r.ask("several", leaveGroup, { groupId: GROUP, members });
  await r.ask("after leaving", heartbeat, member(memberId, 2));
  await r.ask("after leaving", joinGroup, joining({ memberId }));
  await r.ask("last", leaveGroup, { groupId: GROUP, memberId }, 1);
  await r.ask("empty", describeGroups, { groups: [GROUP] });
  await r.ask("empty", listGroups, {});
}

async function staticMembers(r: Recorder): Promise<void> {
  const groupInstanceId = "i";
  const first = await r.ask("static", joinGroup, joining({ groupInstanceId }));
  const { memberId: old, generationId } = first;
  const assignments = [{ memberId: old, assignment: Uint8Array.of(3) }];
  const sync = syncing(old, generationId, { groupInstanceId, assignments });
  await r.ask("static", syncGroup, sync);
  await r.ask("static returns", joinGroup, joining({ groupInstanceId }));
  const current = await r.ask("static returns", joinGroup, joining({ groupInstanceId }), 8);
  await r.ask("fenced", heartbeat, member(old, generationId, "i"));
  await r.ask("fenced, no instance", heartbeat, member(old, generationId));
  await r.ask("fenced", syncGroup, syncing(old, generationId, { groupInstanceId }));
  await r.ask("fenced", joinGroup, joining({ memberId: old, groupInstanceId }));
  await r.ask("fenced", offsetCommit, committing(asMember(old, generationId, "i")), 9);
  const leaving = { groupId: GROUP, members: [{ memberId: old, groupInstanceId }] };
  await r.ask("fenced", leaveGroup, leaving);
  const again = syncing(current.memberId, generationId, { groupInstanceId });
  await r.ask("static again", syncGroup, again);
  await r.ask("static", describeGroups, { groups: [GROUP] }, 5);
  await r.ask("changed", joinGroup, joining({ groupInstanceId, protocols: range("t", "u") }));
  await r.ask("changed", describeGroups, { groups: [GROUP] });
  const byInstance = { groupId: GROUP, members: [{ memberId: "", groupInstanceId }] };
  await r.ask("by instance", leaveGroup, byInstance);
  await r.ask("left", describeGroups, { groups: [GROUP] });
}

async function pendingMember(r: Recorder): Promise<void> {
  const { memberId } = await r.ask("pending", joinGroup, joining());
  await r.ask("pending", heartbeat, member(memberId, 1));
  await r.ask("pending", syncGroup, syncing(memberId, 1));
  await r.ask("pending", offsetCommit, committing(asMember(memberId, 1)), 9);
  await r.ask("pending", leaveGroup, { groupId: GROUP, members: [{ memberId }] });
  await r.ask("empty", deleteGroups, { groupsNames: [GROUP] }, DELETE_GROUPS_VERSION);
  await r.ask("deleted", describeGroups, { groups: [GROUP] });
  const all = { groups: [{ groupId: GROUP, topics: null }] };
  await r.ask("deleted", offsetFetch, all, BY_NAME_VERSION);
  await r.ask("key type 9", findCoordinator, { keyType: 9, coordinatorKeys: ["x"] });
}

/** Everything above against one broker. */
const transcript = (bootstrap: string) =>
  recordAnswers(bootstrap, async (recorder) => {
    await prepare(recorder);
    await noGroup(recorder);
    await emptyGroupId(recorder);
    await withoutMembers(recorder);
    const memberId = await firstGeneration(recorder);
    await stableGroup(recorder, memberId);
    await rebalance(recorder, memberId);
    await staticMembers(recorder);
    await pendingMember(recorder);
  });

export const groupSemantics: CompatSuite = {
  name: "group-semantics",
  needs: [needKafka],
  inSample: false,
  cases: [{
    name: "every answer about groups is Apache Kafka 4.3.1's",
    run: async () => {
      await expectSameAnswers(transcript);
    },
  }],
};
