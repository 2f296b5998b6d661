/**
 * Consumer groups of the new protocol (KIP-848): the same requests to Apache Kafka and to our broker,
 * every answer compared. Members are called `a`, `b`, …, so that their order is the same.
 */
import { Errors } from "../../../core/errors.ts";
import { metadata } from "../../../core/protocol/03-metadata.ts";
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
import { createPartitions } from "../../../core/protocol/37-create-partitions.ts";
import { deleteGroups } from "../../../core/protocol/42-delete-groups.ts";
import { incrementalAlterConfigs } from "../../../core/protocol/44-incremental-alter-configs.ts";
import { offsetDelete } from "../../../core/protocol/47-offset-delete.ts";
import { consumerGroupHeartbeat } from "../../../core/protocol/68-consumer-group-heartbeat.ts";
import { consumerGroupDescribe } from "../../../core/protocol/69-consumer-group-describe.ts";
import { encodeVersioned } from "../../../core/protocol/codec.ts";
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from "../../../core/protocol/records/consumer-protocol.ts";
import type { EncodableRequest } from "../../../core/protocol/schema.ts";
import { needKafka } from "../install.ts";
import { expectSameAnswers, recordAnswers, type Recorder } from "../recorder.ts";
import type { CompatSuite } from "../suite.ts";

const GROUP = "semantics";
const UNKNOWN_ID = "BBBBBBBBBBBBBBBBBBBBBA";
/** Kafka 4.3's last versions where ours has a later one. */
const DELETE_GROUPS_VERSION = 2;
const BY_NAME_VERSION = 9;

type Beat = EncodableRequest<typeof consumerGroupHeartbeat>;

const join: Beat = {
  memberEpoch: 0,
  rebalanceTimeoutMs: 60_000,
  subscribedTopicNames: ["t"],
  topicPartitions: [],
};

/** The ids of the topics, which both brokers choose at random. */
type TopicIds = Readonly<Record<"t" | "u", string>>;

/** What a member says that it has of a topic. */
const owns = (topicId: string, ...partitions: number[]) => [{ topicId, partitions }];

const committing = (memberId: string, epoch: number, partition = 0) => ({
  groupId: GROUP,
  memberId,
  generationIdOrMemberEpoch: epoch,
  topics: [{
    name: "t",
    partitions: [{ partitionIndex: partition, committedOffset: 5n, committedMetadata: "m" }],
  }],
});

const fetching = (memberId: string | null, memberEpoch: number) => ({
  groups: [{
    groupId: GROUP,
    memberId,
    memberEpoch,
    topics: [{ name: "t", partitionIndexes: [0] }],
  }],
});

const subscription = (topics: string[], owned: number[] = []) =>
  encodeVersioned(consumerProtocolSubscription, 3, {
    topics,
    ownedPartitions: owned.length === 0 ? [] : [{ topic: "t", partitions: owned }],
  });

const joining = (more: EncodableRequest<typeof joinGroup> = {}) => ({
  groupId: GROUP,
  memberId: "",
  sessionTimeoutMs: 30_000,
  rebalanceTimeoutMs: 30_000,
  protocolType: "consumer",
  protocols: [{ name: "range", metadata: subscription(["t"]) }],
  ...more,
});

/** One transcript: requests, with the state of the group recorded where it matters. */
class Scenario {
  constructor(readonly r: Recorder, readonly ids: TopicIds, readonly groupId = GROUP) {}

  beat(what: string, request: Beat, version = 1) {
    const full = { groupId: this.groupId, ...request };
    return this.r.ask(what, consumerGroupHeartbeat, full, version);
  }

  async look(what: string): Promise<void> {
    await this.r.ask(what, consumerGroupDescribe, { groupIds: [this.groupId] });
    await this.r.ask(what, listGroups, {});
  }

  async badRequests(): Promise<void> {
    const rows: [string, Beat][] = [
      ["no member id", { ...join }],
      ["blank member id", { ...join, memberId: " " }],
      ["blank instance id", { ...join, memberId: "a", instanceId: "" }],
      ["blank rack", { ...join, memberId: "a", rackId: "" }],
      ["no rebalance timeout", { ...join, memberId: "a", rebalanceTimeoutMs: -1 }],
      ["no partitions", { ...join, memberId: "a", topicPartitions: null }],
      ["partitions", { ...join, memberId: "a", topicPartitions: owns(this.ids.t, 0) }],
      ["no topics", { ...join, memberId: "a", subscribedTopicNames: null }],
      ["no such assignor", { ...join, memberId: "a", serverAssignor: "x" }],
      ["epoch -3", { memberId: "a", memberEpoch: -3 }],
      ["static leave without instance", { memberId: "a", memberEpoch: -2 }],
      ["leave no group", { memberId: "a", memberEpoch: -1 }],
      ["static leave no group", { memberId: "a", memberEpoch: -2, instanceId: "i" }],
      ["no group", { memberId: "a", memberEpoch: 1 }],
      ["no group id", { ...join, memberId: "a", groupId: "" }],
      ["bad regex", {
        ...join,
        memberId: "a",
        subscribedTopicNames: null,
        subscribedTopicRegex: "(",
      }],
    ];
    for (const [what, request] of rows) await this.beat(what, request);
    await this.beat("no member id", { memberEpoch: 1 }, 0);
    await this.beat("no member id", { memberEpoch: -1 }, 0);
    await this.r.ask("no group", offsetFetch, fetching("a", 1), BY_NAME_VERSION);
    await this.r.ask("no group", offsetCommit, committing("a", 1), BY_NAME_VERSION);
    await this.r.ask("nothing yet", consumerGroupDescribe, { groupIds: [this.groupId, ""] });
  }

  /** One member, then two, step by step; both stay. */
  async reconciliation(): Promise<void> {
    const { t } = this.ids;
    await this.beat("first joins", { ...join, memberId: "a" });
    await this.look("one member");
    await this.beat("nothing new", { memberId: "a", memberEpoch: 2 });
    await this.beat("says all", { ...join, memberId: "a", memberEpoch: 2 });
    await this.beat("owns all", {
      memberId: "a",
      memberEpoch: 2,
      topicPartitions: owns(t, 0, 1, 2, 3),
    });
    await this.beat("epoch ahead", { memberId: "a", memberEpoch: 3 });
    await this.beat("second joins", { ...join, memberId: "b" });
    await this.look("second has to wait");
    await this.beat("first hears", { memberId: "a", memberEpoch: 2 });
    await this.look("first gives up");
    await this.beat("first is not done", {
      memberId: "a",
      memberEpoch: 2,
      topicPartitions: owns(t, 0, 1, 2),
    });
    await this.beat("second waits", { memberId: "b", memberEpoch: 3, topicPartitions: [] });
    const commit = (what: string, memberId: string, epoch: number, partition = 0) =>
      this.r.ask(what, offsetCommit, committing(memberId, epoch, partition), BY_NAME_VERSION);
    await commit("while giving up", "a", 2, 3);
    await this.beat("first is done", {
      memberId: "a",
      memberEpoch: 2,
      topicPartitions: owns(t, 0, 1),
    });
    await this.look("first is done");
    await this.beat("the answer was lost", {
      memberId: "a",
      memberEpoch: 2,
      topicPartitions: owns(t, 0, 1),
    });
    await this.beat("an epoch back with more", {
      memberId: "a",
      memberEpoch: 2,
      topicPartitions: owns(t, 0, 1, 2),
    });
    await this.beat("second gets", { memberId: "b", memberEpoch: 3 });
    await this.look("stable");
    await commit("an epoch back, its own", "a", 2);
    await commit("an epoch back, not its own", "a", 2, 3);
    await commit("present epoch, not its own", "a", 3, 3);
    await commit("epoch ahead", "a", 4);
    await commit("nobody", "", -1);
    await commit("no such member", "x", 2);
    await commit("second, before it was there", "b", 2, 3);
    await this.r.ask("old version", offsetCommit, committing("a", 3), 8);
    const byId = committing("a", 3);
    const [topic] = byId.topics;
    const topics = [{ ...topic!, topicId: t }, { ...topic!, topicId: UNKNOWN_ID }];
    await this.r.ask("by id", offsetCommit, { ...byId, topics }, 10);
  }

  async offsets(): Promise<void> {
    const fetch = (what: string, memberId: string | null, epoch: number) =>
      this.r.ask(what, offsetFetch, fetching(memberId, epoch), BY_NAME_VERSION);
    await fetch("nobody", null, -1);
    await fetch("member", "a", 3);
    await fetch("an epoch back", "a", 2);
    await fetch("epoch ahead", "a", 4);
    await fetch("no epoch", "a", -1);
    await fetch("no such member", "x", 3);
    const groups = [{ groupId: GROUP, topics: [{ topicId: this.ids.t, partitionIndexes: [0] }] }];
    await this.r.ask("by id", offsetFetch, { groups }, 10);
    const topics = [{ name: "t", partitions: [{ partitionIndex: 0 }] }];
    await this.r.ask("subscribed", offsetDelete, { groupId: GROUP, topics });
    const other = [{ name: "u", partitions: [{ partitionIndex: 0 }] }];
    await this.r.ask("not subscribed", offsetDelete, { groupId: GROUP, topics: other });
    const names = { groupsNames: [GROUP] };
    await this.r.ask("not empty", deleteGroups, names, DELETE_GROUPS_VERSION);
    await this.r.ask("by the classic API", describeGroups, { groups: [GROUP] });
    await this.r.ask("by the classic API", describeGroups, { groups: [GROUP] }, 5);
    await this.r.ask("filtered", listGroups, {
      typesFilter: ["Consumer"],
      statesFilter: ["stable"],
    });
    await this.r.ask("filtered away", listGroups, { typesFilter: ["classic"] });
  }

  /** Requests of the classic protocol for members of the new one. */
  async classicRequests(): Promise<void> {
    const { r } = this;
    const member = { groupId: GROUP, memberId: "a", generationId: 3 };
    await r.ask("new member", heartbeat, member);
    await r.ask("new member", syncGroup, { ...member, protocolType: "consumer" });
    await r.ask("no such member", heartbeat, { ...member, memberId: "x" });
    await r.ask("no such instance", heartbeat, { ...member, groupInstanceId: "x" });
    await r.ask("other type", joinGroup, joining({ protocolType: "connect" }));
    await r.ask("no protocols", joinGroup, joining({ protocols: [] }));
    await r.ask("needs an id", joinGroup, joining());
    const members = [{ memberId: "x" }, { memberId: "", groupInstanceId: "x" }];
    await r.ask("nobody", leaveGroup, { groupId: GROUP, members });
    await r.ask("removed", leaveGroup, { groupId: GROUP, members: [{ memberId: "b" }] });
    await this.look("removed");
    await this.beat("was removed", { memberId: "b", memberEpoch: 3 });
  }

  async staticMembers(): Promise<void> {
    const instanceId = "i";
    const { memberEpoch } = await this.beat("static", { ...join, memberId: "s1", instanceId });
    await this.beat("taken", { ...join, memberId: "s2", instanceId });
    await this.beat("fenced", { memberId: "s2", memberEpoch, instanceId });
    await this.beat("no such instance", { memberId: "s1", memberEpoch, instanceId: "j" });
    await this.beat("without its instance", { memberId: "s1", memberEpoch });
    await this.beat("leaves for a while", { memberId: "s1", memberEpoch: -2, instanceId });
    await this.look("awaited");
    await this.beat("returns", { ...join, memberId: "s2", instanceId });
    await this.look("returned");
    await this.beat("old id", { memberId: "s1", memberEpoch });
    await this.beat("leaves", { memberId: "s2", memberEpoch: -1, instanceId });
    await this.look("left");
  }

  async topicsChange(): Promise<void> {
    const { t } = this.ids;
    const more = { ...join, memberId: "c", subscribedTopicNames: ["t", "u", "none"] };
    await this.beat("leaves", { memberId: "a", memberEpoch: -1 });
    const { memberEpoch } = await this.beat("two topics", more);
    const first = await this.beat("alone", { ...more, memberEpoch, topicPartitions: [] });
    await this.look("alone");
    const topics = [{ name: "t", count: 5, assignments: null }];
    await this.r.one.request(createPartitions, { topics, timeoutMs: 10_000 });
    await this.settled("c", first.memberEpoch);
    const grown = await this.beat("grown", { ...more, memberEpoch: first.memberEpoch });
    await this.look("grown");
    const fewer = { memberId: "c", subscribedTopicNames: ["t"], topicPartitions: owns(t, 0) };
    await this.beat("fewer", { ...fewer, memberEpoch: grown.memberEpoch });
    await this.look("fewer");
    await this.beat("none", {
      memberId: "c",
      memberEpoch: grown.memberEpoch + 1,
      subscribedTopicNames: [],
    });
    await this.look("none");
    await this.beat("leaves", { memberId: "c", memberEpoch: -1 });
    await this.look("empty");
    const names = { groupsNames: [GROUP] };
    await this.r.ask("empty", deleteGroups, names, DELETE_GROUPS_VERSION);
    await this.look("deleted");
  }

  /** Waits until a change of topics has reached the coordinator. */
  async settled(memberId: string, memberEpoch: number): Promise<void> {
    for (let tries = 0; tries < 50; tries++) {
      const request = { groupId: this.groupId, memberId, memberEpoch };
      const response = await this.r.one.request(consumerGroupHeartbeat, request);
      if (response.memberEpoch !== memberEpoch) return;
      await Bun.sleep(100);
    }
  }

  async regexes(): Promise<void> {
    const regex = (subscribedTopicRegex: string) => ({
      ...join,
      subscribedTopicNames: null,
      subscribedTopicRegex,
    });
    const joined = await this.beat("by expression", { ...regex("[s-t]"), memberId: "r" });
    // Both resolve it in the background.
    await Bun.sleep(1_000);
    const { memberEpoch } = joined;
    const next = await this.beat("resolved", { ...regex("[s-t]"), memberId: "r", memberEpoch });
    await this.look("resolved");
    const bad = { memberId: "r", memberEpoch: next.memberEpoch, subscribedTopicRegex: "[" };
    await this.beat("bad expression", bad);
    await this.beat("second", { ...regex("[s-t]"), memberId: "q" });
    await this.look("second");
    await this.beat("leaves", { memberId: "r", memberEpoch: -1 });
    await this.beat("leaves", { memberId: "q", memberEpoch: -1 });
    await this.look("empty");
  }

  /** A classic group that becomes a consumer group, and a classic one again. */
  async migration(): Promise<void> {
    const { r, groupId } = this;
    const ask = joining({ groupId });
    const { memberId } = await r.ask("first", joinGroup, ask);
    await r.ask("with its id", joinGroup, { ...ask, memberId });
    const assignment = encodeVersioned(consumerProtocolAssignment, 3, {
      assignedPartitions: [{ topic: "t", partitions: [0, 1, 2, 3] }],
    });
    const sync = { groupId, memberId, protocolType: "consumer", protocolName: "range" };
    const assignments = [{ memberId, assignment }];
    await r.ask("leader", syncGroup, { ...sync, generationId: 1, assignments });
    await this.beat("new member", { ...join, memberId: "n" });
    await this.look("upgraded");
    await r.ask("classic member", heartbeat, { groupId, memberId, generationId: 1 });
    await r.ask("has to rejoin", syncGroup, { ...sync, generationId: 1 });
    const protocols = (
      owned: number[],
    ) => [{ name: "range", metadata: subscription(["t"], owned) }];
    const rejoin = { ...ask, memberId, protocols: protocols([0, 1, 2, 3]) };
    await r.ask("rejoins", joinGroup, rejoin);
    await this.look("gives up");
    await r.ask("gives up", syncGroup, { ...sync, generationId: 1 });
    await r.ask("gives up", heartbeat, { groupId, memberId, generationId: 1 });
    await r.ask("has given up", joinGroup, { ...ask, memberId, protocols: protocols([0, 1]) });
    await r.ask("has given up", syncGroup, { ...sync, generationId: 2 });
    await r.ask("other name", syncGroup, { ...sync, generationId: 2, protocolName: "x" });
    await r.ask("other generation", syncGroup, { ...sync, generationId: 9 });
    await this.beat("new member gets", { memberId: "n", memberEpoch: 2 });
    await this.look("shared");
    await this.beat("new member leaves", { memberId: "n", memberEpoch: -1 });
    await this.look("downgraded");
    await r.ask("downgraded", describeGroups, { groups: [groupId] });
    await r.ask("downgraded", heartbeat, { groupId, memberId, generationId: 2 });
    await r.ask("rejoins", joinGroup, { ...ask, memberId, protocols: protocols([0, 1]) });
    await r.ask("leaves", leaveGroup, { groupId, members: [{ memberId }] });
    await this.beat("empty classic group", { ...join, memberId: "n" });
    await this.look("converted");
    await this.beat("leaves", { memberId: "n", memberEpoch: -1 });
    await r.ask("empty consumer group", joinGroup, { ...ask });
    await this.look("converted back");
  }
}

/** Static members that change their protocol, and the assignor that members ask for. */
async function staticMigration(s: Scenario): Promise<void> {
  const { r, groupId } = s;
  const instanceId = "i";
  const groupInstanceId = instanceId;
  await s.beat("static", { ...join, memberId: "s", instanceId });
  await s.beat("other", { ...join, memberId: "o" });
  const protocols = [{ name: "range", metadata: subscription(["t"]) }];
  const taken = await r.ask(
    "takes its place",
    joinGroup,
    joining({
      groupId,
      groupInstanceId,
      protocols,
    }),
  );
  const { memberId, generationId } = taken;
  await s.look("mixed");
  const classic = { groupId, memberId, generationId, groupInstanceId };
  await r.ask("mixed", heartbeat, classic);
  await r.ask("old id", heartbeat, { ...classic, memberId: "s" });
  await r.ask("mixed", syncGroup, { ...classic, protocolType: "consumer", protocolName: "range" });
  await r.ask("known id", joinGroup, joining({ groupId, groupInstanceId, memberId, protocols }));
  await r.ask("fenced", joinGroup, joining({ groupId, groupInstanceId, memberId: "s", protocols }));
  await s.beat("other leaves", { memberId: "o", memberEpoch: -1 });
  await s.look("classic");
  await r.ask("classic", describeGroups, { groups: [groupId] });
  const members = [{ memberId: "", groupInstanceId }];
  await r.ask("leaves", leaveGroup, { groupId, members });
  await s.look("empty");
}

/** A group of one static member that comes back with the classic protocol. */
async function downgradeByReplacement(s: Scenario): Promise<void> {
  const { r, groupId } = s;
  const groupInstanceId = "i";
  await s.beat("static", { ...join, memberId: "s", instanceId: groupInstanceId });
  const protocols = [{ name: "range", metadata: subscription(["t"], [0, 1, 2, 3, 4]) }];
  const ask = joining({ groupId, groupInstanceId, protocols });
  const { memberId, generationId } = await r.ask("takes its place", joinGroup, ask);
  await s.look("downgraded");
  await r.ask("downgraded", describeGroups, { groups: [groupId] });
  const sync = { groupId, memberId, generationId, groupInstanceId, protocolType: "consumer" };
  await r.ask("downgraded", syncGroup, { ...sync, protocolName: "range" });
  await r.ask("leaves", leaveGroup, { groupId, members: [{ memberId: "", groupInstanceId }] });
}

async function assignors(s: Scenario): Promise<void> {
  const both = { ...join, subscribedTopicNames: ["t", "u"] };
  await s.beat("range", { ...both, memberId: "a", serverAssignor: "range" });
  await s.look("range");
  await s.beat("the same", { ...both, memberId: "b", serverAssignor: "range" });
  await s.look("the same");
  await s.beat("less", { ...join, memberId: "c", serverAssignor: "uniform" });
  await s.look("less");
  for (const memberId of ["a", "b", "c"]) await s.beat("leaves", { memberId, memberEpoch: -1 });
}

/** Makes the topics, waits for the coordinator, and has targets computed at once. */
async function prepare(r: Recorder): Promise<TopicIds> {
  const topic = (name: string, numPartitions: number) => ({
    name,
    numPartitions,
    replicationFactor: 1,
  });
  const topics = [topic("t", 4), topic("u", 1)];
  await r.one.request(createTopics, { timeoutMs: 10_000, topics });
  const configs = [{
    name: "group.consumer.assignment.interval.ms",
    configOperation: 0,
    value: "0",
  }];
  const resources = [{ resourceType: 4, resourceName: "", configs }];
  const altered = await r.one.request(incrementalAlterConfigs, { resources });
  r.record("no interval between targets", altered);
  for (let tries = 0; tries < 100; tries++) {
    await r.one.request(findCoordinator, { coordinatorKeys: [GROUP] });
    const beat = { groupId: GROUP, memberId: "x", memberEpoch: 1 };
    const answer = await r.one.request(consumerGroupHeartbeat, beat);
    if (answer.errorCode === Errors.GROUP_ID_NOT_FOUND) break;
    await Bun.sleep(200);
  }
  const described = await r.one.request(metadata, { topics: [{ name: "t" }, { name: "u" }] });
  const [t, u] = ["t", "u"].map((name) =>
    described.topics.find((each) => each.name === name)?.topicId ?? ""
  ) as [string, string];
  r.name(t, "topic t");
  r.name(u, "topic u");
  return { t, u };
}

export const transcript = (bootstrap: string) =>
  recordAnswers(bootstrap, async (r) => {
    const ids = await prepare(r);
    const scenario = new Scenario(r, ids);
    await scenario.badRequests();
    await scenario.reconciliation();
    await scenario.offsets();
    await scenario.classicRequests();
    await scenario.staticMembers();
    await scenario.topicsChange();
    await new Scenario(r, ids, "regexes").regexes();
    await new Scenario(r, ids, "migration").migration();
    await staticMigration(new Scenario(r, ids, "static"));
    await downgradeByReplacement(new Scenario(r, ids, "replacement"));
    await assignors(new Scenario(r, ids, "assignors"));
  });

export const consumerGroupSemantics: CompatSuite = {
  name: "consumer-group-semantics",
  needs: [needKafka],
  inSample: false,
  cases: [{
    name: "every answer about consumer groups is Apache Kafka 4.3.1's",
    run: () => expectSameAnswers(transcript),
  }],
};
