/** Where tasks begin: at the offsets that were committed, else where their sources say. */
import type { Admin } from "../../client/admin.ts";
import { byTopic, partitionKey, type TopicPartition } from "../../client/group-protocol.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Topology } from "../topology/topology.ts";
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
  const resets = resetsOf(topology, config);
  const queries = partitions.flatMap(({ topic, partition }) => {
    if (starts.has(partitionKey(topic, partition))) return [];
    const at = resets.get(topic) ?? config.autoOffsetReset;
    if (at !== "none") return [{ topic, partition, at }];
    throw new OperatorError(
      `there is no offset to begin at in ${topic}-${partition}`,
      `group "${applicationId}" has committed none, and auto.offset.reset is none`,
      "set it to earliest or latest, or give the source its own",
    );
  });
  const isolationLevel = isExactlyOnce ? "read_committed" : "read_uncommitted";
  const found = queries.length === 0
    ? []
    : await admin.listOffsets(queries, { isolationLevel, signal });
  for (const { topic, partition, offset, error } of found) {
    if (error !== null) throw error;
    starts.set(partitionKey(topic, partition), { topic, partition, offset, timeMs: -1 });
  }
  return starts;
}

/** By topic as it is called in the cluster, where its source says so. */
function resetsOf(topology: Topology, { applicationId }: StreamsConfig): Map<string, Reset> {
  const resets = new Map<string, Reset>();
  for (const node of topology.nodes.values()) {
    if (node.kind !== "source" || node.offsetReset === null) continue;
    for (const topic of node.topics) {
      const name = topology.fullName(topic, (each) => internalName(applicationId, each));
      resets.set(name, node.offsetReset);
    }
  }
  return resets;
}
