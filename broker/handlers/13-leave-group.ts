/**
 * LeaveGroup, versions 0 to 5: members leave a group of the classic protocol.
 *
 * - Needs READ on the group.
 * - 0–2: one member, whose error is the response's. 3: several, also by instance id alone, as an
 *   administrator does it (KIP-345). 5: a reason (KIP-800).
 */
import { Errors } from "../../core/errors.ts";
import { leaveGroup } from "../../core/protocol/13-leave-group.ts";
import type { Handler } from "../handler.ts";

/** First version with several members. */
const MEMBERS_VERSION = 3;

export const leaveGroupHandler: Handler<typeof leaveGroup> = {
  api: leaveGroup,
  authorize: {
    kind: "request",
    wants: ({ groupId }) => [{ operation: "READ", resourceType: "GROUP", name: groupId }],
    deny: () => ({ errorCode: Errors.GROUP_AUTHORIZATION_FAILED }),
  },
  async handle(context, request, broker) {
    const single = context.apiVersion < MEMBERS_VERSION;
    const members = single
      ? [{ memberId: request.memberId, groupInstanceId: null, reason: null }]
      : request.members;
    const outcome = await broker.groups.leaveGroup(request.groupId, members);
    if (!outcome.ok) return { errorCode: outcome.error };
    if (single) return { errorCode: outcome.value[0]?.error ?? Errors.NONE };
    return {
      members: outcome.value.map(({ memberId, groupInstanceId, error }) => ({
        memberId,
        groupInstanceId,
        errorCode: error,
      })),
    };
  },
};
