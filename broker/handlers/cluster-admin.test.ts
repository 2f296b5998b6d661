/** The APIs about the cluster itself, as Kafka 4.3.1 answers them on one node. */
import { describe, expect, test } from "bun:test";
import { errorName, Errors } from "../../core/errors.ts";
import { MetadataImage } from "../../cluster/metadata-image.ts";
import { type FinalizedFeature, newFeatures, planUpdateFeatures } from "../features.ts";
import {
  allowAllBut,
  type MetadataBroker,
  metadataBroker,
} from "../metadata-broker.test-helper.ts";
import { saslHandshakeHandler } from "./17-sasl-handshake.ts";
import { createTopicsHandler } from "./19-create-topics.ts";
import { saslAuthenticateHandler } from "./36-sasl-authenticate.ts";
import { createDelegationTokenHandler } from "./38-create-delegation-token.ts";
import { renewDelegationTokenHandler } from "./39-renew-delegation-token.ts";
import { expireDelegationTokenHandler } from "./40-expire-delegation-token.ts";
import { describeDelegationTokenHandler } from "./41-describe-delegation-token.ts";
import { electLeadersHandler } from "./43-elect-leaders.ts";
import { alterPartitionReassignmentsHandler } from "./45-alter-partition-reassignments.ts";
import { listPartitionReassignmentsHandler } from "./46-list-partition-reassignments.ts";
import { describeQuorumHandler } from "./55-describe-quorum.ts";
import { updateFeaturesHandler } from "./57-update-features.ts";
import { unregisterBrokerHandler } from "./64-unregister-broker.ts";
import { addRaftVoterHandler } from "./80-add-raft-voter.ts";
import { removeRaftVoterHandler } from "./81-remove-raft-voter.ts";
import { unregisterControllerHandler } from "./94-unregister-controller.ts";

async function withTopic(): Promise<MetadataBroker> {
  const subject = await metadataBroker();
  await subject.call(createTopicsHandler, 7, {
    topics: [{ name: "t", numPartitions: 2, replicationFactor: 1 }],
  });
  return subject;
}

describe("ElectLeaders", () => {
  test("finds every leader elected, and names what is not there", async () => {
    const { call } = await withTopic();
    const ask = async (electionType: number, version: number) => {
      const { errorCode, replicaElectionResults } = await call(electLeadersHandler, version, {
        ...(version > 0 ? { electionType } : {}),
        topicPartitions: [{ topic: "t", partitions: [0, 9] }, { topic: "x", partitions: [0] }],
      });
      const results = replicaElectionResults.flatMap(({ topic, partitionResult }) =>
        partitionResult.map((result) =>
          `${topic}-${result.partitionId} ${errorName(result.errorCode)} ${result.errorMessage}`
        )
      );
      return [errorName(errorCode), ...results];
    };
    const done = [
      "NONE",
      "t-0 ELECTION_NOT_NEEDED Leader election not needed for topic partition.",
      "t-9 UNKNOWN_TOPIC_OR_PARTITION No such partition as t-9",
      "x-0 UNKNOWN_TOPIC_OR_PARTITION No such topic as x",
    ];
    for (const version of [0, 1, 2]) expect(await ask(0, version)).toEqual(done);
    expect(await ask(1, 2)).toEqual(done);
    expect((await ask(7, 2)).slice(0, 2))
      .toEqual(["INVALID_REQUEST", "t-0 INVALID_REQUEST Unknown election type 7"]);
    const all = await call(electLeadersHandler, 2, { topicPartitions: null });
    expect(all.replicaElectionResults).toMatchObject([{ topic: "t", partitionResult: [] }]);
    const denied = allowAllBut("ALTER CLUSTER");
    for (const version of [0, 1, 2]) {
      const refused = await call(electLeadersHandler, version, {
        topicPartitions: [{ topic: "t", partitions: [0] }],
      }, denied);
      expect(refused.replicaElectionResults[0]?.partitionResult[0]?.errorCode)
        .toBe(Errors.CLUSTER_AUTHORIZATION_FAILED);
    }
  });
});

describe("partition reassignments", () => {
  const cases: [string, number, number[] | null, string, string | null][] = [
    ["t", 0, [1], "NONE", null],
    ["t", 0, null, "NO_REASSIGNMENT_IN_PROGRESS", "No partition reassignment is in progress."],
    [
      "t",
      0,
      [1, 2],
      "INVALID_REPLICA_ASSIGNMENT",
      "The manual partition assignment includes " +
      "broker 2, but no such broker is registered.",
    ],
    [
      "t",
      0,
      [],
      "INVALID_REPLICA_ASSIGNMENT",
      "The manual partition assignment includes an " +
      "empty replica list.",
    ],
    [
      "t",
      0,
      [1, 1],
      "INVALID_REPLICA_ASSIGNMENT",
      "The manual partition assignment includes " +
      "the broker 1 more than once.",
    ],
    ["t", 7, [1], "UNKNOWN_TOPIC_OR_PARTITION", "Unable to find partition t:7."],
    ["x", 0, [1], "UNKNOWN_TOPIC_OR_PARTITION", "Unable to find a topic named x."],
  ];
  for (const [name, partitionIndex, replicas, code, message] of cases) {
    test(`${name}-${partitionIndex} to ${replicas}`, async () => {
      const { call } = await withTopic();
      const { errorCode, responses } = await call(alterPartitionReassignmentsHandler, 1, {
        topics: [{ name, partitions: [{ partitionIndex, replicas }] }],
      });
      const [answer] = responses[0]?.partitions ?? [];
      expect(errorCode).toBe(Errors.NONE);
      expect([errorName(answer?.errorCode ?? -1), answer?.errorMessage ?? null])
        .toEqual([code, message]);
    });
  }

  test("are none, and not for everybody", async () => {
    const { call } = await withTopic();
    const listed = await call(listPartitionReassignmentsHandler, 0, { topics: null });
    expect(listed).toMatchObject({ errorCode: Errors.NONE, topics: [] });
    const denied = allowAllBut("ALTER CLUSTER", "DESCRIBE CLUSTER");
    const refused = await call(listPartitionReassignmentsHandler, 0, { topics: null }, denied);
    const altered = await call(alterPartitionReassignmentsHandler, 0, { topics: [] }, denied);
    expect([refused.errorCode, altered.errorCode]).toEqual([
      Errors.CLUSTER_AUTHORIZATION_FAILED,
      Errors.CLUSTER_AUTHORIZATION_FAILED,
    ]);
  });
});

describe("the quorum", () => {
  test("is this broker, at the position of the metadata", async () => {
    const { call, broker } = await withTopic();
    const end = BigInt(broker.metadata.image.position);
    for (const version of [0, 1, 2]) {
      const { topics, nodes } = await call(describeQuorumHandler, version, {
        topics: [
          { topicName: "__cluster_metadata", partitions: [{ partitionIndex: 0 }] },
          { topicName: "t", partitions: [{ partitionIndex: 0 }] },
        ],
      });
      const [metadata, other] = topics;
      expect(metadata?.partitions).toMatchObject([{
        errorCode: Errors.NONE,
        leaderId: 1,
        highWatermark: end,
        currentVoters: [{ replicaId: 1, logEndOffset: end }],
        observers: [],
      }]);
      expect(other?.partitions[0]?.errorCode).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
      expect(nodes.map(({ nodeId }) => nodeId)).toEqual(version >= 2 ? [1] : []);
    }
  });

  test("has fixed voters, and keeps who is there", async () => {
    const { call } = await withTopic();
    const voterDirectoryId = "AAAAAAAAQAqAAAAAAAAAAQ";
    const add = (clusterId: string | null) =>
      call(addRaftVoterHandler, 1, { clusterId, voterId: 2, voterDirectoryId, listeners: [] });
    const remove = (clusterId: string | null) =>
      call(removeRaftVoterHandler, 0, { clusterId, voterId: 2, voterDirectoryId });
    for (const ask of [add, remove]) {
      expect((await ask(null)).errorCode).toBe(Errors.UNSUPPORTED_VERSION);
      expect((await ask("test-cluster")).errorCode).toBe(Errors.UNSUPPORTED_VERSION);
      expect((await ask("other")).errorCode).toBe(Errors.INCONSISTENT_CLUSTER_ID);
    }
    expect(await call(unregisterBrokerHandler, 0, { brokerId: 7 })).toMatchObject({
      errorCode: Errors.BROKER_ID_NOT_REGISTERED,
      errorMessage: "Broker ID 7 is not currently registered",
    });
    expect((await call(unregisterBrokerHandler, 0, { brokerId: 1 })).errorCode)
      .toBe(Errors.INVALID_REQUEST);
    expect((await call(unregisterControllerHandler, 0, { controllerId: 7 })).errorCode)
      .toBe(Errors.CONTROLLER_ID_NOT_REGISTERED);
    expect((await call(unregisterControllerHandler, 0, { controllerId: 1 })).errorCode)
      .toBe(Errors.INVALID_REQUEST);
  });

  test("is told and changed by who may", async () => {
    const { call } = await withTopic();
    const denied = allowAllBut("ALTER CLUSTER", "DESCRIBE CLUSTER");
    const voter = { clusterId: null, voterId: 2, voterDirectoryId: "AAAAAAAAQAqAAAAAAAAAAQ" };
    const answers = [
      await call(describeQuorumHandler, 2, { topics: [] }, denied),
      await call(updateFeaturesHandler, 2, { featureUpdates: [] }, denied),
      await call(addRaftVoterHandler, 1, { ...voter, listeners: [] }, denied),
      await call(removeRaftVoterHandler, 0, voter, denied),
      await call(unregisterBrokerHandler, 0, { brokerId: 7 }, denied),
      await call(unregisterControllerHandler, 0, { controllerId: 7 }, denied),
    ];
    expect(answers.map(({ errorCode }) => errorName(errorCode)))
      .toEqual(answers.map(() => "CLUSTER_AUTHORIZATION_FAILED"));
  });
});

test("without authentication there are neither tokens nor SASL", async () => {
  const { call } = await metadataBroker();
  const none = errorName(Errors.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED);
  const hmac = new Uint8Array([1]);
  const codes: string[] = [];
  for (const version of [1, 2, 3]) {
    const owner = version < 3 ? {} : { ownerPrincipalType: "User", ownerPrincipalName: "x" };
    const created = await call(createDelegationTokenHandler, version, owner);
    expect(created.principalName).toBe(version < 3 ? "ANONYMOUS" : "x");
    codes.push(errorName(created.errorCode));
    codes.push(errorName((await call(describeDelegationTokenHandler, version, {})).errorCode));
  }
  for (const version of [1, 2]) {
    codes.push(errorName((await call(renewDelegationTokenHandler, version, { hmac })).errorCode));
    codes.push(errorName((await call(expireDelegationTokenHandler, version, { hmac })).errorCode));
  }
  expect(codes).toEqual(codes.map(() => none));
  const handshake = await call(saslHandshakeHandler, 1, { mechanism: "PLAIN" });
  const authenticate = await call(saslAuthenticateHandler, 2, { authBytes: hmac });
  expect([handshake.errorCode, authenticate.errorCode])
    .toEqual([Errors.ILLEGAL_SASL_STATE, Errors.ILLEGAL_SASL_STATE]);
});

describe("UpdateFeatures", () => {
  const supported: FinalizedFeature[] = [
    { name: "group.version", minLevel: 0, maxLevel: 1, level: 1 },
    { name: "transaction.version", minLevel: 0, maxLevel: 2, level: 2 },
  ];
  const formatted = () =>
    MetadataImage.EMPTY.apply(newFeatures(MetadataImage.EMPTY, supported), 1).image;

  test("finalizes what is new, once, and what was turned off stays off", () => {
    const image = formatted();
    expect(image.features.get("transaction.version")).toBe(2);
    expect(newFeatures(image, supported)).toEqual([]);
    const plan = planUpdateFeatures(
      image,
      [{ feature: "group.version", level: 0, upgradeType: 2 }],
      1,
      supported,
    );
    const after = image.apply(plan.records, 2).image;
    expect(newFeatures(after, supported)).toEqual([]);
    const restarted = MetadataImage.EMPTY.apply(after.toRecords(), 2).image;
    expect(restarted.features.get("group.version")).toBe(0);
  });

  const cases: [string, number, number, string | null][] = [
    ["transaction.version", 2, 1, null],
    ["transaction.version", 2, 2, null],
    ["transaction.version", 1, 2, null],
    ["transaction.version", 0, 3, null],
    ["transaction.version", 1, 1, "Can't downgrade the version of this feature without setting"],
    ["transaction.version", 9, 1, "Local controller 1 only supports versions 0-2"],
    ["transaction.version", -1, 1, "A feature version cannot be less than 0."],
    ["transaction.version", 1, 7, "The controller does not support the given upgrade type."],
    ["nope", 1, 1, "Local controller 1 does not support this feature."],
  ];
  for (const [feature, level, upgradeType, problem] of cases) {
    test(`${feature} to ${level}, upgrade type ${upgradeType}`, () => {
      const good = { feature: "group.version", level: 1, upgradeType: 1 };
      const updates = [good, { feature, level, upgradeType }];
      const { records, outcomes } = planUpdateFeatures(formatted(), updates, 1, supported);
      const [outcome] = outcomes;
      if (problem === null) {
        expect(outcome?.ok).toBe(true);
        return;
      }
      expect(records).toEqual([]);
      expect(outcome).toMatchObject({ ok: false, error: Errors.INVALID_UPDATE_VERSION });
      expect(outcome?.ok === false && outcome.message).toContain(
        "The update failed for all features since the following feature had an error: Invalid " +
          `update version ${level} for feature ${feature}. ${problem}`,
      );
    });
  }

  test("is served at every version", async () => {
    const { call } = await metadataBroker();
    for (const version of [0, 1, 2]) {
      const update = { feature: "nope", maxVersionLevel: 1 };
      const { errorCode } = await call(updateFeaturesHandler, version, {
        featureUpdates: [update],
      });
      expect(errorName(errorCode)).toBe("INVALID_UPDATE_VERSION");
      expect((await call(updateFeaturesHandler, version, {})).errorCode).toBe(Errors.NONE);
    }
  });
});
