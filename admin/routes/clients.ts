/** `GET /v1/clients`: who is connected to this broker (`ConnectedClient`). */
import { count, createRoute, json, list, newRoutes, timeMs, z } from "../openapi.ts";
import { LIST_QUERY, nextCursor, pageOfItems, WHOLE } from "../paging.ts";
import type { AdminServices } from "../services.ts";

const TOTALS = z.object({ requests: z.number(), bytesIn: z.number(), bytesOut: z.number() });

const CLIENT = z.object({
  connection: z.int().describe("names the connection while this process lives"),
  clientId: z.string().nullable(),
  software: z.string().nullable(),
  softwareVersion: z.string().nullable(),
  principal: z.string().describe("User:alice"),
  address: z.string(),
  listener: z.string(),
  connectedMs: timeMs,
  idleMs: z.number(),
  topics: list(z.string()),
  hasMoreTopics: z.boolean(),
  totals: TOTALS,
  rates: TOTALS.describe("per second, of the last ten seconds or so"),
  inFlight: count,
  throttleMs: z.number(),
  throttledMs: z.number(),
  lastApi: z.string().nullable(),
  errors: count,
  lastError: z.object({ api: z.string(), error: z.string(), atMs: timeMs }).nullable(),
}).openapi("Client");

const LIST = createRoute({
  method: "get",
  path: "/v1/clients",
  operationId: "listClients",
  tags: ["clients"],
  summary: "Who is connected to this broker",
  request: { query: LIST_QUERY },
  responses: { 200: json(z.object({ clients: list(CLIENT), nextCursor }), "The connections") },
});

export function clientRoutes({ clients }: AdminServices) {
  return newRoutes().openapi(LIST, (context) => {
    const query = { ...WHOLE, ...context.req.valid("query") };
    const page = pageOfItems(clients(), query, nameOf);
    return context.json({ clients: page.items, nextCursor: page.nextCursor }, 200);
  });
}

/** Its number first, so that they come in the order of their age; then what one looks for. */
function nameOf({ connection, clientId, software, principal, address }: {
  readonly connection: number;
  readonly clientId: string | null;
  readonly software: string | null;
  readonly principal: string;
  readonly address: string;
}): string {
  const number = String(connection).padStart(16, "0");
  return `${number} ${clientId ?? ""} ${software ?? ""} ${principal} ${address}`;
}
