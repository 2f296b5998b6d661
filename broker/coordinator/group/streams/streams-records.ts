/** The records of streams groups in `__consumer_offsets` (KIP-1071). */
import {
  streamsGroupCurrentMemberAssignmentRecord,
  streamsGroupMemberMetadataRecord,
  streamsGroupMetadataRecord,
  streamsGroupTargetAssignmentMemberRecord,
  streamsGroupTargetAssignmentMetadataRecord,
  streamsGroupTopologyRecord,
} from "../../../../core/protocol/records/streams-group-records.ts";
import type { RecordsOf } from "../defined-records.ts";

/** By the names that Kafka gives them. */
export const streamsRecordDefinitions = {
  StreamsGroupMetadata: streamsGroupMetadataRecord,
  StreamsGroupMemberMetadata: streamsGroupMemberMetadataRecord,
  StreamsGroupTopology: streamsGroupTopologyRecord,
  StreamsGroupTargetAssignmentMetadata: streamsGroupTargetAssignmentMetadataRecord,
  StreamsGroupTargetAssignmentMember: streamsGroupTargetAssignmentMemberRecord,
  StreamsGroupCurrentMemberAssignment: streamsGroupCurrentMemberAssignmentRecord,
} as const;

/** Every record of a streams group. */
export type StreamsGroupRecord = RecordsOf<typeof streamsRecordDefinitions>;

/** Whether a record is one of a streams group. */
export function isStreamsRecord<R extends { readonly type: string }>(
  record: R,
): record is R & StreamsGroupRecord {
  return Object.hasOwn(streamsRecordDefinitions, record.type);
}
