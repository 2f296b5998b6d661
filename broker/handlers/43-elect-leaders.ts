/**
 * ElectLeaders, versions 0 to 2 (KIP-183, KIP-460): gives partitions their preferred leader, or where
 * there is none any that is up; `planElections` judges. All partitions may be asked for: then only those
 * are listed that had not the leader which they want. An unknown type of election is INVALID_REQUEST.
 *
 * - 0: only the preferred leader. 1: unclean elections. 2: flexible.
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { groupBy } from "../../core/group-by.ts";
import { electLeaders } from "../../core/protocol/43-elect-leaders.ts";
import type { RequestOf } from "../../core/protocol/schema.ts";
import type { Handler } from "../handler.ts";
import { type Outcome, type Refusal, refuse } from "../outcome.ts";
import { type ElectionResult, planElections } from "../plan-elections.ts";

type Request = RequestOf<typeof electLeaders>;

const PREFERRED = 0;
const UNCLEAN = 1;

export const electLeadersHandler: Handler<typeof electLeaders> = {
  api: electLeaders,
  forwards: "change",
  authorize: { kind: "items", operations: ["ALTER CLUSTER"] },
  async handle(context, request, broker) {
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
    const wanted =
      request.topicPartitions?.flatMap(({ topic, partitions }) =>
        partitions.map((partition) => ({ topic, partition }))
      ) ?? null;
    const election = electionType === PREFERRED ? "preferred" : "unclean";
    const [outcome] = await broker.controller.change<readonly ElectionResult[]>(
      1,
      (plan) => planElections(plan, election, wanted),
      { timeoutMs: request.timeoutMs },
    );
    if (outcome === undefined) return refuseAll(request, apiVersion, NO_OUTCOME);
    if (!outcome.ok) return refuseAll(request, apiVersion, outcome);
    const { topicPartitions } = request;
    if (topicPartitions === null) {
      const results = groupBy(outcome.value, ({ topic }) => topic);
      const topics = [...broker.metadata.image.topics.keys()];
      return {
        replicaElectionResults: topics.map((topic) => ({
          topic,
          partitionResult: (results.get(topic) ?? []).map(resultOf),
        })),
      };
    }
    const results = outcome.value.map(resultOf);
    return {
      replicaElectionResults: topicPartitions.map(({ topic, partitions }) => ({
        topic,
        partitionResult: results.splice(0, partitions.length),
      })),
    };
  },
};

const NO_OUTCOME = refuse(Errors.UNKNOWN_SERVER_ERROR, "The election has no outcome.");

function resultOf({ partition, outcome }: ElectionResult) {
  return { partitionId: partition, ...codeOf(outcome) };
}

function codeOf(outcome: Outcome<null>) {
  return outcome.ok
    ? { errorCode: Errors.NONE, errorMessage: null }
    : { errorCode: outcome.error, errorMessage: outcome.message };
}

function refuseAll(request: Request, apiVersion: number, why: Refusal) {
  return {
    ...(apiVersion >= 1 ? { errorCode: why.error } : {}),
    replicaElectionResults: (request.topicPartitions ?? []).map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map((partitionId) => ({ partitionId, ...codeOf(why) })),
    })),
  };
}
