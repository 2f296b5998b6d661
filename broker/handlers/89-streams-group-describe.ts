/**
 * StreamsGroupDescribe, versions 0 to 1: streams groups with their topology, their members and the
 * tasks of these (KIP-1071).
 *
 * - Needs DESCRIBE on each group, and on every topic of its topology.
 * - INVALID_GROUP_ID for an empty id; GROUP_ID_NOT_FOUND, also for groups of other kinds.
 * - 1: the description of the topology (KIP-1331), of which there never is one; the assignor.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { streamsGroupDescribe } from "../../core/protocol/89-streams-group-describe.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import type { StreamsGroupDescription } from "../coordinator/group/streams/describe.ts";
import type { Handler } from "../handler.ts";
import { operationsIfAsked, type RequestContext } from "../request-context.ts";

type Request = RequestOf<typeof streamsGroupDescribe>;
type Described = NonNullable<EncodableResponse<typeof streamsGroupDescribe>["groups"]>[number];

/** What there is to say of a description of the topology: not asked for, or never recorded. */
const DESCRIPTION_NOT_REQUESTED = 0;
const DESCRIPTION_NOT_STORED = 1;

export const streamsGroupDescribeHandler: Handler<typeof streamsGroupDescribe> = {
  api: streamsGroupDescribe,
  authorize: { kind: "items", operations: ["DESCRIBE GROUP", "DESCRIBE TOPIC"] },
  async handle(context, request, broker) {
    const groups = request.groupIds.map((id) => describe(context, id, request, broker));
    return { groups: await Promise.all(groups) };
  },
  failure: (request, error) => ({ groups: request.groupIds.map((id) => refused(id, error)) }),
};

async function describe(
  context: RequestContext,
  groupId: string,
  request: Request,
  broker: Broker,
): Promise<Described> {
  if (!broker.groups.streamsConfig.isEnabled) return refused(groupId, Errors.UNSUPPORTED_VERSION);
  if (!context.authorized("DESCRIBE", "GROUP", groupId)) {
    return refused(groupId, Errors.GROUP_AUTHORIZATION_FAILED);
  }
  if (groupId === "") return refused(groupId, Errors.INVALID_GROUP_ID);
  const outcome = await broker.groups.describeStreamsGroup(groupId);
  if (!outcome.ok) return refused(groupId, outcome.error, outcome.message);
  const visible = topicsOf(outcome.value)
    .every((name) => context.authorized("DESCRIBE", "TOPIC", name));
  if (!visible) {
    const why = "The described group uses topics that the client is not authorized to describe.";
    return refused(groupId, Errors.TOPIC_AUTHORIZATION_FAILED, why);
  }
  const { assignorName, ...group } = outcome.value;
  const knowsDescriptions = context.apiVersion >= 1;
  return {
    ...group,
    authorizedOperations: operationsIfAsked(
      context,
      request.includeAuthorizedOperations,
      "GROUP",
      groupId,
    ),
    ...(knowsDescriptions && {
      assignorName,
      topologyDescriptionStatus: request.includeTopologyDescription
        ? DESCRIPTION_NOT_STORED
        : DESCRIPTION_NOT_REQUESTED,
    }),
  };
}

/** The topics whose names the description would show. */
function topicsOf({ topology }: StreamsGroupDescription): string[] {
  return (topology?.subtopologies ?? []).flatMap((subtopology) => [
    ...subtopology.sourceTopics,
    ...subtopology.repartitionSinkTopics,
    ...subtopology.repartitionSourceTopics.map((topic) => topic.name),
    ...subtopology.stateChangelogTopics.map((topic) => topic.name),
  ]);
}

function refused(
  groupId: string,
  errorCode: ErrorCode,
  errorMessage: string | null = null,
): Described {
  return { groupId, errorCode, errorMessage };
}
