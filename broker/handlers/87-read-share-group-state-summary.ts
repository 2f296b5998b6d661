/**
 * ReadShareGroupStateSummary, versions 0 to 1: how far share partitions are (KIP-932).
 *
 * - Needs CLUSTER_ACTION: brokers ask one another.
 * - Of a share partition that is not known the start offset is −1. 1: the count of deliveries that are
 *   done (KIP-1226).
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { readShareGroupStateSummary } from "../../core/protocol/87-read-share-group-state-summary.ts";
import { shareFailure } from "../coordinator/share/share-shard.ts";
import type { Handler } from "../handler.ts";
import { clusterAction, forEachSharePartition, refuseAll } from "../share/state-requests.ts";

const refusal = (errorCode: ErrorCode) => ({
  ...shareFailure(errorCode),
  stateEpoch: 0,
  leaderEpoch: 0,
  startOffset: 0n,
});

export const readShareGroupStateSummaryHandler: Handler<typeof readShareGroupStateSummary> = {
  api: readShareGroupStateSummary,
  authorize: {
    kind: "request",
    wants: () => clusterAction,
    deny: (request) => ({
      results: refuseAll(request, Errors.CLUSTER_AUTHORIZATION_FAILED, refusal),
    }),
  },
  async handle(_context, request, broker) {
    return {
      results: await forEachSharePartition(request, refusal, async (key) => {
        const summary = await broker.shareStates.summary(key);
        return { ...summary, startOffset: BigInt(summary.startOffset) };
      }),
    };
  },
  failure: (request, errorCode) => ({ results: refuseAll(request, errorCode, refusal) }),
};
