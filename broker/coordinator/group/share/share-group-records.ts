/** The records of share groups in `__consumer_offsets` (KIP-932). */
import {
  shareGroupCurrentMemberAssignmentRecord,
  shareGroupMemberMetadataRecord,
  shareGroupMetadataRecord,
  shareGroupStatePartitionMetadataRecord,
  shareGroupTargetAssignmentMemberRecord,
  shareGroupTargetAssignmentMetadataRecord,
} from "../../../../core/protocol/records/share-group-records.ts";
import type { RecordsOf } from "../defined-records.ts";

/** By the names that Kafka gives them. */
export const shareRecordDefinitions = {
  ShareGroupMetadata: shareGroupMetadataRecord,
  ShareGroupMemberMetadata: shareGroupMemberMetadataRecord,
  ShareGroupTargetAssignmentMetadata: shareGroupTargetAssignmentMetadataRecord,
  ShareGroupTargetAssignmentMember: shareGroupTargetAssignmentMemberRecord,
  ShareGroupCurrentMemberAssignment: shareGroupCurrentMemberAssignmentRecord,
  ShareGroupStatePartitionMetadata: shareGroupStatePartitionMetadataRecord,
} as const;

/** Every record of a share group. */
export type ShareGroupRecord = RecordsOf<typeof shareRecordDefinitions>;

/** The record of one kind. */
export type ShareGroupRecordOf<T extends ShareGroupRecord["type"]> = Extract<
  ShareGroupRecord,
  { readonly type: T }
>;

/** Whether a record of `__consumer_offsets` is one of a share group. */
export function isShareGroupRecord(record: { readonly type: string }): record is ShareGroupRecord {
  return record.type in shareRecordDefinitions;
}
