/**
 * SyncGroup, versions 0 to 5: the leader of a generation brings the assignments, the others wait
 * for theirs. Answered when the assignment is committed in `__consumer_offsets`.
 *
 * - Needs READ on the group. 3: static members (KIP-345). 5: protocol type and name have to be
 *   there and to be the group's (KIP-559).
 */
import { Errors } from "../../core/errors.ts";
import { syncGroup } from "../../core/protocol/14-sync-group.ts";
import type { Handler } from "../handler.ts";

/** First version that has to name the protocol. */
const PROTOCOL_VERSION = 5;

export const syncGroupHandler: Handler<typeof syncGroup> = {
  api: syncGroup,
  authorize: {
    kind: "request",
    wants: ({ groupId }) => [{ operation: "READ", resourceType: "GROUP", name: groupId }],
    deny: () => ({ errorCode: Errors.GROUP_AUTHORIZATION_FAILED }),
  },
  async handle(context, request, broker) {
    const { groupId, memberId, groupInstanceId, generationId, protocolType, protocolName } =
      request;
    const unnamed = protocolType === null || protocolName === null;
    if (context.apiVersion >= PROTOCOL_VERSION && unnamed) {
      return { errorCode: Errors.INCONSISTENT_GROUP_PROTOCOL };
    }
    // Copies: the group outlives the frame.
    const assignments = new Map(
      request.assignments.map((each) => [each.memberId, each.assignment.slice()]),
    );
    const { error, ...response } = await broker.groups.syncGroup({
      groupId,
      memberId,
      groupInstanceId,
      generationId,
      protocolType,
      protocolName,
      assignments,
    }, { connection: context.signal, stopping: broker.stopping });
    return { errorCode: error, ...response };
  },
};
