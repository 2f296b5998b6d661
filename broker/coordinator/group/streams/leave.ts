/** Members that leave a streams group or are fenced from it. */
import { Errors } from "../../../../core/errors.ts";
import { accept } from "../../../outcome.ts";
import type { GroupRecord } from "../group-records.ts";
import {
  NO_STEP,
  refused,
  type Step,
  type StreamsHeartbeatRequest,
  type StreamsHeartbeatResult,
  type StreamsParts,
} from "./parts.ts";
import { groupEpochRecord, memberTombstones, type StreamsGroup } from "./streams-group.ts";
import type { StreamsMember } from "./streams-member.ts";

/** Removes the member; it may ask all others to shut down. */
export function streamsLeave(
  parts: StreamsParts,
  { groupId, memberId, memberEpoch, shutdownApplication }: StreamsHeartbeatRequest,
): StreamsHeartbeatResult {
  const group = parts.find(groupId);
  if (group === undefined) {
    const why = parts.context.groups.has(groupId)
      ? `Group ${groupId} is not a streams group.`
      : `Group ${groupId} not found.`;
    return refused(Errors.GROUP_ID_NOT_FOUND, why);
  }
  if (!group.members.has(memberId)) {
    const why = `Member ${memberId} is not a member of group ${groupId}.`;
    return refused(Errors.UNKNOWN_MEMBER_ID, why);
  }
  if (shutdownApplication) group.requestShutdown(memberId);
  const response = accept({
    memberId,
    memberEpoch,
    heartbeatIntervalMs: 0,
    status: [],
    tasks: null,
    endpointInformationEpoch: 0,
    partitionsByUserEndpoint: null,
    topicsToCreate: [],
  });
  return { records: removal(group, memberId), response };
}

/** The operation of a deadline that a member has missed. */
export function fenceOnTimeout(
  parts: StreamsParts,
  groupId: string,
  memberId: string,
  reason: string,
  which: (member: StreamsMember) => boolean,
): Step {
  const group = parts.find(groupId);
  const member = group?.members.get(memberId);
  if (group === undefined || member === undefined || !which(member)) return NO_STEP;
  parts.context.logger.info("group member is fenced", { group: groupId, memberId, reason });
  return {
    records: removal(group, memberId),
    response: undefined,
    // A member that could not be removed is watched on.
    onFailed: () => parts.sessions.touch(groupId, memberId),
  };
}

/** The member goes, and the rest get a new epoch. */
function removal(group: StreamsGroup, memberId: string): GroupRecord[] {
  const { groupId, current } = group;
  return [
    ...memberTombstones(groupId, memberId),
    groupEpochRecord(groupId, { ...current, epoch: current.epoch + 1 }),
  ];
}
