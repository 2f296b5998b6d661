/**
 * JoinGroup, versions 0 to 9: a member joins a group of the classic protocol, or joins again for
 * the next generation. Parked until the generation is complete.
 *
 * - Needs READ on the group.
 * - 0: no rebalance timeout, the session timeout stands for it. 4: a new member is told its id and
 *   joins again with it (KIP-394). 5: static members (KIP-345). 7: protocol type in the answer
 *   (KIP-559). 8: a reason (KIP-800). 9: `skipAssignment` (KIP-814).
 */
import { Errors } from "../../core/errors.ts";
import { joinGroup } from "../../core/protocol/11-join-group.ts";
import type { EncodableResponse } from "../../core/protocol/schema.ts";
import type { JoinResponse } from "../coordinator/group/classic/classic-group.ts";
import type { Handler } from "../handler.ts";

type Response = EncodableResponse<typeof joinGroup>;

const REBALANCE_TIMEOUT_VERSION = 1;
const KNOWN_MEMBER_ID_VERSION = 4;
/** Before it a missing protocol name is empty, not null. */
const NULLABLE_PROTOCOL_VERSION = 7;
const SKIP_ASSIGNMENT_VERSION = 9;

export const joinGroupHandler: Handler<typeof joinGroup> = {
  api: joinGroup,
  authorize: {
    kind: "request",
    wants: ({ groupId }) => [{ operation: "READ", resourceType: "GROUP", name: groupId }],
    deny: ({ memberId }) => ({
      errorCode: Errors.GROUP_AUTHORIZATION_FAILED,
      memberId,
      protocolName: "",
    }),
  },
  async handle(context, request, broker) {
    const version = context.apiVersion;
    const response = await broker.groups.joinGroup({
      groupId: request.groupId,
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      protocolType: request.protocolType,
      // Copies: the group outlives the frame.
      protocols: request.protocols.map(({ name, metadata }) => ({
        name,
        metadata: metadata.slice(),
      })),
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: version < REBALANCE_TIMEOUT_VERSION
        ? request.sessionTimeoutMs
        : Math.max(0, request.rebalanceTimeoutMs),
      reason: request.reason,
      clientId: context.clientId ?? "",
      clientHost: `/${context.peerAddress.host}`,
      requiresKnownMemberId: version >= KNOWN_MEMBER_ID_VERSION,
      supportsSkippingAssignment: version >= SKIP_ASSIGNMENT_VERSION,
    }, { connection: context.signal, stopping: broker.stopping });
    return encodable(response, version);
  },
};

function encodable(response: JoinResponse, version: number): Response {
  const { error, protocolName, ...rest } = response;
  return {
    ...rest,
    errorCode: error,
    protocolName: version < NULLABLE_PROTOCOL_VERSION ? protocolName ?? "" : protocolName,
  };
}
