/** Sizes of partitions on disk (DescribeLogDirs, KIP-113). */
import { describeLogDirs } from "../../core/protocol/35-describe-log-dirs.ts";
import type { Cluster } from "../cluster.ts";
import { throwOnError } from "../errors.ts";
import type { OperationOptions } from "../options.ts";

/** The size of one replica. */
export interface ReplicaSize {
  readonly topic: string;
  readonly partition: number;
  readonly nodeId: number;
  readonly sizeBytes: number;
}

/** What the replicas of these topics take on the disks of one broker. Throws if it refuses. */
export async function replicaSizes(
  cluster: Cluster,
  nodeId: number,
  topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
  options: OperationOptions = {},
): Promise<ReplicaSize[]> {
  const subject = `describe the log directories of broker ${nodeId}`;
  return await cluster.retry(subject, async ({ timeoutMs }) => {
    const connection = await cluster.broker(nodeId, "main", options.signal);
    const response = await connection.request(describeLogDirs, {
      topics: topics.map(({ topic, partitions }) => ({ topic, partitions: [...partitions] })),
    }, { timeoutMs });
    throwOnError(response.errorCode, subject);
    return response.results.flatMap((dir) =>
      dir.topics.flatMap(({ name, partitions }) =>
        partitions.filter(({ isFutureKey }) => !isFutureKey).map((partition) => ({
          topic: name,
          partition: partition.partitionIndex,
          nodeId,
          sizeBytes: Number(partition.partitionSize),
        }))
      )
    );
  }, options);
}

/** A directory of a broker; sizes are null where the broker is too old to tell (KIP-827). */
export interface LogDir {
  readonly path: string;
  /** Whether the broker has given it up. */
  readonly failed: boolean;
  /** What all partitions in it take, those on their way there, too. */
  readonly sizeBytes: number;
  /** How many those are. */
  readonly partitions: number;
  readonly totalBytes: number | null;
  readonly usableBytes: number | null;
}

/** The directories of one broker. Throws if it refuses. */
export async function logDirs(
  cluster: Cluster,
  nodeId: number,
  options: OperationOptions = {},
): Promise<LogDir[]> {
  const subject = `describe the log directories of broker ${nodeId}`;
  return await cluster.retry(subject, async ({ timeoutMs }) => {
    const connection = await cluster.broker(nodeId, "main", options.signal);
    const response = await connection.request(describeLogDirs, { topics: null }, { timeoutMs });
    throwOnError(response.errorCode, subject);
    return response.results.map(({ logDir, errorCode, topics, totalBytes, usableBytes }) => {
      const sizes = topics.flatMap(({ partitions }) =>
        partitions.map(({ partitionSize }) => Number(partitionSize))
      );
      return {
        path: logDir,
        failed: errorCode !== 0,
        sizeBytes: sizes.reduce((sum, bytes) => sum + bytes, 0),
        partitions: sizes.length,
        totalBytes: totalBytes < 0n ? null : Number(totalBytes),
        usableBytes: usableBytes < 0n ? null : Number(usableBytes),
      };
    });
  }, options);
}
