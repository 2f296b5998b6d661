/**
 * `GET /live`: the process answers. `GET /ready`: clients can produce and fetch; 503 while they
 * cannot, with the reason. Before the broker has started `server.ts` answers both. `GET /health`: all
 * that is wrong (`Health`); 503 if something keeps clients from their work. Of several shards each
 * answers for all.
 */
import { HealthWatch, unreadyOf } from "../health.ts";
import { createRoute, json, list, newRoutes, z } from "../openapi.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";

const HEALTH = z.object({
  healthy: z.boolean().describe("whether nothing is critical"),
  findings: list(z.object({
    what: z.string().describe("the same word each time, for scripts"),
    severity: z.enum(["critical", "warning"]),
    why: z.string(),
    since: z.string().describe("ISO 8601: when it was first seen"),
  })),
}).openapi("Health");

const tags = ["health"];
const LIVE = createRoute({
  method: "get",
  path: "/live",
  operationId: "getLive",
  tags,
  summary: "Whether the process answers",
  responses: { 200: json(z.object({ live: z.literal(true) }), "It does") },
});
const READY = createRoute({
  method: "get",
  path: "/ready",
  operationId: "getReady",
  tags,
  summary: "Whether clients can produce and fetch",
  description: "503 with the `reasons` while they cannot. A shard answers for all shards.",
  responses: {
    200: json(
      z.object({ ready: z.literal(true), clusterId: z.string(), nodeId: z.int() }),
      "They can",
    ),
  },
});
const GET_HEALTH = createRoute({
  method: "get",
  path: "/health",
  operationId: "getHealth",
  tags,
  summary: "All that is wrong, why and since when",
  responses: {
    200: json(HEALTH, "Nothing that keeps clients from their work"),
    503: json(HEALTH, "Something keeps clients from their work"),
  },
});

export function healthRoutes({ broker, siblings }: AdminServices) {
  const watch = new HealthWatch(broker);
  return newRoutes()
    .openapi(GET_HEALTH, async (context) => {
      const health = watch.look(await siblings());
      return context.json(health, health.healthy ? 200 : 503);
    })
    .openapi(LIVE, (context) => context.json({ live: true as const }, 200))
    .openapi(READY, async (context) => {
      const reasons = unreadyOf(broker, await siblings());
      if (reasons.length > 0) {
        throw new Problem(503, "not ready", reasons.join("; "), { members: { reasons } });
      }
      const { clusterId, nodeId } = broker;
      return context.json({ ready: true as const, clusterId, nodeId }, 200);
    });
}
