/**
 * Heartbeat, versions 0 to 4: a member of the classic protocol is alive, and hears whether it has
 * to rejoin (REBALANCE_IN_PROGRESS).
 *
 * - Needs READ on the group. 3: static members (KIP-345).
 */
import { Errors } from "../../core/errors.ts";
import { heartbeat } from "../../core/protocol/12-heartbeat.ts";
import type { Handler } from "../handler.ts";

export const heartbeatHandler: Handler<typeof heartbeat> = {
  api: heartbeat,
  authorize: {
    kind: "request",
    wants: ({ groupId }) => [{ operation: "READ", resourceType: "GROUP", name: groupId }],
    deny: () => ({ errorCode: Errors.GROUP_AUTHORIZATION_FAILED }),
  },
  handle(_context, request, broker) {
    const { groupId, memberId, groupInstanceId, generationId } = request;
    return {
      errorCode: broker.groups.heartbeat({ groupId, memberId, groupInstanceId, generationId }),
    };
  },
};
