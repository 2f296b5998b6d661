/**
 * Share groups (KIP-932): the same requests to Apache Kafka and to our broker, codes and acquired
 * records compared. Epochs and moments of assignment are ours (see docs/deviations.md), so they are
 * waited for and not compared.
 */
import { Errors } from "../../../core/errors.ts";
import { produce } from "../../../core/protocol/00-produce.ts";
import { metadata } from "../../../core/protocol/03-metadata.ts";
import { findCoordinator } from "../../../core/protocol/10-find-coordinator.ts";
import { createTopics } from "../../../core/protocol/19-create-topics.ts";
import { deleteGroups } from "../../../core/protocol/42-delete-groups.ts";
import { shareGroupHeartbeat } from "../../../core/protocol/76-share-group-heartbeat.ts";
import { shareGroupDescribe } from "../../../core/protocol/77-share-group-describe.ts";
import { shareFetch } from "../../../core/protocol/78-share-fetch.ts";
import { shareAcknowledge } from "../../../core/protocol/79-share-acknowledge.ts";
import { initializeShareGroupState } from "../../../core/protocol/83-initialize-share-group-state.ts";
import { readShareGroupState } from "../../../core/protocol/84-read-share-group-state.ts";
import { writeShareGroupState } from "../../../core/protocol/85-write-share-group-state.ts";
import { deleteShareGroupState } from "../../../core/protocol/86-delete-share-group-state.ts";
import { readShareGroupStateSummary } from "../../../core/protocol/87-read-share-group-state-summary.ts";
import { describeShareGroupOffsets } from "../../../core/protocol/90-describe-share-group-offsets.ts";
import { alterShareGroupOffsets } from "../../../core/protocol/91-alter-share-group-offsets.ts";
import { deleteShareGroupOffsets } from "../../../core/protocol/92-delete-share-group-offsets.ts";
import type { EncodableRequest } from "../../../core/protocol/schema.ts";
import { BatchBuilder } from "../../../core/records/batch-builder.ts";
import { needKafka } from "../install.ts";
import { expectSameAnswers, recordAnswers, type Recorder } from "../recorder.ts";
import type { CompatSuite } from "../suite.ts";

const GROUP = "semantics";
const UNKNOWN_ID = "BBBBBBBBBBBBBBBBBBBBBA";
/** Kafka 4.3's last version where ours has a later one. */
const DELETE_GROUPS_VERSION = 2;

type Beat = EncodableRequest<typeof shareGroupHeartbeat>;
type Fetch = EncodableRequest<typeof shareFetch>;
type Acknowledge = EncodableRequest<typeof shareAcknowledge>;

const acks = (firstOffset: number, lastOffset: number, ...acknowledgeTypes: number[]) => ({
  partitionIndex: 0,
  acknowledgementBatches: [{
    firstOffset: BigInt(firstOffset),
    lastOffset: BigInt(lastOffset),
    acknowledgeTypes,
  }],
});

/** One transcript. */
class Scenario {
  constructor(readonly r: Recorder, readonly topicId: string) {}

  async beat(what: string, request: Beat): Promise<void> {
    const full = { groupId: GROUP, memberId: "a", ...request };
    const { errorCode } = await this.r.one.request(shareGroupHeartbeat, full);
    this.r.record(`heartbeat: ${what}`, { errorCode });
  }

  /** Joins, and waits until the member has the partition. */
  async join(memberId: string): Promise<void> {
    const names = { subscribedTopicNames: ["t"] };
    let request: Beat = { groupId: GROUP, memberId, memberEpoch: 0, ...names };
    for (let tries = 0; tries < 100; tries++) {
      const answer = await this.r.one.request(shareGroupHeartbeat, request);
      if ((answer.assignment?.topicPartitions.length ?? 0) > 0) return;
      if (answer.errorCode === Errors.NONE) {
        request = { groupId: GROUP, memberId, memberEpoch: answer.memberEpoch, ...names };
      }
      await Bun.sleep(100);
    }
    throw new Error(`${memberId} gets no partition`);
  }

  async fetch(what: string, request: Fetch, connection = this.r.one) {
    const { topicId } = this;
    const response = await connection.request(shareFetch, {
      groupId: GROUP,
      memberId: "a",
      shareSessionEpoch: 0,
      // It is answered as soon as there are records; a busy machine takes its time to load them.
      maxWaitMs: 10_000,
      minBytes: 1,
      maxBytes: 100_000,
      maxRecords: 100,
      batchSize: 100,
      topics: [{ topicId, partitions: [{ partitionIndex: 0 }] }],
      ...request,
    });
    this.r.record(`fetch: ${what}`, {
      errorCode: response.errorCode,
      partitions: response.responses.flatMap(({ partitions }) =>
        partitions.map(({ partitionIndex, errorCode, acknowledgeErrorCode, acquiredRecords }) => ({
          partitionIndex,
          errorCode,
          acknowledgeErrorCode,
          acquiredRecords,
        }))
      ),
    });
  }

  async acknowledge(what: string, request: Acknowledge, connection = this.r.one) {
    const response = await connection.request(shareAcknowledge, {
      groupId: GROUP,
      memberId: "a",
      topics: [],
      ...request,
    });
    this.r.record(`acknowledge: ${what}`, {
      errorCode: response.errorCode,
      partitions: response.responses.flatMap(({ partitions }) =>
        partitions.map(({ partitionIndex, errorCode }) => ({ partitionIndex, errorCode }))
      ),
    });
  }

  /** Says something about records of the topic, in the session's epoch. */
  async say(what: string, shareSessionEpoch: number, ...partitions: object[]): Promise<void> {
    const topics = [{ topicId: this.topicId, partitions }];
    await this.acknowledge(what, { shareSessionEpoch, topics });
  }

  async badHeartbeats(): Promise<void> {
    const names = { subscribedTopicNames: ["t"] };
    const rows: [string, Beat][] = [
      ["no member id", { memberId: "", memberEpoch: 0, ...names }],
      ["no group id", { groupId: "", memberEpoch: 0, ...names }],
      ["blank rack", { memberEpoch: 0, rackId: "", ...names }],
      ["no topics", { memberEpoch: 0 }],
      ["empty topics", { memberEpoch: 0, subscribedTopicNames: [] }],
      ["epoch -2", { memberEpoch: -2 }],
      ["no group", { memberEpoch: 1 }],
      ["leave no group", { memberEpoch: -1 }],
    ];
    for (const [what, request] of rows) await this.beat(what, request);
    const groupIds = [GROUP, ""];
    const { groups } = await this.r.one.request(shareGroupDescribe, { groupIds });
    this.r.record("describe nothing", groups.map(({ errorCode }) => ({ errorCode })));
  }

  async membership(): Promise<void> {
    await this.beat("unknown member", { memberId: "z", memberEpoch: 1 });
    await this.beat("leave as nobody", { memberId: "z", memberEpoch: -1 });
    await this.beat("epoch of the future", { memberEpoch: 99 });
    await this.beat("join again", { memberEpoch: 0, subscribedTopicNames: ["t"] });
    const { groups } = await this.r.one.request(shareGroupDescribe, { groupIds: [GROUP] });
    this.r.record(
      "describe",
      groups.map(({ errorCode, groupState, assignorName, members }) => ({
        errorCode,
        groupState,
        assignorName,
        members: members.map(({ memberId, subscribedTopicNames, assignment }) => ({
          memberId,
          subscribedTopicNames,
          assignment,
        })),
      })),
    );
  }

  async fetching(): Promise<void> {
    const { topicId } = this;
    const at = (topic: string, ...partitions: object[]) => ({
      topics: [{ topicId: topic, partitions }],
    });
    await this.fetch("no group", { groupId: null });
    await this.fetch("no member", { memberId: null });
    await this.fetch("long member", { memberId: "x".repeat(37) });
    await this.fetch("no session", { shareSessionEpoch: 1 });
    await this.fetch("final without session", { shareSessionEpoch: -1 });
    await this.fetch("acknowledging at once", at(topicId, acks(0, 0, 1)));
    await this.fetch("the first", {});
    await this.fetch("wrong epoch", { shareSessionEpoch: 7 });
    await this.fetch("nothing new", { shareSessionEpoch: 1, maxWaitMs: 10, topics: [] });
    await this.fetch("renewing with bounds", { shareSessionEpoch: 2, isRenewAck: true });
    await this.fetch("another session", { memberId: "b", maxWaitMs: 10 }, this.r.two);
  }

  async acknowledging(): Promise<void> {
    const { topicId } = this;
    await this.fetch("afresh", { maxWaitMs: 10 });
    await this.acknowledge("no group", { groupId: null, shareSessionEpoch: 1 });
    await this.acknowledge("no member", { memberId: "", shareSessionEpoch: 1 });
    await this.acknowledge("initial epoch", { shareSessionEpoch: 0 });
    await this.acknowledge("no session", { memberId: "z", shareSessionEpoch: 1 });
    await this.acknowledge("wrong epoch", { shareSessionEpoch: 9 });
    let epoch = 1;
    await this.say("offsets the wrong way", epoch++, acks(2, 1, 1));
    await this.say("no types", epoch++, acks(0, 1));
    await this.say("too few types", epoch++, acks(0, 2, 1, 1));
    await this.say("unknown type", epoch++, acks(0, 0, 5));
    await this.say("negative type", epoch++, acks(0, 0, -1));
    await this.say("past the end", epoch++, acks(4, 9, 1));
    await this.say("beyond the end", epoch++, acks(50, 51, 1));
    await this.say("no such partition", epoch++, { ...acks(0, 0, 1), partitionIndex: 7 });
    await this.say("renew silently", epoch++, acks(0, 0, 4));
    const unknown = [{ topicId: UNKNOWN_ID, partitions: [acks(0, 0, 1)] }];
    await this.acknowledge("no such topic", { shareSessionEpoch: epoch++, topics: unknown });
    const theirs = [{ topicId, partitions: [acks(0, 1, 1)] }];
    await this.acknowledge(
      "of another member",
      { memberId: "b", shareSessionEpoch: 1, topics: theirs },
      this.r.two,
    );
    await this.say("some of each", epoch++, acks(0, 4, 1, 2, 3, 0, 1));
    await this.say("twice", epoch++, acks(0, 0, 1));
    await this.fetch("what was released", { shareSessionEpoch: epoch++ });
    await this.say("done", epoch++, acks(1, 1, 1));
    await this.say("close", -1);
    await this.acknowledge("closed", { shareSessionEpoch: epoch });
  }

  async offsets(): Promise<void> {
    const { topicId, r } = this;
    const alter = async (what: string, groupId: string, topicName: string, partition: number) => {
      const topics = [{
        topicName,
        partitions: [{ partitionIndex: partition, startOffset: 2n }],
      }];
      const response = await r.one.request(alterShareGroupOffsets, { groupId, topics });
      const codes = response.responses.flatMap(({ partitions }) =>
        partitions.map(({ errorCode }) => ({ errorCode }))
      );
      r.record(`alter: ${what}`, { errorCode: response.errorCode, codes });
    };
    const remove = async (what: string, groupId: string, topicName: string) => {
      const request = { groupId, topics: [{ topicName }] };
      const response = await r.one.request(deleteShareGroupOffsets, request);
      const codes = response.responses.map(({ errorCode }) => ({ errorCode }));
      r.record(`delete offsets: ${what}`, { errorCode: response.errorCode, codes });
    };
    const drop = (what: string) =>
      r.ask(what, deleteGroups, { groupsNames: [GROUP] }, DELETE_GROUPS_VERSION);
    await alter("not empty", GROUP, "t", 0);
    await remove("not empty", GROUP, "t");
    await drop("not empty");
    for (const memberId of ["a", "b"]) {
      await this.beat(`${memberId} leaves`, { memberId, memberEpoch: -1 });
    }
    await alter("no group id", "", "t", 0);
    await alter("no such topic", GROUP, "none", 0);
    await alter("no such partition", GROUP, "t", 7);
    await alter("empty", GROUP, "t", 0);
    const topics = [{ topicName: "t", partitions: [0] }, { topicName: "none", partitions: [0] }];
    const described = await r.one.request(describeShareGroupOffsets, {
      groups: [{ groupId: GROUP, topics }, { groupId: "nobody", topics: null }],
    });
    r.record("describe offsets", described.groups);
    await remove("no group id", "", "t");
    await remove("no such group", "nobody", "t");
    await remove("no such topic", GROUP, "none");
    await remove("empty", GROUP, "t");
    await remove("again", GROUP, "t");
    await drop("empty");
    await drop("again");
    await this.#states(topicId);
  }

  /** The APIs between brokers. */
  async #states(topicId: string): Promise<void> {
    const { r } = this;
    const ask = (partition: number, id = topicId) => ({
      groupId: "states",
      topics: [{ topicId: id, partitions: [{ partition, leaderEpoch: 0 }] }],
    });
    const begin = (partition: number, stateEpoch: number, id = topicId) => ({
      groupId: "states",
      topics: [{ topicId: id, partitions: [{ partition, stateEpoch, startOffset: 0n }] }],
    });
    const write = (stateEpoch: number, leaderEpoch: number) => ({
      groupId: "states",
      topics: [{
        topicId,
        partitions: [{
          partition: 0,
          stateEpoch,
          leaderEpoch,
          startOffset: 1n,
          deliveryCompleteCount: 2,
          stateBatches: [{ firstOffset: 3n, lastOffset: 4n, deliveryState: 2, deliveryCount: 1 }],
        }],
      }],
    });
    await r.ask("read nothing", readShareGroupState, ask(0));
    await r.ask("write nothing", writeShareGroupState, write(0, 0));
    await r.ask("summary of nothing", readShareGroupStateSummary, ask(0));
    await r.ask("delete nothing", deleteShareGroupState, ask(0));
    await r.ask("no such topic", initializeShareGroupState, begin(0, 1, UNKNOWN_ID));
    await r.ask("no such partition", initializeShareGroupState, begin(9, 1));
    await r.ask("initialize", initializeShareGroupState, begin(0, 1));
    await r.ask("stale initialization", initializeShareGroupState, begin(0, 0));
    await r.ask("write", writeShareGroupState, write(1, 3));
    await r.ask("stale leader", writeShareGroupState, write(1, 2));
    await r.ask("stale state", writeShareGroupState, write(0, 3));
    await r.ask("stale reader", readShareGroupState, ask(0));
    await r.ask("summary", readShareGroupStateSummary, ask(0));
    await r.ask("delete", deleteShareGroupState, ask(0));
    await r.ask("deleted", readShareGroupStateSummary, ask(0));
  }
}

/** Makes the topic with records in it, and a group that begins with the first. */
async function prepare(r: Recorder): Promise<string> {
  const topics = [{ name: "t", numPartitions: 1, replicationFactor: 1 }];
  await r.one.request(createTopics, { timeoutMs: 10_000, topics });
  const described = await r.one.request(metadata, { topics: [{ name: "t" }] });
  const topicId = described.topics[0]?.topicId ?? "";
  r.name(topicId, "topic t");
  const builder = new BatchBuilder();
  for (let i = 0; i < 5; i++) builder.append(0, null, Uint8Array.of(i));
  await r.one.request(produce, {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: "t", partitionData: [{ index: 0, records: builder.build() }] }],
  }, { maxVersion: 12 });
  for (let tries = 0; tries < 100; tries++) {
    await r.one.request(findCoordinator, { coordinatorKeys: [GROUP] });
    const answer = await r.one.request(shareGroupHeartbeat, {
      groupId: GROUP,
      memberId: "x",
      memberEpoch: 1,
    });
    if (answer.errorCode === Errors.GROUP_ID_NOT_FOUND) break;
    await Bun.sleep(200);
  }
  return topicId;
}

async function beginAtFirst(r: Recorder): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    const altered = await r.one.request(alterShareGroupOffsets, {
      groupId: GROUP,
      topics: [{ topicName: "t", partitions: [{ partitionIndex: 0, startOffset: 0n }] }],
    });
    if (altered.responses[0]?.partitions[0]?.errorCode === Errors.NONE) return;
    await Bun.sleep(200);
  }
  throw new Error("the start offset cannot be set");
}

const transcript = (bootstrap: string) =>
  recordAnswers(bootstrap, async (r) => {
    const scenario = new Scenario(r, await prepare(r));
    await scenario.badHeartbeats();
    await beginAtFirst(r);
    await scenario.join("a");
    await scenario.membership();
    await scenario.fetching();
    await scenario.acknowledging();
    await scenario.join("b");
    await scenario.offsets();
  });

export const shareGroupSemantics: CompatSuite = {
  name: "share-group-semantics",
  needs: [needKafka],
  inSample: false,
  cases: [{
    name: "codes and acquired records of share groups are Apache Kafka 4.3.1's",
    run: () => expectSameAnswers(transcript),
  }],
};
