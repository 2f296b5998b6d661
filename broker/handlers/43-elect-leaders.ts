/**
 * ElectLeaders, versions 0 to 2 (KIP-183, KIP-460): with one node every partition has the leader
 * that it wants, so each that exists answers ELECTION_NOT_NEEDED, and none is listed where all were
 * asked for. An unknown type of election is INVALID_REQUEST.
 *
 * - 0: only the preferred leader. 1: unclean elections. 2: flexible.
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { electLeaders } from "../../core/protocol/43-elect-leaders.ts";
import type { RequestOf } from "../../core/protocol/schema.ts";
import type { PartitionImage } from "../../cluster/metadata-image.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import { accept, type Outcome, type Refusal, refuse } from "../outcome.ts";

type Request = RequestOf<typeof electLeaders>;

const PREFERRED = 0;
const UNCLEAN = 1;

export const electLeadersHandler: Handler<typeof electLeaders> = {
  api: electLeaders,
  authorize: { kind: "items", operations: ["ALTER CLUSTER"] },
  handle(context, request, broker) {
    const { apiVersion } = context;
    const { electionType } = request;
    if (!context.authorized("ALTER", "CLUSTER", CLUSTER_NAME)) {
      const denied = refuse(Errors.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed.");
      return refuseAll(request, apiVersion, denied);
    }
    if (electionType !== PREFERRED && electionType !== UNCLEAN) {
      const why = `Unknown election type ${electionType}`;
      return refuseAll(request, apiVersion, refuse(Errors.INVALID_REQUEST, why));
    }
    if (request.topicPartitions === null) {
      // Only failures are listed where all partitions are meant, and there are none.
      const topics = [...broker.metadata.image.topics.keys()];
      return { replicaElectionResults: topics.map((topic) => ({ topic, partitionResult: [] })) };
    }
    return {
      replicaElectionResults: request.topicPartitions.map(({ topic, partitions }) => ({
        topic,
        partitionResult: partitions.map((partitionId) => {
          const found = findPartition(broker, topic, partitionId);
          const outcome = found.ok ? elect(found.value, electionType) : found;
          return { partitionId, errorCode: outcome.error, errorMessage: outcome.message };
        }),
      })),
    };
  },
};

function findPartition(broker: Broker, topic: string, index: number): Outcome<PartitionImage> {
  const image = broker.metadata.topic(topic);
  if (image === undefined) {
    return refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION, `No such topic as ${topic}`);
  }
  const partition = image.partitions[index];
  return partition === undefined
    ? refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION, `No such partition as ${topic}-${index}`)
    : accept(partition);
}

/** One node leads all, or nobody can. */
function elect({ leader, replicas }: PartitionImage, electionType: number) {
  const isDone = electionType === PREFERRED ? leader === replicas[0] : leader >= 0;
  if (isDone) {
    return refuse(
      Errors.ELECTION_NOT_NEEDED,
      "Leader election not needed for topic partition.",
    );
  }
  return electionType === PREFERRED
    ? refuse(Errors.PREFERRED_LEADER_NOT_AVAILABLE, "The preferred leader was not available.")
    : refuse(Errors.ELIGIBLE_LEADERS_NOT_AVAILABLE, "No replica can become the leader.");
}

function refuseAll(request: Request, apiVersion: number, why: Refusal) {
  return {
    ...(apiVersion >= 1 ? { errorCode: why.error } : {}),
    replicaElectionResults: (request.topicPartitions ?? []).map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map((partitionId) => ({
        partitionId,
        errorCode: why.error,
        errorMessage: why.message,
      })),
    })),
  };
}
