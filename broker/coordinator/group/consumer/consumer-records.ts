/** The records of consumer groups in `__consumer_offsets` (KIP-848). */
import {
  consumerGroupCurrentMemberAssignmentRecord,
  consumerGroupMemberMetadataRecord,
  consumerGroupMetadataRecord,
  consumerGroupPartitionMetadataRecord,
  consumerGroupRegularExpressionRecord,
  consumerGroupTargetAssignmentMemberRecord,
  consumerGroupTargetAssignmentMetadataRecord,
} from "../../../../core/protocol/records/consumer-group-records.ts";
import type { RecordsOf } from "../defined-records.ts";

/** By the names that Kafka gives them. `PartitionMetadata` is read, and written as a tombstone only. */
export const consumerRecordDefinitions = {
  ConsumerGroupMetadata: consumerGroupMetadataRecord,
  ConsumerGroupPartitionMetadata: consumerGroupPartitionMetadataRecord,
  ConsumerGroupMemberMetadata: consumerGroupMemberMetadataRecord,
  ConsumerGroupTargetAssignmentMetadata: consumerGroupTargetAssignmentMetadataRecord,
  ConsumerGroupTargetAssignmentMember: consumerGroupTargetAssignmentMemberRecord,
  ConsumerGroupCurrentMemberAssignment: consumerGroupCurrentMemberAssignmentRecord,
  ConsumerGroupRegularExpression: consumerGroupRegularExpressionRecord,
} as const;

/** Every record of a consumer group. */
export type ConsumerGroupRecord = RecordsOf<typeof consumerRecordDefinitions>;
