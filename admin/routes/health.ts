/**
 * `GET /live`: the process answers. `GET /ready`: clients can produce and fetch; 503 while they
 * cannot, with the reason. Before the broker has started `server.ts` answers both. `GET /health`: all
 * that is wrong (`Health`); 503 if something keeps clients from their work.
 */
import { unreadyReason } from "../../broker/readiness.ts";
import { HealthWatch } from "../health.ts";
import type { Routes } from "../app.ts";
import { Problem } from "../problem.ts";

export const healthRoutes: Routes = (app, { broker }) => {
  const watch = new HealthWatch(broker);
  app.get("/health", (context) => {
    const health = watch.look();
    return context.json(health, health.healthy ? 200 : 503);
  });
  app.get("/live", (context) => context.json({ live: true }));
  app.get("/ready", (context) => {
    const why = unreadyReason(broker);
    if (why !== null) throw new Problem(503, "not ready", why);
    return context.json({ ready: true, clusterId: broker.clusterId, nodeId: broker.nodeId });
  });
};
