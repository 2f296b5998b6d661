import { api, array, int16, int32, int64, int8, string } from "./schema.ts";

/**
 * Finds offsets by timestamp, or the first, last and other special ones.
 *
 * - 1: one offset for a timestamp.
 * - 2: isolation level (KIP-98).
 * - 4: leader epochs (KIP-320).
 * - 6: flexible.
 * - 7: −3 is the record with the highest timestamp (KIP-734).
 * - 8: −4 is the local log start (KIP-405).
 * - 9: −5 is the last tiered offset (KIP-1005).
 * - 10: timeout for asynchronous look-ups (KIP-1075).
 * - 11: −6 is the earliest offset that is not yet tiered (KIP-1023).
 */
export const listOffsets = api({
  key: 2,
  name: "ListOffsets",
  versions: "1-11",
  flexible: "6+",
  request: {
    replicaId: int32("0+"),
    isolationLevel: int8("2+"),
    topics: array("0+", {
      name: string("0+"),
      partitions: array("0+", {
        partitionIndex: int32("0+"),
        currentLeaderEpoch: int32("4+", { default: -1, ignorable: true }),
        timestamp: int64("0+"),
      }),
    }),
    timeoutMs: int32("10+", { ignorable: true }),
  },
  response: {
    throttleTimeMs: int32("2+", { ignorable: true }),
    topics: array("0+", {
      name: string("0+"),
      partitions: array("0+", {
        partitionIndex: int32("0+"),
        errorCode: int16("0+"),
        timestamp: int64("1+", { default: -1n }),
        offset: int64("1+", { default: -1n }),
        leaderEpoch: int32("4+", { default: -1 }),
      }),
    }),
  },
});
