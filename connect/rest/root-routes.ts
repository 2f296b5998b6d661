/** What the worker says of itself: `/` and `/health` (KIP-1017). */
import type { RestApp, RestAppOptions } from "./app.ts";

export function rootRoutes(app: RestApp, { herder, version, commit }: RestAppOptions): void {
  app.get("/", (context) => {
    return context.json({ version, commit, kafka_cluster_id: herder.clusterId ?? "" });
  });
  app.get("/health", (context) => {
    const waitsFor = herder.waitsFor;
    if (waitsFor === null) {
      return context.json({
        status: "healthy",
        message: "Worker has completed startup and is ready to handle requests.",
      });
    }
    const message = `Worker is still starting up. The worker is currently ${waitsFor}.`;
    return context.json({ status: "starting", message }, 503);
  });
}
