import type { Admin } from "../../client/admin.ts";
import { Errors } from "../../core/errors.ts";
import { errorName } from "../../core/errors.ts";
import { count } from "../output.ts";
import type { Look } from "../patience.ts";
import { waitFor } from "./waiting.ts";
import type { WaitOptions } from "./waiting.ts";

/**
 * `kstream wait ready`: every broker is reached as it is advertised and has loaded its groups, every
 * partition has a leader that answers for it.
 */
export async function waitReady(options: WaitOptions): Promise<void> {
  await waitFor("the cluster", options, look);
}

async function look(admin: Admin): Promise<Look<string>> {
  const { cluster } = admin;
  const { topics } = await cluster.refresh(null);
  if (cluster.brokers.size === 0) return { why: "it has no brokers yet" };
  // Clients use these addresses, so a broker that is reached by another one alone is of no use.
  for (const broker of cluster.brokers.values()) await cluster.connect(broker, "main");
  const partitions: { topic: string; partition: number; at: "latest" }[] = [];
  for (const topic of topics) {
    if (topic.errorCode !== Errors.NONE && topic.errorCode !== Errors.LEADER_NOT_AVAILABLE) {
      return { why: `topic "${topic.name}": ${errorName(topic.errorCode)}` };
    }
    for (const { partitionIndex: partition } of topic.partitions) {
      partitions.push({ topic: topic.name ?? "", partition, at: "latest" });
    }
    const orphan = topic.partitions.find(({ leaderId }) => leaderId < 0);
    if (orphan !== undefined) {
      return { why: `partition ${topic.name}-${orphan.partitionIndex} has no leader` };
    }
  }
  // A leader whose disk has failed refuses this.
  for (const { topic, partition, error } of await admin.listOffsets(partitions)) {
    if (error !== null) return { why: `partition ${topic}-${partition}: ${error.message}` };
  }
  // As long as a broker loads groups it refuses this.
  await admin.groups.list();
  const brokers = count(cluster.brokers.size, "broker");
  return { found: `ready: ${brokers}, ${count(partitions.length, "partition")} with leaders` };
}
