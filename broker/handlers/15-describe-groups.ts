/**
 * DescribeGroups, versions 0 to 6: state and members of groups of the classic protocol.
 *
 * - Needs DESCRIBE on each group.
 * - A group that is not there is `Dead`, from version 6 with GROUP_ID_NOT_FOUND (KIP-1043).
 * - 3: authorized operations (KIP-430). 4: instance ids (KIP-345).
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { describeGroups } from "../../core/protocol/15-describe-groups.ts";
import type { EncodableResponse } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import type { GroupDescription } from "../coordinator/group/classic/classic-groups.ts";
import type { Handler } from "../handler.ts";
import { operationsIfAsked, type RequestContext } from "../request-context.ts";

type Described = NonNullable<EncodableResponse<typeof describeGroups>["groups"]>[number];

/** First version that says that a group is not there. */
const NOT_FOUND_VERSION = 6;

export const describeGroupsHandler: Handler<typeof describeGroups> = {
  api: describeGroups,
  authorize: { kind: "items", operations: ["DESCRIBE GROUP"] },
  async handle(context, request, broker) {
    const wantOperations = request.includeAuthorizedOperations;
    const groups = request.groups.map((id) => describe(context, id, wantOperations, broker));
    return { groups: await Promise.all(groups) };
  },
  failure: (request, error) => ({ groups: request.groups.map((id) => refuse(id, error)) }),
};

async function describe(
  context: RequestContext,
  groupId: string,
  wantOperations: boolean,
  broker: Broker,
): Promise<Described> {
  if (!context.authorized("DESCRIBE", "GROUP", groupId)) {
    return refuse(groupId, Errors.GROUP_AUTHORIZATION_FAILED);
  }
  const outcome = await broker.groups.describeGroup(groupId);
  if (!outcome.ok) return refuse(groupId, outcome.error);
  const authorizedOperations = operationsIfAsked(context, wantOperations, "GROUP", groupId);
  return outcome.value === undefined
    ? missing(groupId, context.apiVersion, authorizedOperations)
    : { ...encodable(outcome.value), authorizedOperations };
}

function encodable(group: GroupDescription): Described {
  return {
    groupId: group.groupId,
    groupState: group.state,
    protocolType: group.protocolType,
    protocolData: group.protocolName,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: member.metadata,
      memberAssignment: member.assignment,
    })),
  };
}

function missing(groupId: string, version: number, authorizedOperations: number): Described {
  if (version < NOT_FOUND_VERSION) return { groupId, groupState: "Dead", authorizedOperations };
  return {
    groupId,
    groupState: "Dead",
    errorCode: Errors.GROUP_ID_NOT_FOUND,
    errorMessage: `Group ${groupId} not found.`,
  };
}

function refuse(groupId: string, errorCode: ErrorCode): Described {
  return { groupId, errorCode };
}
