/** The group APIs in every version, from bytes to bytes, over a coordinator whose log is memory. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { MetadataImage } from "../../cluster/metadata-image.ts";
import type { MetadataRecord } from "../../cluster/metadata-records.ts";
import { Errors } from "../../core/errors.ts";
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  joinChunks,
} from "../../core/protocol/codec.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import { allowAll, ANONYMOUS, type Authorizer } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import { BrokerConfig } from "../config/broker-config.ts";
import { ClientActivity } from "../client-activity.ts";
import {
  ListLogger,
  ManualClock,
  MemoryLog,
  SeededRandom,
} from "../coordinator/coordinator.test-helper.ts";
import { subscription } from "../coordinator/group/group.test-helper.ts";
import type { GroupCoordinator } from "../coordinator/group/group-coordinator.ts";
import { startGroupCoordinator } from "../coordinator/group/start.ts";
import type { Handler } from "../handler.ts";
import { MetadataCache } from "../metadata-cache.ts";
import { accept } from "../outcome.ts";
import { requestContext } from "../request-context.ts";
import { GROUP_METADATA_TOPIC } from "../topic-names.ts";
import { offsetCommitHandler } from "./08-offset-commit.ts";
import { offsetFetchHandler } from "./09-offset-fetch.ts";
import { findCoordinatorHandler } from "./10-find-coordinator.ts";
import { joinGroupHandler } from "./11-join-group.ts";
import { heartbeatHandler } from "./12-heartbeat.ts";
import { leaveGroupHandler } from "./13-leave-group.ts";
import { syncGroupHandler } from "./14-sync-group.ts";
import { describeGroupsHandler } from "./15-describe-groups.ts";
import { listGroupsHandler } from "./16-list-groups.ts";
import { deleteGroupsHandler } from "./42-delete-groups.ts";
import { offsetDeleteHandler } from "./47-offset-delete.ts";

const T_ID = "BBBBBBBBBBBBBBBBBBBBBA";
const UNKNOWN_ID = "CCCCCCCCCCCCCCCCCCCCCA";
const address = { host: "127.0.0.1", port: 9092 };

class World {
  readonly clock = new ManualClock();
  readonly metadata = new MetadataCache(BrokerConfig.of(), 1);
  readonly logs = Array.from({ length: 50 }, () => new MemoryLog());
  readonly groups: GroupCoordinator;
  authorizer: Authorizer = allowAll;
  connection = new AbortController();
  readonly stopping = new AbortController();

  constructor() {
    this.apply([...topic("t", T_ID, 2)]);
    this.groups = startGroupCoordinator({
      io: { clock: this.clock, random: new SeededRandom(1) },
      logger: new ListLogger(),
      codecs: {},
      config: BrokerConfig.of(),
      metadata: this.metadata,
      changes: {
        ensureTopic: (name) => {
          if (this.metadata.topic(name) === undefined) {
            this.apply(topic(name, "DDDDDDDDDDDDDDDDDDDDDA", 50));
          }
          return Promise.resolve(accept(this.metadata.topic(name)!));
        },
      },
      partition: (name, index) => name === GROUP_METADATA_TOPIC ? this.logs[index]! : null,
    });
  }

  apply(records: readonly MetadataRecord[]): void {
    const { image, delta } = this.metadata.image.apply(records, this.metadata.image.position + 1);
    this.metadata.publish(image, delta);
  }

  /** Sends a request through its bytes and the handler; the answer through its own. */
  async call<A extends Api>(
    handler: Handler<A>,
    version: number,
    request: EncodableRequest<A>,
  ): Promise<ResponseOf<A>> {
    const { api } = handler;
    const bytes = joinChunks(encodeRequest(api, version, request));
    const decoded = decodeRequest(api, version, bytes);
    const context = requestContext(
      {
        id: 1,
        listener: { name: "PLAINTEXT", bound: address, advertised: null },
        localAddress: address,
        peerAddress: address,
        signal: this.connection.signal,
        principal: ANONYMOUS,
        clientSoftware: null,
        activity: new ClientActivity(0, 0),
        throttle: () => {},
        close: () => {},
      },
      { apiKey: api.key, apiVersion: version, correlationId: 1, clientId: "c" },
      this.authorizer,
    );
    const shareGroups = { beforeDelete: () => Promise.resolve(new Map()) };
    const services = { groups: this.groups, shareGroups, metadata: this.metadata, nodeId: 1 };
    const broker = { ...services, stopping: this.stopping.signal } as unknown as Broker;
    const handled = Promise.resolve(handler.handle(context, decoded, broker));
    await this.clock.advance(1);
    const response = await handled;
    if (response === null) throw new Error("no response");
    return decodeResponse(api, version, joinChunks(encodeResponse(api, version, response)));
  }
}

function topic(name: string, id: string, partitions: number): MetadataRecord[] {
  return [
    { type: "topic", version: 1, name, id },
    ...Array.from({ length: partitions }, (_, partition) => ({
      type: "partition" as const,
      version: 1 as const,
      topicId: id,
      partition,
      replicas: [1],
      isr: [1],
      leader: 1,
      leaderEpoch: 0,
      partitionEpoch: 0,
    })),
  ];
}

let world: World;
beforeEach(() => void (world = new World()));
afterEach(() => world.groups.close());

const versions = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Joins a group of one with these versions; its member id. */
async function member(groupId = "g", joinVersion = 9, syncVersion = 5): Promise<string> {
  await world.call(findCoordinatorHandler, 4, { coordinatorKeys: [groupId] });
  const request = {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: joinVersion > 0 ? 20_000 : -1,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: subscription("t") }],
  };
  let joined = await world.call(joinGroupHandler, joinVersion, request);
  if (joinVersion >= 4) {
    expect(joined).toMatchObject({ errorCode: Errors.MEMBER_ID_REQUIRED, generationId: -1 });
    const { memberId } = joined;
    joined = await world.call(joinGroupHandler, joinVersion, { ...request, memberId });
  }
  expect(joined).toMatchObject({ errorCode: 0, generationId: 1, protocolName: "range" });
  expect(joined.members.length).toBe(1);
  const { memberId } = joined;
  const named = syncVersion >= 5 ? { protocolType: "consumer", protocolName: "range" } : {};
  const synced = await world.call(syncGroupHandler, syncVersion, {
    groupId,
    generationId: 1,
    memberId,
    assignments: [{ memberId, assignment: Uint8Array.of(1, 2) }],
    ...named,
  });
  expect(synced.errorCode).toBe(0);
  expect([...synced.assignment]).toEqual([1, 2]);
  return memberId;
}

test("FindCoordinator creates the topic and names this broker, in every version", async () => {
  for (const version of versions(0, 6)) {
    const request = version < 4 ? { key: "g" } : { coordinatorKeys: ["g", "h"] };
    const response = await world.call(findCoordinatorHandler, version, request);
    const found = version < 4 ? [response] : response.coordinators;
    expect(found.length).toBe(version < 4 ? 1 : 2);
    for (const each of found) {
      expect(each).toMatchObject({ errorCode: 0, nodeId: 1, host: "127.0.0.1", port: 9092 });
    }
  }
});

test("a group of one lives through every version of its APIs", async () => {
  for (const version of versions(0, 9)) {
    const groupId = `g${version}`;
    const memberId = await member(groupId, version, Math.min(version, 5));
    const beat = { groupId, generationId: 1, memberId };
    const heartbeat = await world.call(heartbeatHandler, Math.min(version, 4), beat);
    expect(heartbeat.errorCode).toBe(0);
    const leaveVersion = Math.min(version, 5);
    const leaving = leaveVersion < 3 ? { memberId } : { members: [{ memberId }] };
    const left = await world.call(leaveGroupHandler, leaveVersion, { groupId, ...leaving });
    expect(left).toMatchObject({ errorCode: 0 });
    expect(left.members.map((each) => each.errorCode)).toEqual(leaveVersion < 3 ? [] : [0]);
    const again = await world.call(leaveGroupHandler, leaveVersion, { groupId, ...leaving });
    const codes = leaveVersion < 3
      ? [again.errorCode]
      : again.members.map((each) => each.errorCode);
    expect(codes).toEqual([Errors.UNKNOWN_MEMBER_ID]);
  }
});

test("offsets are committed and fetched in every version", async () => {
  await world.call(findCoordinatorHandler, 4, { coordinatorKeys: ["g"] });
  for (const version of versions(2, 10)) {
    const named = (name: string, topicId: string) => version < 10 ? { name } : { topicId };
    const partition = (partitionIndex: number) => ({
      partitionIndex,
      committedOffset: BigInt(version),
      committedMetadata: `v${version}`,
    });
    const committed = await world.call(offsetCommitHandler, version, {
      groupId: "g",
      topics: [
        { ...named("nope", UNKNOWN_ID), partitions: [partition(0)] },
        { ...named("t", T_ID), partitions: [partition(0), partition(9), partition(1)] },
      ],
    });
    const unknown = version < 10 ? Errors.UNKNOWN_TOPIC_OR_PARTITION : Errors.UNKNOWN_TOPIC_ID;
    const codes = committed.topics.map(({ partitions }) =>
      partitions.map((each) => each.errorCode)
    );
    expect(codes).toEqual([[unknown], [0, Errors.UNKNOWN_TOPIC_OR_PARTITION, 0]]);
  }
  for (const version of versions(1, 10)) {
    const named = version < 10 ? { name: "t" } : { topicId: T_ID };
    const topics = [{ ...named, partitionIndexes: [1, 7] }];
    const one = { groupId: "g", topics };
    const request = version < 8
      ? { groupId: "g", topics }
      : { groups: [one, { groupId: "h", topics: null }] };
    const response = await world.call(offsetFetchHandler, version, request);
    const found = version < 8 ? response.topics : response.groups[0]!.topics;
    expect(found[0]).toMatchObject(named);
    expect(found[0]!.partitions).toMatchObject([
      { partitionIndex: 1, committedOffset: 10n, metadata: "v10", errorCode: 0 },
      { partitionIndex: 7, committedOffset: -1n, metadata: "", errorCode: 0 },
    ]);
    if (version >= 8) expect(response.groups[1]).toMatchObject({ errorCode: 0, topics: [] });
  }
  for (const version of versions(2, 10)) {
    const request = version < 8
      ? { groupId: "g", topics: null }
      : { groups: [{ groupId: "g", topics: null }] };
    const response = await world.call(offsetFetchHandler, version, request);
    const found = version < 8 ? response.topics : response.groups[0]!.topics;
    expect(found.map((each) => each.partitions.length)).toEqual([2]);
  }
});

test("an unknown topic id is an error of its partitions", async () => {
  await world.call(findCoordinatorHandler, 4, { coordinatorKeys: ["g"] });
  const topics = [{ topicId: UNKNOWN_ID, partitionIndexes: [0] }];
  const response = await world.call(offsetFetchHandler, 10, { groups: [{ groupId: "g", topics }] });
  expect(response.groups[0]!.topics[0]).toMatchObject({
    topicId: UNKNOWN_ID,
    partitions: [{ errorCode: Errors.UNKNOWN_TOPIC_ID, committedOffset: -1n }],
  });
});

test("groups are described, listed and deleted in every version", async () => {
  const memberId = await member();
  for (const version of versions(0, 6)) {
    const { groups } = await world.call(describeGroupsHandler, version, {
      groups: ["g", "nope"],
      includeAuthorizedOperations: version >= 3,
    });
    expect(groups[0]).toMatchObject({ groupState: "Stable", protocolType: "consumer" });
    expect(groups[0]).toMatchObject({ protocolData: "range", errorCode: 0 });
    expect(groups[0]!.members).toMatchObject([{
      memberId,
      clientId: "c",
      clientHost: "/127.0.0.1",
    }]);
    expect(groups[0]!.authorizedOperations === -2147483648).toBe(version < 3);
    expect(groups[1]).toMatchObject({
      groupState: "Dead",
      errorCode: version < 6 ? 0 : Errors.GROUP_ID_NOT_FOUND,
    });
  }
  for (const version of versions(0, 5)) {
    const { groups } = await world.call(listGroupsHandler, version, {});
    expect(groups.map((each) => each.groupId)).toEqual(["g"]);
  }
  const listed = async (filters: { statesFilter?: string[]; typesFilter?: string[] }) =>
    (await world.call(listGroupsHandler, 5, filters)).groups.length;
  expect(await listed({ statesFilter: ["sTABLE"] })).toBe(1);
  expect(await listed({ statesFilter: ["Empty"] })).toBe(0);
  expect(await listed({ typesFilter: ["Classic"] })).toBe(1);
  expect(await listed({ typesFilter: ["consumer"] })).toBe(0);
  for (const version of versions(0, 3)) {
    const { results } = await world.call(deleteGroupsHandler, version, {
      groupsNames: ["g", "nope"],
    });
    expect(results.map((each) => each.errorCode))
      .toEqual([Errors.NON_EMPTY_GROUP, Errors.GROUP_ID_NOT_FOUND]);
  }
  await world.call(leaveGroupHandler, 5, { groupId: "g", members: [{ memberId }] });
  const { results } = await world.call(deleteGroupsHandler, 3, { groupsNames: ["g"] });
  expect(results[0]!.errorCode).toBe(0);
});

test("offsets are deleted by partition", async () => {
  await world.call(findCoordinatorHandler, 4, { coordinatorKeys: ["g"] });
  const request = {
    groupId: "g",
    topics: [
      { name: "nope", partitions: [{ partitionIndex: 0 }] },
      { name: "t", partitions: [{ partitionIndex: 5 }, { partitionIndex: 0 }] },
    ],
  };
  const missing = await world.call(offsetDeleteHandler, 0, request);
  expect(missing.errorCode).toBe(Errors.GROUP_ID_NOT_FOUND);
  await world.call(offsetCommitHandler, 9, {
    groupId: "g",
    topics: [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset: 1n }] }],
  });
  const response = await world.call(offsetDeleteHandler, 0, request);
  const codes = response.topics.map(({ partitions }) => partitions.map((each) => each.errorCode));
  expect(codes).toEqual([
    [Errors.UNKNOWN_TOPIC_OR_PARTITION],
    [Errors.UNKNOWN_TOPIC_OR_PARTITION, 0],
  ]);
});

test("a topic that is named twice is answered once where a partition of it is refused", async () => {
  const named = (...indexes: number[]) =>
    indexes.map((partitionIndex) => ({
      name: "t",
      partitions: [{ partitionIndex, committedOffset: 1n }],
    }));
  type Codes = readonly { readonly partitionIndex: number; readonly errorCode: number }[];
  const answer = (topics: readonly { readonly partitions: Codes }[]) =>
    topics.map(({ partitions }) => partitions.map((each) => [each.partitionIndex, each.errorCode]));
  const commit = async (...indexes: number[]) =>
    answer(
      (await world.call(offsetCommitHandler, 9, { groupId: "g", topics: named(...indexes) }))
        .topics,
    );
  const remove = async (...indexes: number[]) =>
    answer(
      (await world.call(offsetDeleteHandler, 0, { groupId: "g", topics: named(...indexes) }))
        .topics,
    );
  const gathered = [[[0, Errors.NONE], [5, Errors.UNKNOWN_TOPIC_OR_PARTITION]]];
  const apart = [[[0, Errors.NONE]], [[1, Errors.NONE]]];
  await world.call(findCoordinatorHandler, 4, { coordinatorKeys: ["g"] });
  expect(await commit(0, 5)).toEqual(gathered);
  expect(await commit(0, 1)).toEqual(apart);
  expect(await remove(0, 5)).toEqual(gathered);
  expect(await remove(0, 1)).toEqual(apart);
});

test("bounds and ids that are refused before the group is looked at", async () => {
  await world.call(findCoordinatorHandler, 4, { coordinatorKeys: ["g"] });
  const join = async (groupId: string, sessionTimeoutMs: number) =>
    (await world.call(joinGroupHandler, 9, {
      groupId,
      sessionTimeoutMs,
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: new Uint8Array(0) }],
    })).errorCode;
  expect(await join("", 10_000)).toBe(Errors.INVALID_GROUP_ID);
  expect(await join("g", 5_999)).toBe(Errors.INVALID_SESSION_TIMEOUT);
  expect(await join("g", 1_800_001)).toBe(Errors.INVALID_SESSION_TIMEOUT);
  expect(await join("g", 6_000)).toBe(Errors.MEMBER_ID_REQUIRED);
  const beat = { groupId: "", memberId: "x", generationId: 1 };
  expect((await world.call(heartbeatHandler, 4, beat)).errorCode).toBe(Errors.INVALID_GROUP_ID);
  expect((await world.call(syncGroupHandler, 5, beat)).errorCode)
    .toBe(Errors.INCONSISTENT_GROUP_PROTOCOL);
});

test("without rights every group and topic is refused on its own", async () => {
  const memberId = await member();
  world.authorizer = { authorize: (_who, _peer, { name }) => name !== "g" && name !== "t" };
  const fetched = await world.call(offsetFetchHandler, 9, {
    groups: [
      { groupId: "g", topics: null },
      { groupId: "h", topics: [{ name: "t", partitionIndexes: [0] }] },
    ],
  });
  expect(fetched.groups[0]!.errorCode).toBe(Errors.GROUP_AUTHORIZATION_FAILED);
  expect(fetched.groups[1]!.topics[0]!.partitions[0]!.errorCode)
    .toBe(Errors.TOPIC_AUTHORIZATION_FAILED);
  const described = await world.call(describeGroupsHandler, 6, { groups: ["g"] });
  expect(described.groups[0]!.errorCode).toBe(Errors.GROUP_AUTHORIZATION_FAILED);
  const found = await world.call(findCoordinatorHandler, 3, { key: "g" });
  expect(found.errorCode).toBe(Errors.GROUP_AUTHORIZATION_FAILED);
  const deleted = await world.call(deleteGroupsHandler, 3, { groupsNames: ["g"] });
  expect(deleted.results[0]!.errorCode).toBe(Errors.GROUP_AUTHORIZATION_FAILED);
  const committed = await world.call(offsetCommitHandler, 9, {
    groupId: "h",
    topics: [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset: 1n }] }],
  });
  expect(committed.topics[0]!.partitions[0]!.errorCode).toBe(Errors.TOPIC_AUTHORIZATION_FAILED);
  expect(memberId).not.toBe("");
});

test("a deleted topic takes its offsets along", async () => {
  await world.call(findCoordinatorHandler, 4, { coordinatorKeys: ["g"] });
  await world.call(offsetCommitHandler, 10, {
    groupId: "g",
    topics: [{ topicId: T_ID, partitions: [{ partitionIndex: 0, committedOffset: 1n }] }],
  });
  world.apply([{ type: "remove-topic", version: 1, id: T_ID }]);
  world.apply([...topic("t", UNKNOWN_ID, 2)]);
  const all = { groups: [{ groupId: "g", topics: null }] };
  expect((await world.call(offsetFetchHandler, 9, all)).groups[0]!.topics).toEqual([]);
});

test("a parked join ends with its connection and with the broker", async () => {
  await member();
  for (const end of [world.connection, world.stopping]) {
    const pending = world.call(joinGroupHandler, 3, {
      groupId: "g",
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 20_000,
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: subscription("t") }],
    });
    await world.clock.advance(1);
    end.abort();
    expect((await pending).errorCode).toBe(Errors.COORDINATOR_NOT_AVAILABLE);
    world.connection = new AbortController();
  }
});

test("the image of the cluster before any topic has no groups", async () => {
  expect(MetadataImage.EMPTY.topics.get(GROUP_METADATA_TOPIC)).toBeUndefined();
  expect((await world.call(listGroupsHandler, 5, {})).groups).toEqual([]);
  const beat = { groupId: "g", memberId: "x", generationId: 1 };
  expect((await world.call(heartbeatHandler, 4, beat)).errorCode).toBe(Errors.NOT_COORDINATOR);
});
