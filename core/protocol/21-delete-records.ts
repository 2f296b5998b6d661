import { api, array, int16, int32, int64, string } from "./schema.ts";

/**
 * Moves the log start offset of partitions up.
 *
 * - 2: flexible.
 */
export const deleteRecords = api({
  key: 21,
  name: "DeleteRecords",
  versions: "0-2",
  flexible: "2+",
  request: {
    topics: array("0+", {
      name: string("0+"),
      partitions: array("0+", {
        partitionIndex: int32("0+"),
        offset: int64("0+"),
      }),
    }),
    timeoutMs: int32("0+"),
  },
  response: {
    throttleTimeMs: int32("0+"),
    topics: array("0+", {
      name: string("0+"),
      partitions: array("0+", {
        partitionIndex: int32("0+"),
        lowWatermark: int64("0+"),
        errorCode: int16("0+"),
      }),
    }),
  },
});
