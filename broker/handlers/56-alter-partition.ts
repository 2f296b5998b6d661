/**
 * AlterPartition, versions 2 and 3: a leader proposes ISRs to the controller (KIP-497). Served in a
 * cluster only.
 *
 * - Needs CLUSTER_ACTION on the cluster (CLUSTER_AUTHORIZATION_FAILED).
 * - NOT_CONTROLLER, STALE_BROKER_EPOCH or KAFKA_STORAGE_ERROR (the metadata log cannot be written) for
 *   all; else each partition gets its own error and the state that is in force from now on.
 * - 3: members come with their broker epochs (KIP-903); INELIGIBLE_REPLICA for one that is fenced,
 *   stopping or of another epoch (KIP-841).
 */
import type {
  ProposalOutcome,
  ProposedPartition,
} from "../../cluster/controller/alter-partition.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { groupBy } from "../../core/group-by.ts";
import { alterPartition } from "../../core/protocol/56-alter-partition.ts";
import type { RequestOf } from "../../core/protocol/schema.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Handler } from "../handler.ts";

type Request = RequestOf<typeof alterPartition>;

/** `leaderRecoveryState` of a leader that was elected uncleanly and is not in order yet. */
const RECOVERING = 1;

export const alterPartitionHandler: Handler<typeof alterPartition> = {
  api: alterPartition,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "CLUSTER_ACTION", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  async handle(context, request, broker) {
    const brokers = broker.cluster?.role.brokers ?? null;
    if (brokers === null) return { errorCode: Errors.NOT_CONTROLLER };
    const proposals = proposalsOf(request, context.apiVersion);
    const outcome = await brokers.alterPartitions(
      request.brokerId,
      Number(request.brokerEpoch),
      proposals,
    );
    if (!outcome.ok) return { errorCode: outcome.error };
    const answers = proposals.map((proposed, index) => ({
      ...proposed,
      ...answerOf(outcome.value[index]),
    }));
    return {
      errorCode: Errors.NONE,
      topics: [...groupBy(answers, ({ topicId }) => topicId)].map(([topicId, list]) => ({
        topicId,
        partitions: list.map(({ partition, error, state }) => ({
          partitionIndex: partition,
          errorCode: error,
          ...state,
        })),
      })),
    };
  },
};

function proposalsOf(request: Request, version: number): ProposedPartition[] {
  return request.topics.flatMap(({ topicId, partitions }) =>
    partitions.map((each) => ({
      topicId,
      partition: each.partitionIndex,
      leaderEpoch: each.leaderEpoch,
      partitionEpoch: each.partitionEpoch,
      isr: version >= 3
        ? each.newIsrWithEpochs.map(({ brokerId, brokerEpoch }) => ({
          brokerId,
          brokerEpoch: Number(brokerEpoch),
        }))
        : each.newIsr.map((brokerId) => ({ brokerId, brokerEpoch: -1 })),
      isRecovering: each.leaderRecoveryState === RECOVERING,
    }))
  );
}

function answerOf(outcome: ProposalOutcome | undefined): {
  readonly error: ErrorCode;
  readonly state: object;
} {
  const { error, state } = outcome ?? { error: Errors.UNKNOWN_SERVER_ERROR, state: null };
  if (error !== Errors.NONE || state === null) return { error, state: {} };
  return {
    error,
    state: {
      leaderId: state.leader,
      leaderEpoch: state.leaderEpoch,
      isr: state.isr,
      leaderRecoveryState: state.isRecovering === true ? RECOVERING : 0,
      partitionEpoch: state.partitionEpoch,
    },
  };
}
