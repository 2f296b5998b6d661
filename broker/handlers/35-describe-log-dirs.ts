/**
 * DescribeLogDirs, versions 1 to 5: the data directories, the bytes of each partition in them and
 * the bytes that are free. The sender may describe the cluster (CLUSTER_AUTHORIZATION_FAILED from
 * version 3 on, an empty answer before). A directory that cannot be written any more, or is gone,
 * answers KAFKA_STORAGE_ERROR. Partitions that are unknown, or never were written, are left out. The
 * size of the whole disk is not known: −1.
 */
import { Errors } from "../../core/errors.ts";
import { describeLogDirs } from "../../core/protocol/35-describe-log-dirs.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import type { DataDir } from "../../storage/data-dir.ts";
import type { PartitionLog } from "../../storage/partition-log.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
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
      results: broker.dataDirs.all.map((dir) => describe(request, dir, broker)),
    };
  },
};

function describe(
  request: RequestOf<typeof describeLogDirs>,
  dataDir: DataDir,
  broker: Broker,
): Result {
  const freeBytes = dataDir.freeBytes();
  if (dataDir.failure !== null || freeBytes === null) {
    return { errorCode: Errors.KAFKA_STORAGE_ERROR, logDir: dataDir.path };
  }
  return {
    errorCode: Errors.NONE,
    logDir: dataDir.path,
    topics: topicsOf(wantedLogs(request, dataDir), broker),
    usableBytes: BigInt(freeBytes),
  };
}

/** The logs that were asked for, those on their way here, too. */
function* wantedLogs(
  { topics }: RequestOf<typeof describeLogDirs>,
  dataDir: DataDir,
): Generator<{ log: PartitionLog; isFuture: boolean }> {
  const wanted = topics === null
    ? null
    : new Map(topics.map(({ topic, partitions }) => [topic, new Set(partitions)]));
  const isWanted = (log: PartitionLog) =>
    log.topic !== CLUSTER_METADATA_TOPIC &&
    (wanted === null || wanted.get(log.topic)?.has(log.partition) === true);
  for (const log of dataDir.logs()) if (isWanted(log)) yield { log, isFuture: false };
  for (const log of dataDir.futureLogs()) if (isWanted(log)) yield { log, isFuture: true };
}

function topicsOf(
  logs: Iterable<{ log: PartitionLog; isFuture: boolean }>,
  broker: Broker,
): NonNullable<Result["topics"]> {
  const byTopic = Map.groupBy(logs, ({ log }) => log.topic);
  return [...byTopic].map(([name, ofTopic]) => ({
    name,
    partitions: ofTopic.map(({ log, isFuture }) => ({
      partitionIndex: log.partition,
      partitionSize: BigInt(log.sizeBytes),
      offsetLag: isFuture ? lagOf(log, broker) : 0n,
      isFutureKey: isFuture,
    })),
  }));
}

/** How many offsets a log on its way here is behind the one that counts. */
function lagOf(future: PartitionLog, broker: Broker): bigint {
  const partition = broker.partitions.find(future.topic, future.partition);
  if (typeof partition === "number") return 0n;
  return BigInt(Math.max(0, partition.logEndOffset - future.logEndOffset));
}
