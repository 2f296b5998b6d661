/**
 * `POST /kafka/v3/clusters/CLUSTER/topics/TOPIC/records`: Confluent's REST Proxy, v3: the body is one
 * JSON object a record, any number of them one behind the other, and so is the answer, streamed:
 *
 *     {"key": {"type": "STRING", "data": "k"}, "value": {"type": "JSON", "data": {"n": 1}}}
 *
 * Types are BINARY (base64), JSON and STRING.
 */
import type { Context } from "hono";
import type { AdminEnv } from "../app.ts";
import { clientProblem } from "../client-problem.ts";
import { BodyReader } from "../ingest/body-reader.ts";
import { ConfluentStream } from "../ingest/confluent-stream.ts";
import { openTopic } from "../ingest/ingest-body.ts";
import { poolOf } from "../ingest/producer-pool.ts";
import { createRoute, newRoutes, streamed, streamedBody, z } from "../openapi.ts";
import type { AdminServices } from "../services.ts";
import { requireCluster } from "./confluent.ts";
import { TOPIC_PARAM } from "./topics.ts";

const PAYLOAD = z.strictObject({
  type: z.enum(["BINARY", "JSON", "STRING"]).optional().describe("default: JSON"),
  data: z.unknown().optional().describe("BINARY: base64"),
}).nullable().optional();
const RECORD = z.strictObject({
  partition_id: z.int().min(0).max(0x7fff_ffff).nullable().optional(),
  timestamp: z.union([z.string(), z.int(), z.null()]).optional()
    .describe("ISO 8601, or milliseconds since 1970"),
  key: PAYLOAD,
  value: PAYLOAD,
  headers: z.array(z.object({
    name: z.string(),
    value: z.string().nullable().optional().describe("base64"),
  })).nullable().optional(),
}).openapi("ConfluentRecord");
const SIZE = z.object({ type: z.string(), size: z.int() }).optional();
const RESULT = z.union([
  z.object({
    error_code: z.literal(200),
    cluster_id: z.string(),
    topic_name: z.string(),
    partition_id: z.int(),
    offset: z.int(),
    timestamp: z.string(),
    key: SIZE,
    value: SIZE,
  }),
  z.object({ error_code: z.int(), message: z.string() }),
]).openapi("ConfluentResult");
const RESULTS = { "application/json": RESULT };
const PRODUCE = createRoute({
  method: "post",
  path: "/kafka/v3/clusters/{cluster}/topics/{topic}/records",
  operationId: "confluentProduce",
  tags: ["Confluent v3"],
  summary: "Write records",
  description: "Any number of objects one behind the other; each is answered in its order, while " +
    "the body goes on. What is wrong with the first one is the status.",
  request: {
    params: TOPIC_PARAM.extend({ cluster: z.string() }),
    body: streamedBody(
      { "application/json": { schema: { $ref: "#/components/schemas/ConfluentRecord" } } },
      "Records, one behind the other",
    ),
  },
  responses: {
    200: streamed(RESULTS, "What became of each record"),
    "4XX": streamed(RESULTS, "The first record is refused"),
    "5XX": streamed(RESULTS, "The first record is not stored"),
  },
});

export function confluentRecordRoutes(services: AdminServices) {
  const routes = newRoutes();
  routes.openAPIRegistry.register("ConfluentRecord", RECORD);
  return routes.openapi(PRODUCE, (context) => {
    const { cluster, topic } = context.req.valid("param");
    requireCluster(cluster, services.broker.clusterId);
    return produce(services, context, topic);
  });
}

async function produce(
  services: AdminServices,
  context: Context<AdminEnv>,
  topic: string,
): Promise<Response> {
  const { broker } = services;
  const { clusterId } = broker;
  context.env.exchange?.setIdleSeconds(0);
  const pool = poolOf(services);
  const kind = { acks: "all", compression: "none", create: false } as const;
  const client = services.client(context.get("principal"), context.env.peer);
  const leased = pool.lease(client, kind);
  const release = (isGood: boolean) => {
    pool.release(leased, isGood).catch((failure: unknown) => {
      broker.logger.error("a producer could not be closed", { error: String(failure) });
    });
  };
  const { clock } = broker.io;
  const body = new BodyReader(clock, context.req.raw);
  try {
    await openTopic(leased, topic, -1);
  } catch (failure) {
    body.close();
    release(false);
    const problem = clientProblem(failure);
    if (problem === null) throw failure;
    return error(problem.status, problem.status === 404 ? 40403 : problem.status, problem.detail);
  }
  const stream = new ConfluentStream({ clusterId, topic }, leased, clock, () => {
    release(stream.isGood);
  });
  stream.feed(body).catch(() => {});
  const first = await stream.next() ?? "";
  const code: unknown = first === "" ? 200 : JSON.parse(first).error_code;
  const status = typeof code === "number" && code < 600 ? code : 200;
  // As theirs: what is wrong with the first record is the status, for those that send one.
  return new Response(stream.stream(first), {
    status,
    headers: { "content-type": "application/json" },
  });
}

function error(status: number, error_code: number, message: string): Response {
  return Response.json({ error_code, message }, { status });
}
