/**
 * ReadShareGroupState, version 0: what a partition leader starts from (KIP-932).
 *
 * - Needs CLUSTER_ACTION: brokers ask one another.
 * - FENCED_LEADER_EPOCH for a leader that has been replaced; INVALID_REQUEST for a share partition that
 *   was not initialized.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { readShareGroupState } from "../../core/protocol/84-read-share-group-state.ts";
import { shareFailure } from "../coordinator/share/share-shard.ts";
import type { Handler } from "../handler.ts";
import { clusterAction, forEachSharePartition, refuseAll } from "../share/state-requests.ts";

const refusal = (errorCode: ErrorCode) => ({
  ...shareFailure(errorCode),
  stateEpoch: 0,
  startOffset: 0n,
  stateBatches: [],
});

export const readShareGroupStateHandler: Handler<typeof readShareGroupState> = {
  api: readShareGroupState,
  authorize: {
    kind: "request",
    wants: () => clusterAction,
    deny: (request) => ({
      results: refuseAll(request, Errors.CLUSTER_AUTHORIZATION_FAILED, refusal),
    }),
  },
  async handle(_context, request, broker) {
    return {
      results: await forEachSharePartition(request, refusal, async (key, wanted) => {
        const read = await broker.shareStates.read(key, wanted.leaderEpoch);
        return {
          ...read,
          startOffset: BigInt(read.startOffset),
          stateBatches: read.stateBatches.map((batch) => ({
            ...batch,
            firstOffset: BigInt(batch.firstOffset),
            lastOffset: BigInt(batch.lastOffset),
          })),
        };
      }),
    };
  },
  failure: (request, errorCode) => ({ results: refuseAll(request, errorCode, refusal) }),
};
