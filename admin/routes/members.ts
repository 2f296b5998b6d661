/** `GET /v1/members`: who this broker has heard of by gossip. */
import { createRoute, json, list, newRoutes, z } from "../openapi.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";

const MEMBER = z.object({
  nodeId: z.int(),
  address: z.object({ host: z.string(), port: z.int() }).describe("where it gossips"),
  incarnation: z.int(),
  state: z.enum(["alive", "suspect", "failed", "left"]),
  meta: z.object({
    host: z.string(),
    rack: z.string().nullable(),
    listeners: list(z.object({ name: z.string(), host: z.string(), port: z.int() })),
    version: z.string(),
    loadPercent: z.number(),
  }),
}).openapi("Member");

const LIST = createRoute({
  method: "get",
  path: "/v1/members",
  operationId: "listMembers",
  tags: ["cluster"],
  summary: "The members of the cluster that this broker has heard of by gossip, itself first",
  description: "404 for a broker that is no member of a cluster.",
  responses: { 200: json(z.object({ members: list(MEMBER) }), "The members") },
});

export function memberRoutes({ members }: AdminServices) {
  return newRoutes().openapi(LIST, (context) => {
    const known = members();
    if (known === null) {
      throw new Problem(404, "no member of a cluster", "this broker is a cluster of its own");
    }
    return context.json({ members: known }, 200);
  });
}
