/** Configs of topics and brokers, with what each is for, and their changes. */
import type { Context } from "hono";
import type { Admin, ConfigResource } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { Errors } from "../../core/errors.ts";
import type { AdminEnv } from "../app.ts";
import { checkIfMatch } from "../etag.ts";
import { body, createRoute, json, list, newRoutes, z } from "../openapi.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";
import { DRY_RUN, TOPIC_PARAM } from "./topics.ts";

const CONFIG = z.object({
  name: z.string(),
  value: z.string().nullable().describe("null where it is secret or has none"),
  source: z.string().describe("topic, broker, broker-default, static, default: who has set it"),
  readOnly: z.boolean(),
  sensitive: z.boolean(),
  documentation: z.string().nullable(),
}).openapi("Config");
const CONFIGS = json(z.object({ configs: list(CONFIG) }), "All configs, by name");
const CHANGES = body(
  z.record(z.string().min(1).max(249), z.string().max(100_000).nullable())
    .openapi({ description: "names and their new values; null: the default again" }),
);
const IF_MATCH = z.object({
  "if-match": z.string().optional().describe("only if the configs are still those with this ETag"),
});
const BROKER_PARAM = z.object({
  broker: z.string().regex(/^(?:\d{1,10}|default)$/, "is no id of a broker, nor default")
    .describe("its id, or default: what holds for all brokers"),
});

const OF_TOPIC = createRoute({
  method: "get",
  path: "/v1/topics/{topic}/configs",
  operationId: "getTopicConfigs",
  tags: ["topics"],
  summary: "The configs of a topic",
  request: { params: TOPIC_PARAM },
  responses: { 200: CONFIGS },
});
const CHANGE_TOPIC = createRoute({
  method: "patch",
  path: "/v1/topics/{topic}/configs",
  operationId: "changeTopicConfigs",
  tags: ["topics"],
  summary: "Change configs of a topic; those that are not named stay",
  request: { params: TOPIC_PARAM, query: DRY_RUN, headers: IF_MATCH, body: CHANGES },
  responses: { 200: CONFIGS },
});
const OF_BROKER = createRoute({
  method: "get",
  path: "/v1/brokers/{broker}/configs",
  operationId: "getBrokerConfigs",
  tags: ["cluster"],
  summary: "The configs of a broker, or with default what is set for all",
  request: { params: BROKER_PARAM },
  responses: { 200: CONFIGS },
});
const CHANGE_BROKER = createRoute({
  method: "patch",
  path: "/v1/brokers/{broker}/configs",
  operationId: "changeBrokerConfigs",
  tags: ["cluster"],
  summary: "Change configs of a broker, or with default of all; those that are not named stay",
  request: { params: BROKER_PARAM, query: DRY_RUN, headers: IF_MATCH, body: CHANGES },
  responses: { 200: CONFIGS },
});

export function configRoutes(services: AdminServices) {
  const adminOf = (context: Context<AdminEnv>) =>
    services.client(context.var.principal, context.env.peer).admin;
  return newRoutes()
    .openapi(OF_TOPIC, async (context) => {
      const resource = topicResource(context.req.valid("param").topic);
      return context.json(await readConfigs(adminOf(context), resource), 200);
    })
    .openapi(CHANGE_TOPIC, async (context) => {
      const resource = topicResource(context.req.valid("param").topic);
      const ifMatch = context.req.valid("header")["if-match"];
      const { dryRun } = context.req.valid("query");
      const options = { ifMatch, validateOnly: dryRun };
      const changes = context.req.valid("json");
      return context.json(await change(adminOf(context), resource, changes, options), 200);
    })
    .openapi(OF_BROKER, async (context) => {
      const admin = adminOf(context);
      const resource = await brokerResource(admin, context.req.valid("param").broker);
      return context.json(await readConfigs(admin, resource), 200);
    })
    .openapi(CHANGE_BROKER, async (context) => {
      const admin = adminOf(context);
      const resource = await brokerResource(admin, context.req.valid("param").broker);
      const ifMatch = context.req.valid("header")["if-match"];
      const { dryRun } = context.req.valid("query");
      const options = { ifMatch, validateOnly: dryRun };
      return context.json(await change(admin, resource, context.req.valid("json"), options), 200);
    });
}

function topicResource(name: string): ConfigResource {
  return { type: "topic", name };
}

/** A broker that is not there would be waited for, as for one that starts. */
async function brokerResource(admin: Admin, name: string): Promise<ConfigResource> {
  if (name === "default") return { type: "broker", name: "" };
  const { brokers } = await admin.cluster.refresh([]);
  if (brokers.some(({ nodeId }) => nodeId === Number(name))) {
    return { type: "broker", name: String(Number(name)) };
  }
  throw new Problem(404, "not found", `there is no broker ${name}`);
}

async function readConfigs(admin: Admin, resource: ConfigResource) {
  const entries = await admin.describeConfigs(resource, { documentation: true });
  const configs = entries.map((entry) => ({
    ...entry,
    documentation: entry.documentation ?? null,
  })).sort((a, b) => a.name < b.name ? -1 : 1);
  return { configs };
}

async function change(
  admin: Admin,
  resource: ConfigResource,
  changes: Readonly<Record<string, string | null>>,
  { ifMatch, validateOnly }: {
    readonly ifMatch: string | undefined;
    readonly validateOnly: boolean;
  },
) {
  if (Object.keys(changes).length === 0) {
    throw new Problem(400, "bad request body", "no change is named");
  }
  await checkIfMatch(ifMatch, () => readConfigs(admin, resource));
  const operations = Object.entries(changes).map(([name, value]) => ({
    name,
    operation: value === null ? "delete" as const : "set" as const,
    value,
  }));
  try {
    await admin.incrementalAlterConfigs(resource, operations, { validateOnly });
  } catch (error) {
    const isUnknown = error instanceof KafkaError && error.code === Errors.UNKNOWN_SERVER_ERROR;
    throw isUnknown ? new Problem(400, "refused", error.message, { error: error.codeName }) : error;
  }
  return await readConfigs(admin, resource);
}
