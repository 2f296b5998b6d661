import { api, array, int16, int32, string } from "./schema.ts";

/** Moves replicas between a broker's log directories. */
export const alterReplicaLogDirs = api({
  key: 34,
  name: "AlterReplicaLogDirs",
  versions: "1-2",
  flexible: "2+",
  request: {
    dirs: array("0+", {
      path: string("0+"),
      topics: array("0+", {
        name: string("0+"),
        partitions: array("0+", "int32"),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32("0+"),
    results: array("0+", {
      topicName: string("0+"),
      partitions: array("0+", {
        partitionIndex: int32("0+"),
        errorCode: int16("0+"),
      }),
    }),
  },
});
