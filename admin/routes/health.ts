/**
 * `GET /live`: the process answers. `GET /ready`: clients can produce and fetch; 503 while they
 * cannot, with the reason. Before the broker has started `server.ts` answers both.
 */
import { unreadyReason } from "../../broker/readiness.ts";
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
