/**
 * AlterReplicaLogDirs, versions 1 and 2: moves partitions to other data directories of this broker
 * (KIP-113). The answer comes when the moves have been taken note of; DescribeLogDirs shows how far
 * they are. The sender may alter the cluster (CLUSTER_AUTHORIZATION_FAILED for every partition).
 * LOG_DIR_NOT_FOUND for a directory that there is not, KAFKA_STORAGE_ERROR for one that has failed,
 * UNKNOWN_TOPIC_OR_PARTITION. Who names the directory that the partition is in calls off its move.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { alterReplicaLogDirs } from "../../core/protocol/34-alter-replica-log-dirs.ts";
import type { EncodableResponse } from "../../core/protocol/schema.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Handler } from "../handler.ts";

type Result = NonNullable<EncodableResponse<typeof alterReplicaLogDirs>["results"]>[number];

export const alterReplicaLogDirsHandler: Handler<typeof alterReplicaLogDirs> = {
  api: alterReplicaLogDirs,
  authorize: { kind: "items", operations: ["ALTER CLUSTER"] },
  handle(context, request, broker) {
    const isAllowed = context.authorized("ALTER", "CLUSTER", CLUSTER_NAME);
    // A topic may be named for several directories; its answers stand together.
    const answers = new Map<string, Map<number, ErrorCode>>();
    for (const { path, topics } of request.dirs) {
      for (const { name, partitions } of topics) {
        const codes = answers.get(name) ?? new Map<number, ErrorCode>();
        answers.set(name, codes);
        for (const index of partitions) {
          codes.set(
            index,
            isAllowed
              ? broker.replicaMover.move(name, index, path)
              : Errors.CLUSTER_AUTHORIZATION_FAILED,
          );
        }
      }
    }
    const results = [...answers].map(([topicName, codes]): Result => ({
      topicName,
      partitions: [...codes].map(([partitionIndex, errorCode]) => ({ partitionIndex, errorCode })),
    }));
    return { results };
  },
};
