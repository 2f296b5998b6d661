/** `/v1/cluster` and `/v1/brokers`: the cluster, its brokers and their directories. */
import type { Context } from "hono";
import { logDirs } from "../../client/admin/log-dirs.ts";
import type { AdminEnv } from "../app.ts";
import { count, createRoute, json, list, newRoutes, wholeNumber, z } from "../openapi.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";
import { topicItem } from "../topic-views.ts";

const BROKER = z.object({
  nodeId: z.int(),
  host: z.string(),
  port: z.int(),
  rack: z.string().nullable(),
  fenced: z.boolean().describe(
    "whether it leads nothing: nothing is heard of it, or it catches up",
  ),
}).openapi("Broker");
const CLUSTER = z.object({
  clusterId: z.string().nullable(),
  controllerId: z.int().describe("-1: there is none"),
  nodeId: z.int().describe("the broker that answers"),
  version: z.string().describe("of its program"),
  brokers: list(BROKER),
  topics: count,
  partitions: count,
  underReplicated: count,
  leaderless: count,
}).openapi("Cluster");
const LOG_DIR = z.object({
  path: z.string(),
  failed: z.boolean().describe("whether the broker has given it up"),
  sizeBytes: count.describe("of all partitions in it"),
  partitions: count,
  totalBytes: z.int().nullable().describe("of the disk; null: not known"),
  usableBytes: z.int().nullable().describe("that are free; null: not known"),
}).openapi("LogDir");

const tags = ["cluster"];
const DESCRIBE = createRoute({
  method: "get",
  path: "/v1/cluster",
  operationId: "describeCluster",
  tags,
  summary: "The cluster in short",
  responses: { 200: json(CLUSTER, "The cluster") },
});
const BROKERS = createRoute({
  method: "get",
  path: "/v1/brokers",
  operationId: "listBrokers",
  tags,
  summary: "The brokers",
  responses: { 200: json(z.object({ brokers: list(BROKER) }), "All of them") },
});
const LOG_DIRS = createRoute({
  method: "get",
  path: "/v1/brokers/{broker}/log-dirs",
  operationId: "listLogDirs",
  tags,
  summary: "The data directories of a broker",
  request: { params: z.object({ broker: wholeNumber(0, 0x7fff_ffff) }) },
  responses: { 200: json(z.object({ logDirs: list(LOG_DIR) }), "The directories") },
});

export function clusterRoutes(services: AdminServices) {
  const { broker, version } = services;
  const adminOf = (context: Context<AdminEnv>) =>
    services.client(context.var.principal, context.env.peer).admin;
  const readBrokers = (context: Context<AdminEnv>) =>
    adminOf(context).describeCluster({ includeFenced: true });
  return newRoutes()
    .openapi(DESCRIBE, async (context) => {
      const { clusterId, controllerId, brokers } = await readBrokers(context);
      const { nodeId } = broker;
      const sums = clusterSums(services);
      return context.json({ clusterId, controllerId, nodeId, version, brokers, ...sums }, 200);
    })
    .openapi(BROKERS, async (context) => {
      const { brokers } = await readBrokers(context);
      return context.json({ brokers: brokers.toSorted((a, b) => a.nodeId - b.nodeId) }, 200);
    })
    .openapi(LOG_DIRS, async (context) => {
      const { broker: nodeId } = context.req.valid("param");
      const { brokers } = await readBrokers(context);
      if (!brokers.some((each) => each.nodeId === nodeId)) {
        throw new Problem(404, "not found", `there is no broker ${nodeId}`);
      }
      return context.json({ logDirs: await logDirs(adminOf(context).cluster, nodeId) }, 200);
    });
}

function clusterSums({ broker }: AdminServices) {
  const { image } = broker.metadata;
  const sums = { topics: 0, partitions: 0, underReplicated: 0, leaderless: 0 };
  for (const topic of image.topics.values()) {
    const item = topicItem(image, topic);
    sums.topics++;
    sums.partitions += item.partitions;
    sums.underReplicated += item.underReplicated;
    sums.leaderless += item.leaderless;
  }
  return sums;
}
