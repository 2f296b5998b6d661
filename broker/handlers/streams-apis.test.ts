/** The APIs of streams groups (KIP-1071) through a whole broker, over real sockets. */
import { afterEach, expect, test } from "bun:test";
import { errorName, Errors } from "../../core/errors.ts";
import { metadata } from "../../core/protocol/03-metadata.ts";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import { apiVersions } from "../../core/protocol/18-api-versions.ts";
import { describeConfigs } from "../../core/protocol/32-describe-configs.ts";
import { incrementalAlterConfigs } from "../../core/protocol/44-incremental-alter-configs.ts";
import { streamsGroupHeartbeat } from "../../core/protocol/88-streams-group-heartbeat.ts";
import { streamsGroupDescribe } from "../../core/protocol/89-streams-group-describe.ts";
import { streamsGroupTopologyDescriptionUpdate } from "../../core/protocol/93-streams-group-topology-description-update.ts";
import type { EncodableRequest } from "../../core/protocol/schema.ts";
import type { ResourceOperation } from "../authorizer.ts";
import { BrokerConfig } from "../config/broker-config.ts";
import {
  internalTopic,
  subtopology,
  WORD_COUNT,
} from "../coordinator/group/streams/streams.test-helper.ts";
import { DataTest } from "./data-path.test-helper.ts";

type Beat = EncodableRequest<typeof streamsGroupHeartbeat>;

const MISSING_INTERNAL_TOPICS = 3;
const GROUP_RESOURCE = 32;
const TOPIC_RESOURCE = 2;

let t: DataTest;
/** What the sender may not do. */
let denied: (wanted: ResourceOperation) => boolean = () => false;

async function start(config: Parameters<typeof BrokerConfig.of>[0] = {}): Promise<void> {
  denied = () => false;
  t = await DataTest.start([], {
    config: BrokerConfig.of({
      "group.streams.initial.rebalance.delay.ms": "0",
      "group.streams.assignment.interval.ms": "0",
      ...config,
    }),
    authorizer: { authorize: (_who, _peer, wanted) => !denied(wanted) },
  });
  await t.createTopic("t", { partitions: 2 });
  await t.connection.request(findCoordinator, { coordinatorKeys: ["g"] });
}
afterEach(() => t.stop());

const tasks = { activeTasks: [], standbyTasks: [], warmupTasks: [] };
const join: Beat = {
  memberId: "m",
  memberEpoch: 0,
  rebalanceTimeoutMs: 60_000,
  processId: "p",
  topology: WORD_COUNT,
  ...tasks,
};

const beat = (request: Beat, version = 1) =>
  t.connection.request(streamsGroupHeartbeat, { groupId: "g", ...request }, {
    maxVersion: version,
  });

const describe = async (groupId: string, version = 1) => {
  const request = { groupIds: [groupId], includeTopologyDescription: version > 0 };
  const response = await t.connection.request(
    streamsGroupDescribe,
    { ...request, includeAuthorizedOperations: true },
    { maxVersion: version },
  );
  return response.groups[0]!;
};

test("a member gets its tasks once the broker has made the topics, in both versions", async () => {
  await start();
  for (const version of [0, 1]) {
    const groupId = `g${version}`;
    const joined = await beat({ ...join, groupId }, version);
    expect(joined).toMatchObject({ errorCode: 0, memberEpoch: 2, heartbeatIntervalMs: 5_000 });
    expect(joined.topologyDescriptionRequired).toBe(false);
    expect(joined.acceptableRecoveryLag).toBe(-1n);
    const codes = joined.status?.map((each) => each.statusCode);
    expect(codes).toEqual(version === 0 ? [MISSING_INTERNAL_TOPICS] : []);
    const { memberEpoch } = joined;
    const next = version === 0 ? await beat({ groupId, memberId: "m", memberEpoch }) : joined;
    expect(next.activeTasks).toEqual([
      { subtopologyId: "0", partitions: [0, 1] },
      { subtopologyId: "1", partitions: [0, 1] },
    ]);
    const group = await describe(groupId, version);
    expect(group).toMatchObject({ groupState: "Stable", groupEpoch: next.memberEpoch });
    expect(group.assignorName).toBe(version === 0 ? null : "sticky");
    expect(group.topologyDescriptionStatus).toBe(version);
    expect(group.authorizedOperations).toBeGreaterThan(0);
    const [, counting] = group.topology!.subtopologies!;
    expect(counting!.stateChangelogTopics).toMatchObject([{ name: "c", partitions: 2 }]);
  }
  const described = await t.connection.request(metadata, {
    topics: [{ name: "c" }, { name: "r" }],
  });
  expect(described.topics.map((each) => each.partitions.length)).toEqual([2, 2]);
  const resources = [{ resourceType: TOPIC_RESOURCE, resourceName: "c" }];
  const { results } = await t.connection.request(describeConfigs, { resources });
  const policy = results[0]!.configs.find(({ name }) => name === "cleanup.policy");
  expect(policy!.value).toBe("compact");
});

test("what the sender may not do", async () => {
  await start();
  const rows: [string, (wanted: ResourceOperation) => boolean][] = [
    ["GROUP_AUTHORIZATION_FAILED", ({ resourceType }) => resourceType === "GROUP"],
    [
      "TOPIC_AUTHORIZATION_FAILED",
      ({ name, operation }) => name === "t" && operation === "DESCRIBE",
    ],
    [
      "TOPIC_AUTHORIZATION_FAILED",
      ({ name, operation }) => name === "c" && operation === "DESCRIBE",
    ],
  ];
  for (const [expected, deny] of rows) {
    denied = deny;
    expect(errorName((await beat(join)).errorCode)).toBe(expected);
  }
  denied = ({ operation, name }) => operation === "CREATE" && name !== "r";
  const { status } = await beat(join);
  expect(status).toEqual([{
    statusCode: MISSING_INTERNAL_TOPICS,
    statusDetail: "Internal topics are missing: r, c; Unauthorized to CREATE on topics c.",
  }]);
  const { topics } = await t.connection.request(metadata, {
    topics: [{ name: "r" }],
    allowAutoTopicCreation: false,
  });
  expect(topics[0]!.errorCode).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
  denied = ({ operation, name }) => operation === "CREATE" && name === "kafka-cluster";
  expect((await beat({ ...join, groupId: "h" })).status![0]!.statusDetail)
    .toBe("Internal topics are missing: r, c");

  denied = ({ resourceType }) => resourceType === "GROUP";
  expect(errorName((await describe("g")).errorCode)).toBe("GROUP_AUTHORIZATION_FAILED");
  denied = ({ name, operation }) => name === "c" && operation === "DESCRIBE";
  const hidden = await describe("g");
  expect(errorName(hidden.errorCode)).toBe("TOPIC_AUTHORIZATION_FAILED");
  expect([hidden.members, hidden.topology]).toEqual([[], null]);
});

test("a topic that cannot be created is told", async () => {
  await start();
  const broken = { ...internalTopic("c"), topicConfigs: [{ key: "segment.ms", value: "soon" }] };
  const topology = {
    epoch: 0,
    subtopologies: [subtopology("0", ["t"], { stateChangelogTopics: [broken] })],
  };
  const { status } = await beat({ ...join, topology });
  expect(status).toHaveLength(1);
  expect(status![0]!.statusDetail).toMatch(
    /^Internal topics are missing: c; Creation failed: c \(/,
  );
});

test("topologies that are none, and groups that are not there", async () => {
  await start();
  const [first] = WORD_COUNT.subtopologies;
  const of = (...subtopologies: typeof WORD_COUNT.subtopologies) => ({ epoch: 0, subtopologies });
  const outside = { sourceTopics: [1], sourceTopicRegex: [], repartitionSourceTopics: [] };
  const rows: [string, Beat["topology"]][] = [
    ["STREAMS_INVALID_TOPOLOGY", of(first!, first!)],
    ["STREAMS_INVALID_TOPOLOGY", of({ ...first!, copartitionGroups: [outside] })],
    ["STREAMS_INVALID_TOPOLOGY", of({ ...first!, sourceTopics: ["a b"] })],
    ["STREAMS_INVALID_TOPOLOGY", of({ ...first!, sourceTopics: ["__consumer_offsets"] })],
    [
      "STREAMS_INVALID_TOPOLOGY",
      of({ ...first!, repartitionSourceTopics: [internalTopic("r", -1)] }),
    ],
    ["STREAMS_INVALID_TOPOLOGY_EPOCH", { ...WORD_COUNT, epoch: -1 }],
    ["INVALID_REQUEST", of({ ...first!, sourceTopicRegex: ["t.*"] })],
    ["INVALID_REQUEST", null],
  ];
  for (const [expected, topology] of rows) {
    const { errorCode } = await beat({ ...join, topology });
    expect([errorName(errorCode), topology]).toEqual([expected, topology]);
  }
  expect(errorName((await describe("g")).errorCode)).toBe("GROUP_ID_NOT_FOUND");
  expect(errorName((await describe("")).errorCode)).toBe("INVALID_GROUP_ID");
});

test("configs of a group change its heartbeats; nobody keeps descriptions of topologies", async () => {
  await start();
  const configs = [{ name: "streams.heartbeat.interval.ms", configOperation: 0, value: "7000" }];
  const resources = [{ resourceType: GROUP_RESOURCE, resourceName: "g", configs }];
  await t.connection.request(incrementalAlterConfigs, { resources });
  expect((await beat(join)).heartbeatIntervalMs).toBe(7_000);
  const update = { groupId: "g", memberId: "m", topologyEpoch: 0 };
  const updated = await t.connection.request(streamsGroupTopologyDescriptionUpdate, update);
  expect(errorName(updated.errorCode)).toBe("UNSUPPORTED_VERSION");
  const { finalizedFeatures } = await t.connection.request(apiVersions, {
    clientSoftwareName: "test",
    clientSoftwareVersion: "1",
  });
  expect(finalizedFeatures).toContainEqual(
    expect.objectContaining({ name: "streams.version", maxVersionLevel: 1 }),
  );
});

test("a broker without the protocol", async () => {
  await start({ "group.coordinator.rebalance.protocols": "classic,consumer" });
  expect(errorName((await beat(join)).errorCode)).toBe("UNSUPPORTED_VERSION");
  expect(errorName((await describe("g")).errorCode)).toBe("UNSUPPORTED_VERSION");
});
