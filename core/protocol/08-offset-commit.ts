import { api, array, int16, int32, int64, string, uuid } from "./schema.ts";

/**
 * Commits the offsets of a group.
 *
 * - 2: retention time.
 * - 3: throttle time (KIP-219 from 4 on).
 * - 5: no more retention time (KIP-211).
 * - 6: leader epochs (KIP-320).
 * - 7: static membership (KIP-345).
 * - 8: flexible.
 * - 9: member epochs of the new group protocol (KIP-848).
 * - 10: topic ids (KIP-848).
 */
export const offsetCommit = api({
  key: 8,
  name: "OffsetCommit",
  versions: "2-10",
  flexible: "8+",
  request: {
    groupId: string("0+"),
    generationIdOrMemberEpoch: int32("1+", { default: -1, ignorable: true }),
    memberId: string("1+", { ignorable: true }),
    groupInstanceId: string("7+", { nullable: "7+", default: null }),
    retentionTimeMs: int64("2-4", { default: -1n, ignorable: true }),
    topics: array("0+", {
      name: string("0-9", { ignorable: true }),
      topicId: uuid("10+", { ignorable: true }),
      partitions: array("0+", {
        partitionIndex: int32("0+"),
        committedOffset: int64("0+"),
        committedLeaderEpoch: int32("6+", { default: -1, ignorable: true }),
        committedMetadata: string("0+", { nullable: "0+" }),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32("3+", { ignorable: true }),
    topics: array("0+", {
      name: string("0-9", { ignorable: true }),
      topicId: uuid("10+", { ignorable: true }),
      partitions: array("0+", {
        partitionIndex: int32("0+"),
        errorCode: int16("0+"),
      }),
    }),
  },
});
