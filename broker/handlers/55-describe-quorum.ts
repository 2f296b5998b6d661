/**
 * DescribeQuorum, versions 0 to 2 (KIP-595): the controller of one node is leader and sole voter of
 * the metadata log, whose end is the position of the image. Any other partition is
 * UNKNOWN_TOPIC_OR_PARTITION. In a cluster it is the controller, and brokers observe it.
 *
 * - 1: when a voter was last heard of, which is now (KIP-836).
 * - 2: directories and addresses of voters (KIP-853); there is no listener for controllers, so it is
 *   the address of the broker.
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { describeQuorum } from "../../core/protocol/55-describe-quorum.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import { advertisedAddress } from "../listeners.ts";
import { CLUSTER_METADATA_TOPIC } from "../topic-names.ts";

/** The controller of one node is elected once. */
const LEADER_EPOCH = 1;

export const describeQuorumHandler: Handler<typeof describeQuorum> = {
  api: describeQuorum,
  forwards: "question",
  authorize: {
    kind: "request",
    wants: () => [{ operation: "DESCRIBE", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  handle(context, request, broker) {
    const { apiVersion } = context;
    let isKnown = false;
    const topics = request.topics.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map(({ partitionIndex }) => {
        if (topicName !== CLUSTER_METADATA_TOPIC || partitionIndex !== 0) {
          return {
            partitionIndex,
            errorCode: Errors.UNKNOWN_TOPIC_OR_PARTITION,
            errorMessage: "This server does not host this topic-partition.",
          };
        }
        isKnown = true;
        return quorum(broker, apiVersion);
      }),
    }));
    const listeners = [{ name: context.listener.name, ...advertisedAddress(context) }];
    return {
      errorCode: Errors.NONE,
      topics,
      ...(isKnown && apiVersion >= 2 ? { nodes: [{ nodeId: broker.nodeId, listeners }] } : {}),
    };
  },
};

function quorum(broker: Broker, apiVersion: number) {
  const { nodeId, metadata, io, cluster } = broker;
  const { position } = metadata.image;
  const now = io.clock.wallMs();
  const state = (replicaId: number, at: number, fetchedMs: number, caughtUpMs: number) => ({
    replicaId,
    logEndOffset: BigInt(at),
    ...(apiVersion >= 1
      ? { lastFetchTimestamp: BigInt(fetchedMs), lastCaughtUpTimestamp: BigInt(caughtUpMs) }
      : {}),
  });
  const followers = new Map(
    [...cluster?.metadataSource.followers ?? []].map((each) => [each.brokerId, each] as const),
  );
  const others = [...metadata.image.brokers.keys()].filter((id) => id !== nodeId);
  return {
    partitionIndex: 0,
    errorCode: Errors.NONE,
    leaderId: nodeId,
    leaderEpoch: cluster?.metadataSource.leader.leaderEpoch ?? LEADER_EPOCH,
    highWatermark: BigInt(position),
    currentVoters: [state(nodeId, position, now, now)],
    observers: others.map((id) => {
      const known = followers.get(id);
      return state(id, known?.position ?? -1, known?.fetchedMs ?? -1, known?.caughtUpMs ?? -1);
    }),
  };
}
