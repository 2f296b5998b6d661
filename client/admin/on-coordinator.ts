/** Requests to the coordinator of a group or a transactional id, which may move. */
import type { Connection } from "../../core/connection.ts";
import type { BrokerNode, Cluster, CoordinatorType } from "../cluster.ts";
import type { OperationOptions } from "../options.ts";

/** Runs `ask` with a connection to the coordinator; finds it again where it has moved. */
export async function onCoordinator<T>(
  cluster: Cluster,
  type: CoordinatorType,
  key: string,
  subject: string,
  options: OperationOptions,
  ask: (connection: Connection, timeoutMs: number, node: BrokerNode) => Promise<T>,
): Promise<T> {
  return await cluster.retry(subject, async ({ timeoutMs }) => {
    const node = await cluster.coordinator(type, key, options);
    const connection = await cluster.connect(node, "main", options.signal);
    return await ask(connection, timeoutMs, node);
  }, { ...options, onRetry: () => cluster.forgetCoordinator(type, key) });
}
