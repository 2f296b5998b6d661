/**
 * The bytes of the group coordinator's records: Kafka's own, so that its tools read ours and ours
 * reads its. Each kind of group brings its codec.
 */
import { decodePrefix, ProtocolError } from "../../../core/protocol/codec.ts";
import {
  groupMetadataRecord,
  legacyOffsetCommitRecord,
  offsetCommitRecord,
} from "../../../core/protocol/records/offset-and-group-records.ts";
import type { EncodedRecord, RecordCodec } from "../shard.ts";
import { decodeGroupMetadata, encodeGroupMetadata } from "./classic/classic-codec.ts";

import { definedRecordCodec } from "./defined-records.ts";
import { type GroupRecord, groupRecordDefinitions } from "./group-records.ts";
import { decodeOffsetCommit, encodeOffsetCommit } from "./offsets/offset-codec.ts";

/** See the header. Decoded bytes are copies, so that a member keeps no read buffer in memory. */
export const groupRecordCodec: RecordCodec<GroupRecord> = { encode, decode };

const definedCodec = definedRecordCodec(groupRecordDefinitions);

function encode(record: GroupRecord): EncodedRecord {
  switch (record.type) {
    case "OffsetCommit":
      return encodeOffsetCommit(record);
    case "GroupMetadata":
      return encodeGroupMetadata(record);
    default:
      return definedCodec.encode(record);
  }
}

function decode(key: Uint8Array, value: Uint8Array | null): GroupRecord | null {
  try {
    switch (decodePrefix(key)) {
      case legacyOffsetCommitRecord.type:
      case offsetCommitRecord.type:
        return decodeOffsetCommit(key, value);
      case groupMetadataRecord.type:
        return decodeGroupMetadata(key, value);
      default:
        return definedCodec.decode(key, value);
    }
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}
