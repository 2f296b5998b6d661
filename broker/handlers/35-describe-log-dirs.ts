/**
 * DescribeLogDirs, versions 1 to 5: the data directories, the bytes of each partition in them and
 * the bytes that are free. The sender may describe the cluster (CLUSTER_AUTHORIZATION_FAILED from
 * version 3 on, an empty answer before). A directory that cannot be written any more answers
 * KAFKA_STORAGE_ERROR. Partitions that are unknown, or never were written, are left out. The size
 * of the whole disk is not known: −1.
 */
import { Errors } from "../../core/errors.ts";
import { describeLogDirs } from "../../core/protocol/35-describe-log-dirs.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import type { DataDir } from "../../storage/data-dir.ts";
import type { PartitionLog } from "../../storage/partition-log.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Handler } from "../handler.ts";
import { CLUSTER_METADATA_TOPIC } from "../topic-names.ts";

type Result = NonNullable<EncodableResponse<typeof describeLogDirs>["results"]>[number];

export const describeLogDirsHandler: Handler<typeof describeLogDirs> = {
  api: describeLogDirs,
  authorize: { kind: "items", operations: ["DESCRIBE CLUSTER"] },
  handle(context, request, broker) {
    if (!context.authorized("DESCRIBE", "CLUSTER", CLUSTER_NAME)) {
      return { errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED };
    }
    return {
      errorCode: Errors.NONE,
      results: broker.dataDirs.all.map((dir) => describe(request, dir)),
    };
  },
};

function describe(request: RequestOf<typeof describeLogDirs>, dataDir: DataDir): Result {
  if (dataDir.failure !== null) {
    return { errorCode: Errors.KAFKA_STORAGE_ERROR, logDir: dataDir.path };
  }
  return {
    errorCode: Errors.NONE,
    logDir: dataDir.path,
    topics: topicsOf(wantedLogs(request, dataDir)),
    usableBytes: BigInt(dataDir.freeBytes()),
  };
}

function* wantedLogs(
  request: RequestOf<typeof describeLogDirs>,
  dataDir: DataDir,
): Generator<PartitionLog> {
  if (request.topics === null) {
    for (const log of dataDir.logs()) {
      if (log.topic !== CLUSTER_METADATA_TOPIC) yield log;
    }
    return;
  }
  for (const { topic, partitions } of request.topics) {
    for (const partition of new Set(partitions)) {
      const log = dataDir.log(topic, partition);
      if (log !== undefined && topic !== CLUSTER_METADATA_TOPIC) yield log;
    }
  }
}

function topicsOf(logs: Iterable<PartitionLog>): NonNullable<Result["topics"]> {
  const byTopic = new Map<string, PartitionLog[]>();
  for (const log of logs) {
    const known = byTopic.get(log.topic);
    if (known === undefined) byTopic.set(log.topic, [log]);
    else known.push(log);
  }
  return [...byTopic].map(([name, ofTopic]) => ({
    name,
    partitions: ofTopic.map((log) => ({
      partitionIndex: log.partition,
      partitionSize: BigInt(log.sizeBytes),
      offsetLag: 0n,
      isFutureKey: false,
    })),
  }));
}
