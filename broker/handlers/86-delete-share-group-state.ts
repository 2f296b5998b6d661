/**
 * DeleteShareGroupState, version 0: forgets share partitions (KIP-932).
 *
 * - Needs CLUSTER_ACTION: brokers ask one another.
 * - A share partition that is not known is no error.
 */
import { Errors } from "../../core/errors.ts";
import { deleteShareGroupState } from "../../core/protocol/86-delete-share-group-state.ts";
import { shareFailure } from "../coordinator/share/share-shard.ts";
import type { Handler } from "../handler.ts";
import { clusterAction, forEachSharePartition, refuseAll } from "../share/state-requests.ts";

export const deleteShareGroupStateHandler: Handler<typeof deleteShareGroupState> = {
  api: deleteShareGroupState,
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
        (key) => broker.shareStates.delete(key),
      ),
    };
  },
  failure: (request, errorCode) => ({ results: refuseAll(request, errorCode, shareFailure) }),
};
