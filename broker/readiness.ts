/**
 * Whether clients can produce, fetch and commit here: what `/ready` of the admin API says. It is about
 * this broker alone: that another one is gone, or a partition has no leader, is for `/health`, or all
 * brokers would be taken for unready because of one.
 */
import type { Broker } from "./broker.ts";
import type { LoadingState } from "./coordinator/runtime.ts";

/** What it looks at. */
export type ReadinessServices =
  & Pick<Broker, "stopping" | "dataDirs" | "groups" | "transactions" | "shareStates">
  & { readonly cluster: Pick<NonNullable<Broker["cluster"]>, "lifecycle"> | null };

/**
 * Why clients cannot, in a sentence each; none: they can. A broker that exists has its listeners bound
 * and its metadata read.
 */
export function unreadyReasons(broker: ReadinessServices): string[] {
  if (broker.stopping.aborted) return ["the broker is stopping"];
  return [
    ...ofMembership(broker),
    ...ofDirectories(broker),
    ...ofCoordinator("groups", broker.groups.loadingState()),
    ...ofCoordinator("transactions", broker.transactions.loadingState()),
    ...ofCoordinator("share groups", broker.shareStates.loadingState()),
  ];
}

function ofMembership({ cluster }: ReadinessServices): string[] {
  const why = cluster?.lifecycle.trouble() ?? null;
  return why === null ? [] : [why];
}

function* ofDirectories({ dataDirs }: ReadinessServices): Iterable<string> {
  for (const dir of dataDirs.all) {
    if (dir.failure !== null) {
      yield `the data directory ${dir.path} has failed: ${dir.failure.message}`;
      continue;
    }
    const why = dir.writeProblem();
    if (why !== null) yield `the data directory ${dir.path} cannot be written: ${why}`;
    else if (dir.isFull) yield `the data directory ${dir.path} is full: it takes no records`;
  }
}

function* ofCoordinator(what: string, { loading, failed }: LoadingState): Iterable<string> {
  const [first] = failed;
  if (first !== undefined) {
    yield `the coordinator of ${what} cannot load its partition ${first}: the log says why`;
  } else if (loading.length > 0) {
    yield `the coordinator of ${what} is loading ${loading.length} of its partitions`;
  }
}
