/** `GET /v1/me`: who asks, and what is not for them to see, so that pages can say so. */
import { authorizedOperationNames, principalName } from "../../broker/authorizer.ts";
import { CLUSTER_NAME, type ResourceType } from "../../core/acl.ts";
import { createRoute, json, list, newRoutes, z } from "../openapi.ts";
import type { AdminServices } from "../services.ts";

/** As the authorizer's `authorizeByResourceType`: a name that no ACL names. */
const NOBODYS_NAME = "hardcode";

const ME = z.object({
  principal: z.string().describe("User:alice"),
  cluster: list(z.string()).describe("operations on the cluster: DESCRIBE, ALTER, …"),
  sees: z.object({
    topics: z.boolean(),
    groups: z.boolean(),
    transactions: z.boolean(),
  }).describe("whether lists hold all of these, also those that no ACL names"),
}).openapi("Me");

const GET = createRoute({
  method: "get",
  path: "/v1/me",
  operationId: "getMe",
  tags: ["security"],
  summary: "Who asks, and what they may see",
  responses: { 200: json(ME, "The user") },
});

export function meRoutes({ broker: { authorizer } }: AdminServices) {
  return newRoutes().openapi(GET, (context) => {
    const { principal } = context.var;
    const { peer } = context.env;
    const cluster = authorizedOperationNames(authorizer, principal, peer, "CLUSTER", CLUSTER_NAME);
    const describes = (resourceType: ResourceType) =>
      authorizer.authorize(principal, peer, {
        operation: "DESCRIBE",
        resourceType,
        name: NOBODYS_NAME,
      });
    const sees = {
      topics: describes("TOPIC"),
      groups: cluster.includes("DESCRIBE") || describes("GROUP"),
      transactions: describes("TRANSACTIONAL_ID"),
    };
    return context.json({ principal: principalName(principal), cluster, sees }, 200);
  });
}
