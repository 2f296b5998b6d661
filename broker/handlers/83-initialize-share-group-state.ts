/**
 * InitializeShareGroupState, version 0: a share partition begins anew at a start offset (KIP-932).
 *
 * - Needs CLUSTER_ACTION: brokers ask one another.
 * - FENCED_STATE_EPOCH where a newer initialization is known.
 */
import { Errors } from "../../core/errors.ts";
import { initializeShareGroupState } from "../../core/protocol/83-initialize-share-group-state.ts";
import { shareFailure } from "../coordinator/share/share-shard.ts";
import type { Handler } from "../handler.ts";
import {
  clusterAction,
  forEachSharePartition,
  refuseAll,
  toOffset,
} from "../share/state-requests.ts";

export const initializeShareGroupStateHandler: Handler<typeof initializeShareGroupState> = {
  api: initializeShareGroupState,
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
          broker.shareStates.initialize(key, wanted.stateEpoch, toOffset(wanted.startOffset)),
      ),
    };
  },
  failure: (request, errorCode) => ({ results: refuseAll(request, errorCode, shareFailure) }),
};
