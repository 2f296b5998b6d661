/** Every kind of record in `__consumer_offsets` that the group coordinator writes or folds. */
import type { GroupMetadataRecord } from "./classic/classic-records.ts";
import { consumerRecordDefinitions } from "./consumer/consumer-records.ts";
import type { RecordsOf } from "./defined-records.ts";
import { shareRecordDefinitions } from "./share/share-group-records.ts";
import type { OffsetCommitRecord } from "./offsets/offset-records.ts";
import { streamsRecordDefinitions } from "./streams/streams-records.ts";

/**
 * The records of consumer, share and streams groups, by the names that Kafka gives them. A kind of
 * group spreads its definitions in here, and `GroupShard` hands its records to it.
 */
export const groupRecordDefinitions = {
  ...consumerRecordDefinitions,
  ...shareRecordDefinitions,
  ...streamsRecordDefinitions,
} as const;

/** A record whose form in memory is its definition. */
export type DefinedGroupRecord = RecordsOf<typeof groupRecordDefinitions>;

/** See the header. */
export type GroupRecord = GroupMetadataRecord | OffsetCommitRecord | DefinedGroupRecord;
