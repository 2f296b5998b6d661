/** Where tasks begin: at the offsets that were committed, else where their sources say. */
import type { Admin } from "../../client/admin.ts";
import { byTopic, partitionKey, type TopicPartition } from "../../client/group-protocol.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { reads, type Topology } from "../topology/topology.ts";
import type { TaskStart } from "./active-task.ts";
import { decodePartitionTime, decodeProcessorTimes } from "./partition-time.ts";
import type { StreamsConfig } from "./streams-config.ts";
import { internalName } from "./topic-plan.ts";

type Reset = "earliest" | "latest" | "none";

/** See the head of the file. By partition key. */
export async function startsOf(
  admin: Admin,
  topology: Topology,
  config: StreamsConfig,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TaskStart>> {
  const starts = new Map<string, TaskStart>();
  if (partitions.length === 0) return starts;
  const { applicationId, isExactlyOnce } = config;
  // With exactly-once what another member has left open is decided before this answers.
  const committed = await admin.groups.listOffsets(applicationId, {
    partitions: byTopic(partitions),
    stable: isExactlyOnce,
    signal,
  });
  for (const { topic, partition, offset, metadata } of committed) {
    const timeMs = decodePartitionTime(metadata ?? "");
    const processorTimes = decodeProcessorTimes(metadata ?? "");
    const start = { topic, partition, offset, timeMs, processorTimes };
    starts.set(partitionKey(topic, partition), start);
  }
  const others = partitions.filter((each) => !starts.has(partitionKey(each.topic, each.partition)));
  const why = `group "${applicationId}" has committed none`;
  for (const start of await freshStartsOf(admin, topology, config, others, why, signal)) {
    starts.set(partitionKey(start.topic, start.partition), start);
  }
  return starts;
}

/** Where partitions begin of which nothing was read, or is there any more: `why` says that. */
export async function freshStartsOf(
  admin: Admin,
  topology: Topology,
  config: StreamsConfig,
  partitions: readonly TopicPartition[],
  why: string,
  signal: AbortSignal,
): Promise<TaskStart[]> {
  if (partitions.length === 0) return [];
  const queries = partitions.map(({ topic, partition }) => {
    const at = resetOf(topology, config, topic);
    if (at !== "none") return { topic, partition, at };
    throw new OperatorError(
      `there is no offset to begin at in ${topic}-${partition}`,
      `${why}, and auto.offset.reset is none`,
      "set it to earliest or latest, or give the source its own",
    );
  });
  const isolationLevel = config.isExactlyOnce ? "read_committed" : "read_uncommitted";
  const found = await admin.listOffsets(queries, { isolationLevel, signal });
  return found.map(({ topic, partition, offset, error }) => {
    if (error !== null) throw error;
    return { topic, partition, offset, timeMs: -1 };
  });
}

/** As the source of a topic says, by its name in the cluster. */
function resetOf(topology: Topology, config: StreamsConfig, topic: string): Reset {
  for (const node of topology.nodes.values()) {
    if (node.kind !== "source" || node.offsetReset === null) continue;
    const full = (name: string) => internalName(config.applicationId, name);
    const topics = node.topics.map((each) => topology.fullName(each, full));
    if (reads({ ...node, topics }, topic)) return node.offsetReset;
  }
  return config.autoOffsetReset;
}
