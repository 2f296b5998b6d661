/**
 * WriteShareGroupState, versions 0 to 1: a partition leader persists what became of records (KIP-932).
 *
 * - Needs CLUSTER_ACTION: brokers ask one another.
 * - FENCED_LEADER_EPOCH and FENCED_STATE_EPOCH for a leader that has been replaced; INVALID_REQUEST for
 *   a share partition that was not initialized. 1: the count of deliveries that are done (KIP-1226).
 */
import { Errors } from "../../core/errors.ts";
import { writeShareGroupState } from "../../core/protocol/85-write-share-group-state.ts";
import { shareFailure } from "../coordinator/share/share-shard.ts";
import type { Handler } from "../handler.ts";
import {
  clusterAction,
  forEachSharePartition,
  refuseAll,
  toOffset,
} from "../share/state-requests.ts";

export const writeShareGroupStateHandler: Handler<typeof writeShareGroupState> = {
  api: writeShareGroupState,
  authorize: {
    kind: "request",
    wants: () => clusterAction,
    deny: (request) => ({
      results: refuseAll(request, Errors.CLUSTER_AUTHORIZATION_FAILED, shareFailure),
    }),
  },
  async handle(_context, request, broker) {
    return {
      results: await forEachSharePartition(
        request,
        shareFailure,
        (key, wanted) =>
          broker.shareStates.write(key, {
            stateEpoch: wanted.stateEpoch,
            leaderEpoch: wanted.leaderEpoch,
            startOffset: toOffset(wanted.startOffset),
            deliveryCompleteCount: wanted.deliveryCompleteCount,
            stateBatches: wanted.stateBatches.map((batch) => ({
              ...batch,
              firstOffset: toOffset(batch.firstOffset),
              lastOffset: toOffset(batch.lastOffset),
            })),
          }),
      ),
    };
  },
  failure: (request, errorCode) => ({ results: refuseAll(request, errorCode, shareFailure) }),
};
