import { withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { formatTable, print, printJson } from "../output.ts";

/** Options of `topic list`. */
export interface ListOptions extends AdminOptions {
  readonly internal?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** `kstream topic list`. */
export async function listTopics(options: ListOptions): Promise<void> {
  const topics = await withAdmin(
    options,
    (admin) => admin.listTopics({ internal: options.internal ?? false }),
  );
  const rows = topics.map(({ name, topicId, isInternal, partitions }) => ({
    topic: name,
    topicId,
    internal: isInternal,
    partitions: partitions.length,
    replicationFactor: partitions[0]?.replicas.length ?? 0,
  }));
  if (options.json) return await printJson(rows);
  await print(formatTable(rows, [
    { title: "TOPIC", cell: ({ topic }) => topic },
    { title: "PARTITIONS", cell: ({ partitions }) => partitions, right: true },
    { title: "REPLICAS", cell: ({ replicationFactor }) => replicationFactor, right: true },
  ]));
}
