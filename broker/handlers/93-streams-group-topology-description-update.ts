/**
 * StreamsGroupTopologyDescriptionUpdate, version 0: a member of a streams group sends what its
 * topology looks like (KIP-1331). Kafka hands that to a plugin of the broker; without one, which is
 * its default, it answers as this broker always does, and its heartbeats never ask for it.
 *
 * - Needs READ on the group. UNSUPPORTED_VERSION.
 */
import { Errors } from "../../core/errors.ts";
import { streamsGroupTopologyDescriptionUpdate } from "../../core/protocol/93-streams-group-topology-description-update.ts";
import type { Handler } from "../handler.ts";

export const streamsGroupTopologyDescriptionUpdateHandler: Handler<
  typeof streamsGroupTopologyDescriptionUpdate
> = {
  api: streamsGroupTopologyDescriptionUpdate,
  authorize: {
    kind: "request",
    wants: ({ groupId }) => [{ operation: "READ", resourceType: "GROUP", name: groupId }],
    deny: () => ({
      errorCode: Errors.GROUP_AUTHORIZATION_FAILED,
      errorMessage: "Group authorization failed.",
    }),
  },
  handle: () => ({
    errorCode: Errors.UNSUPPORTED_VERSION,
    errorMessage: "The broker has no streams group topology description plugin configured.",
  }),
};
