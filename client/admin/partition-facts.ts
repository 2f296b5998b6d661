/** What is known of many partitions at once: their offsets, and what they take on disk. */
import { groupBy } from "../../core/group-by.ts";
import type { Admin } from "../admin.ts";
import type { TopicMetadata } from "../cluster.ts";
import { ConnectionError, KafkaError, TimeoutError } from "../errors.ts";
import type { OperationOptions } from "../options.ts";
import { replicaSizes } from "./log-dirs.ts";

/** What could not be learnt is null. */
export interface PartitionFacts {
  readonly startOffset: number | null;
  /** Where consumers with read_committed end; before `endOffset` while transactions are open. */
  readonly stableOffset: number | null;
  readonly endOffset: number | null;
  /** Of the leader's replica. */
  readonly sizeBytes: number | null;
}

/** The facts of all partitions of these topics, by `topic/partition`. */
export async function partitionFacts(
  admin: Admin,
  topics: readonly TopicMetadata[],
  options: OperationOptions = {},
): Promise<(topic: string, partition: number) => PartitionFacts> {
  const [offsets, stable, sizes] = await Promise.all([
    readOffsets(admin, topics, ["earliest", "latest"], "read_uncommitted", options),
    readOffsets(admin, topics, ["latest"], "read_committed", options),
    readSizes(admin, topics, options),
  ]);
  return (topic, partition) => {
    const key = `${topic}/${partition}`;
    return {
      startOffset: offsets.get(`${key}/earliest`) ?? null,
      stableOffset: stable.get(`${key}/latest`) ?? null,
      endOffset: offsets.get(`${key}/latest`) ?? null,
      sizeBytes: sizes.get(key) ?? null,
    };
  };
}

/** Offsets by `topic/partition/earliest` and `…/latest`. */
async function readOffsets(
  admin: Admin,
  topics: readonly TopicMetadata[],
  wanted: readonly ("earliest" | "latest")[],
  isolationLevel: "read_uncommitted" | "read_committed",
  options: OperationOptions,
): Promise<Map<string, number>> {
  const queries = topics.flatMap(({ name, partitions }) =>
    partitions.filter(({ leader }) => leader >= 0).flatMap(({ partition }) =>
      wanted.map((at) => ({ topic: name, partition, at }))
    )
  );
  const ask = () => admin.listOffsets(queries, { ...options, isolationLevel });
  const answers = await orNothing(ask, []);
  const found = new Map<string, number>();
  answers.forEach(({ topic, partition, offset, error }, i) => {
    if (error === null) found.set(`${topic}/${partition}/${queries[i]?.at}`, Number(offset));
  });
  return found;
}

/** What the leaders' replicas take on disk, by `topic/partition`. */
export async function readSizes(
  admin: Admin,
  topics: readonly TopicMetadata[],
  options: OperationOptions = {},
): Promise<Map<string, number>> {
  const all = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition, leader }) => ({ topic: name, partition, leader }))
  ).filter(({ leader }) => leader >= 0);
  const found = new Map<string, number>();
  await Promise.all([...groupBy(all, ({ leader }) => leader)].map(async ([leader, led]) => {
    const byTopic = [...groupBy(led, ({ topic }) => topic)].map(([topic, list]) => ({
      topic,
      partitions: list.map(({ partition }) => partition),
    }));
    const ask = () => replicaSizes(admin.cluster, leader, byTopic, options);
    const sizes = await orNothing(ask, null);
    if (sizes === null) return;
    // A partition that was never written to may have no folder yet.
    for (const { topic, partition } of led) found.set(`${topic}/${partition}`, 0);
    for (const size of sizes) found.set(`${size.topic}/${size.partition}`, size.sizeBytes);
  }));
  return found;
}

/** The answer, or `nothing` where it is refused, does not come or cannot be given. */
export async function orNothing<T, N>(ask: () => Promise<T>, nothing: N): Promise<T | N> {
  try {
    return await ask();
  } catch (error) {
    const isPartial = error instanceof KafkaError || error instanceof TimeoutError ||
      error instanceof ConnectionError;
    if (isPartial) return nothing;
    throw error;
  }
}
