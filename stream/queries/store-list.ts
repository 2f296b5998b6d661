/** What stores there are, and who has what: what `GET /stores` answers. */
import type { QueryableHost, TaskId } from "../assignor/index.ts";
import type { RestoreProgress } from "../runtime/restorer.ts";

/** Tasks of a store. */
interface StoreTasks {
  readonly running: readonly TaskId[];
  readonly restoring: readonly TaskId[];
  readonly standby: readonly TaskId[];
}

interface ListedStore {
  readonly name: string;
  readonly kind: string;
  /** Names of serdes; null: they have none. */
  readonly keys: string | null;
  readonly values: string | null;
  readonly isGlobal: boolean;
  /** Null: it is global. */
  readonly partitions: number | null;
  readonly here: StoreTasks;
}

/** See the head of the file. */
export interface StoreList {
  readonly application: string;
  /** Where the process can be asked; null: nowhere. */
  readonly endpoint: string | null;
  readonly stores: readonly ListedStore[];
  readonly restoring: readonly RestoreProgress[];
  readonly members: readonly QueryableHost[];
}

/** Of a process at that endpoint whose threads have answered these. */
export function mergedLists(bodies: readonly string[], endpoint: string): string {
  // Threads run the same program.
  const lists = bodies.map((body) => JSON.parse(body) as StoreList);
  const [first] = lists;
  if (first === undefined) throw new Error("a process has one thread at least");
  const stores = first.stores.map((store): ListedStore => {
    const all = lists.flatMap((list) => list.stores.filter(({ name }) => name === store.name));
    const of = (what: keyof StoreTasks) => all.flatMap(({ here }) => here[what]).toSorted();
    const here = { running: of("running"), restoring: of("restoring"), standby: of("standby") };
    return { ...store, here };
  });
  const restoring = lists.flatMap((list) => list.restoring);
  return JSON.stringify({ ...first, endpoint, stores, restoring } satisfies StoreList);
}
