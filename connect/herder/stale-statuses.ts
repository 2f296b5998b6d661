/** What the status topic says that is not so any more. */
import { connectorWork, taskWork, type Work } from "../group/work.ts";
import type { ConfigState } from "./config-state.ts";
import type { StatusEntry, StatusRecord } from "./status-records.ts";
import type { StatusStore } from "./status-store.ts";

/**
 * Records that put it right: nothing of connectors and tasks that are gone; and what waits for a worker
 * that is gone is not at work. What has been given to another one that says so itself.
 */
export function staleStatuses(
  state: ConfigState,
  statuses: StatusStore,
  isGiven: (work: Work) => boolean,
): StatusRecord[] {
  const isOrphan = (work: Work, { state: said }: StatusEntry) =>
    said !== "UNASSIGNED" && said !== "FAILED" && !isGiven(work);
  const unassigned = (status: StatusEntry): StatusEntry => {
    return { ...status, state: "UNASSIGNED", trace: null };
  };
  return statuses.connectors.flatMap((name): StatusRecord[] => {
    const entry = state.connector(name);
    const own = statuses.connector(name);
    const tasks = statuses.tasks(name);
    const gone = tasks.filter(([task]) => task >= (entry?.tasks.length ?? 0));
    const orphans = tasks.filter(([task, status]) => {
      const isThere = task < (entry?.tasks.length ?? 0);
      return isThere && isOrphan(taskWork({ connector: name, task }), status);
    });
    return [
      ...(own !== null && entry === null
        ? [{ type: "connector" as const, name, status: null }]
        : []),
      ...(own !== null && entry !== null && isOrphan(connectorWork(name), own)
        ? [{ type: "connector" as const, name, status: unassigned(own) }]
        : []),
      ...gone.map(([task]) => {
        return { type: "task" as const, id: { connector: name, task }, status: null };
      }),
      ...orphans.map(([task, status]) => {
        const id = { connector: name, task };
        return { type: "task" as const, id, status: unassigned(status) };
      }),
      ...(entry === null ? statuses.topics(name) : []).map(({ topic }) => {
        return { type: "topic" as const, topic, connector: name, use: null };
      }),
    ];
  });
}
