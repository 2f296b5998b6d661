import { count } from "../output.ts";
import { waitFor } from "./waiting.ts";
import type { WaitOptions } from "./waiting.ts";

/** Options of `wait topic`. */
export interface WaitTopicOptions extends WaitOptions {
  /** At least so many. */
  readonly partitions?: number | undefined;
}

/** `kstream wait topic`: it is there, with leaders for all its partitions. */
export async function waitTopic(name: string, options: WaitTopicOptions): Promise<void> {
  const wanted = options.partitions ?? 1;
  await waitFor(`topic "${name}"`, options, async (admin) => {
    const [described] = await admin.describeTopics([name]);
    const topic = described?.topic ?? null;
    if (topic === null) {
      const error = described?.error ?? null;
      // What may not be seen does not come by waiting.
      if (error !== null && !error.retriable) throw error;
      return { why: "it does not exist" };
    }
    if (topic.partitions.length < wanted) {
      return { why: `it has ${count(topic.partitions.length, "partition")} of ${wanted}` };
    }
    const orphan = topic.partitions.find(({ leader }) => leader < 0);
    if (orphan !== undefined) return { why: `its partition ${orphan.partition} has no leader` };
    return { found: `topic ${name} is there: ${count(topic.partitions.length, "partition")}` };
  });
}
