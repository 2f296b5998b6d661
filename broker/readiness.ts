/** Whether clients can produce, fetch and commit here: what `/ready` of the admin API says. */
import type { Broker } from "./broker.ts";
import type { LoadingState } from "./coordinator/runtime.ts";

/** What it looks at. */
export type ReadinessServices = Pick<
  Broker,
  "stopping" | "dataDirs" | "groups" | "transactions" | "shareStates"
>;

/** Why clients cannot, or null. A broker that exists has its listeners bound and its metadata read. */
export function unreadyReason(broker: ReadinessServices): string | null {
  if (broker.stopping.aborted) return "the broker is stopping";
  for (const dir of broker.dataDirs.all) {
    if (dir.failure !== null) return `the data directory ${dir.path} has failed`;
    const why = dir.writeProblem();
    if (why !== null) return `the data directory ${dir.path} cannot be written: ${why}`;
  }
  return coordinatorReason("groups", broker.groups.loadingState()) ??
    coordinatorReason("transactions", broker.transactions.loadingState()) ??
    coordinatorReason("share groups", broker.shareStates.loadingState());
}

function coordinatorReason(what: string, { loading, failed }: LoadingState): string | null {
  const [first] = failed;
  if (first !== undefined) {
    return `the coordinator of ${what} cannot load its partition ${first}: the log says why`;
  }
  return loading.length === 0
    ? null
    : `the coordinator of ${what} is loading ${loading.length} of its partitions`;
}
