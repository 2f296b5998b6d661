/** `/v1/dev`: faults and the clock of a broker for development; 403 without `serve --dev`. */
import type { Broker } from "../../broker/broker.ts";
import type { DevServices } from "../../broker/dev/dev-services.ts";
import { faultSpec, faultView } from "../../broker/dev/fault-spec.ts";
import { body, count, createRoute, json, list, newRoutes, timeMs, z } from "../openapi.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";

/** Time enough for everything to expire that ever does. */
const ADVANCE_MS_MAX = 10 * 366 * 86_400_000;

const RULE = {
  api: z.string().describe("the name of an API, as Produce; * for all"),
  topic: z.string().optional(),
  partition: z.int().optional(),
  client: z.string().optional().describe("a client id"),
  error: z.string().optional().describe("Kafka's name of an error"),
  latencyMs: z.int().optional(),
  drop: z.enum(["before", "after"]).optional(),
  nth: z.int().optional().describe("strike the nth match, from 1"),
  times: z.int().optional(),
  probability: z.number().optional(),
};

/** What comes is checked by `faultSpec`, which says what is meant. */
const FAULT_INPUT = z.record(z.string(), z.unknown()).openapi("FaultInput", {
  type: "object",
  required: ["api"],
  properties: {
    api: { type: "string", description: "the name of an API, as Produce; * for all" },
    topic: { type: "string" },
    partition: { type: "integer", minimum: 0 },
    client: { type: "string", description: "a client id" },
    error: { type: "string", description: "Kafka's name of an error" },
    latencyMs: { type: "integer", minimum: 1, maximum: 3_600_000 },
    drop: { type: "string", enum: ["before", "after"] },
    nth: { type: "integer", minimum: 1, description: "strike the nth match" },
    times: { type: "integer", minimum: 1 },
    probability: { type: "number", exclusiveMinimum: 0, maximum: 1 },
  },
  additionalProperties: false,
});
const FAULT = z.object({ id: z.int(), ...RULE, matched: count, struck: count }).openapi("Fault");
const CLOCK = z.object({ nowMs: timeMs, aheadMs: z.number() }).openapi("DevClock");
const ADVANCE = z.strictObject({
  advanceMs: z.number("is no number of milliseconds").positive().max(ADVANCE_MS_MAX)
    .describe("milliseconds, at most ten years"),
  sessions: z.boolean("is neither true nor false").optional()
    .describe("sessions and heartbeats go on meanwhile unless this is true"),
});
const REMOVED = z.object({ removed: count });

const tags = ["development"];
const LIST = createRoute({
  method: "get",
  path: "/v1/dev/faults",
  operationId: "listFaults",
  tags,
  summary: "The faults that are ordered",
  responses: { 200: json(z.object({ faults: list(FAULT) }), "All rules") },
});
const ADD = createRoute({
  method: "post",
  path: "/v1/dev/faults",
  operationId: "addFault",
  tags,
  summary: "Order a fault",
  request: { body: body(FAULT_INPUT) },
  responses: { 201: json(FAULT, "The rule") },
});
const CLEAR = createRoute({
  method: "delete",
  path: "/v1/dev/faults",
  operationId: "clearFaults",
  tags,
  summary: "Remove all faults",
  responses: { 200: json(REMOVED, "How many there were") },
});
const REMOVE = createRoute({
  method: "delete",
  path: "/v1/dev/faults/{id}",
  operationId: "removeFault",
  tags,
  summary: "Remove one fault",
  request: { params: z.object({ id: z.string() }) },
  responses: { 200: json(REMOVED, "It is removed") },
});
const TELL = createRoute({
  method: "get",
  path: "/v1/dev/clock",
  operationId: "getDevClock",
  tags,
  summary: "The broker's clock",
  responses: { 200: json(CLOCK, "The time there") },
});
const MOVE = createRoute({
  method: "post",
  path: "/v1/dev/clock",
  operationId: "advanceDevClock",
  tags,
  summary: "Move the broker's clock; answers when all is done that has become due",
  request: { body: body(ADVANCE) },
  responses: { 200: json(CLOCK, "The time there now") },
});

export function devRoutes({ broker }: AdminServices) {
  const routes = newRoutes();
  routes.use("/v1/dev/*", async (_context, next) => {
    devOf(broker);
    await next();
  });
  return routes
    .openapi(LIST, (context) => {
      const faults = devOf(broker).faults.list().map(faultView);
      return context.json({ faults }, 200);
    })
    .openapi(ADD, (context) => {
      const spec = faultSpec(context.req.valid("json"), broker.apis);
      return context.json(faultView(devOf(broker).faults.add(spec)), 201);
    })
    .openapi(CLEAR, (context) => context.json({ removed: devOf(broker).faults.clear() }, 200))
    .openapi(REMOVE, (context) => {
      const { id } = context.req.valid("param");
      if (/^\d{1,15}$/.test(id) && devOf(broker).faults.remove(Number(id))) {
        return context.json({ removed: 1 }, 200);
      }
      throw new Problem(404, "not found", `there is no fault ${id.slice(0, 20)}`);
    })
    .openapi(TELL, (context) => context.json(clockView(broker), 200))
    .openapi(MOVE, async (context) => {
      const { advanceMs, sessions = false } = context.req.valid("json");
      await devOf(broker).advance(Math.ceil(advanceMs), { sessions });
      return context.json(clockView(broker), 200);
    });
}

function clockView(broker: Broker): { readonly nowMs: number; readonly aheadMs: number } {
  return { nowMs: broker.io.clock.wallMs(), aheadMs: devOf(broker).clock.aheadMs };
}

function devOf({ dev }: Broker): DevServices {
  if (dev !== null) return dev;
  throw new Problem(
    403,
    "no development broker",
    "this broker takes no faults and no time: it was started without --dev; for tests start one " +
      "with: kstream serve --dev",
  );
}
