import { api, array, bool, int16, int32, int64, string } from "./schema.ts";

/**
 * Describes the log directories of a broker and what they hold.
 *
 * - 2: flexible.
 * - 3: error code of the whole response.
 * - 4: total and usable bytes (KIP-827).
 * - 5: cordoned directories (KIP-1066).
 */
export const describeLogDirs = api({
  key: 35,
  name: "DescribeLogDirs",
  versions: "1-5",
  flexible: "2+",
  request: {
    topics: array("0+", {
      topic: string("0+"),
      partitions: array("0+", "int32"),
    }, { nullable: "0+" }),
  },
  response: {
    throttleTimeMs: int32("0+"),
    errorCode: int16("3+", { ignorable: true }),
    results: array("0+", {
      errorCode: int16("0+"),
      logDir: string("0+"),
      topics: array("0+", {
        name: string("0+"),
        partitions: array("0+", {
          partitionIndex: int32("0+"),
          partitionSize: int64("0+"),
          offsetLag: int64("0+"),
          isFutureKey: bool("0+"),
        }),
      }),
      totalBytes: int64("4+", { default: -1n, ignorable: true }),
      usableBytes: int64("4+", { default: -1n, ignorable: true }),
      isCordoned: bool("5+", { ignorable: true }),
    }),
  },
});
