/**
 * `GET /live`: the process answers. `GET /ready`: clients can produce and fetch; 503 while they
 * cannot, with the reason.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Routes } from "../app.ts";
import { Problem } from "../problem.ts";

export const healthRoutes: Routes = (app, { broker }) => {
  app.get("/live", (context) => context.json({ live: true }));
  app.get("/ready", (context) => {
    const why = unreadyReason(broker);
    if (why !== null) throw new Problem(503, "not ready", why);
    return context.json({ ready: true, clusterId: broker.clusterId, nodeId: broker.nodeId });
  });
};

/** Why clients cannot produce and fetch, or null. */
function unreadyReason(broker: Broker): string | null {
  if (broker.stopping.aborted) return "the broker is stopping";
  const failed = broker.dataDirs.all.find((dir) => dir.failure !== null);
  if (failed !== undefined) return `the data directory ${failed.path} has failed`;
  return null;
}
