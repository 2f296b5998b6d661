/**
 * Paths of Confluent's REST API, version 3, so that scripts written for it work: clusters, topics,
 * partitions and configs, in its own words. Records come by `confluent-records.ts`.
 */
import type { Context } from "hono";
import type { Admin } from "../../client/admin.ts";
import type { TopicMetadata } from "../../client/cluster.ts";
import type { AdminEnv } from "../app.ts";
import { body, createRoute, json, list, newRoutes, z } from "../openapi.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";
import { findTopic } from "./topics.ts";

const ITEM = z.looseObject({ kind: z.string(), metadata: z.object({ self: z.string() }) })
  .openapi("ConfluentItem");
const LIST_OF = z.object({
  kind: z.string(),
  metadata: z.object({ self: z.string(), next: z.string().nullable() }),
  data: list(ITEM),
}).openapi("ConfluentList");
const CLUSTER = z.object({ cluster: z.string() });
const TOPIC = CLUSTER.extend({ topic: z.string().min(1).max(249) });
const NEW_TOPIC = z.object({
  topic_name: z.string().min(1).max(249),
  partitions_count: z.int().min(1).optional(),
  replication_factor: z.int().min(1).max(32767).optional(),
  configs: z.array(z.object({ name: z.string(), value: z.string().nullable() })).optional(),
});

const BASE = "/kafka/v3/clusters";
const tags = ["Confluent v3"];
const one = { 200: json(ITEM, "In Confluent's words") };
const all = { 200: json(LIST_OF, "In Confluent's words") };
const CLUSTERS = createRoute({
  method: "get",
  path: BASE,
  operationId: "confluentListClusters",
  tags,
  summary: "This cluster",
  responses: all,
});
const GET_CLUSTER = createRoute({
  method: "get",
  path: `${BASE}/{cluster}`,
  operationId: "confluentGetCluster",
  tags,
  summary: "This cluster",
  request: { params: CLUSTER },
  responses: one,
});
const TOPICS = createRoute({
  method: "get",
  path: `${BASE}/{cluster}/topics`,
  operationId: "confluentListTopics",
  tags,
  summary: "All topics",
  request: { params: CLUSTER },
  responses: all,
});
const CREATE = createRoute({
  method: "post",
  path: `${BASE}/{cluster}/topics`,
  operationId: "confluentCreateTopic",
  tags,
  summary: "Create a topic",
  request: { params: CLUSTER, body: body(NEW_TOPIC) },
  responses: { 201: json(ITEM, "The topic") },
});
const GET_TOPIC = createRoute({
  method: "get",
  path: `${BASE}/{cluster}/topics/{topic}`,
  operationId: "confluentGetTopic",
  tags,
  summary: "A topic",
  request: { params: TOPIC },
  responses: one,
});
const DELETE = createRoute({
  method: "delete",
  path: `${BASE}/{cluster}/topics/{topic}`,
  operationId: "confluentDeleteTopic",
  tags,
  summary: "Delete a topic",
  request: { params: TOPIC },
  responses: { 204: { description: "It is deleted" } },
});
const PARTITIONS = createRoute({
  method: "get",
  path: `${BASE}/{cluster}/topics/{topic}/partitions`,
  operationId: "confluentListPartitions",
  tags,
  summary: "The partitions of a topic",
  request: { params: TOPIC },
  responses: all,
});
const CONFIGS = createRoute({
  method: "get",
  path: `${BASE}/{cluster}/topics/{topic}/configs`,
  operationId: "confluentListTopicConfigs",
  tags,
  summary: "The configs of a topic",
  request: { params: TOPIC },
  responses: all,
});

export function confluentRoutes(services: AdminServices) {
  const { clusterId } = services.broker;
  const adminOf = (context: Context<AdminEnv>) =>
    services.client(context.var.principal, context.env.peer).admin;
  const routes = newRoutes();
  routes.use(`${BASE}/:cluster/*`, async (context, next) => {
    requireCluster(context.req.param("cluster"), clusterId);
    await next();
  });
  return routes
    .openapi(CLUSTERS, (context) => {
      return context.json(listOf("KafkaClusterList", BASE, [clusterItem(clusterId)]), 200);
    })
    .openapi(GET_CLUSTER, (context) => {
      requireCluster(context.req.valid("param").cluster, clusterId);
      return context.json(clusterItem(clusterId), 200);
    })
    .openapi(TOPICS, async (context) => {
      const topics = await adminOf(context).listTopics({ internal: true });
      const self = `${BASE}/${clusterId}/topics`;
      const items = topics.map((topic) => topicItem(clusterId, topic));
      return context.json(listOf("KafkaTopicList", self, items), 200);
    })
    .route("/", topicPaths(clusterId, adminOf));
}

function topicPaths(clusterId: string, adminOf: (context: Context<AdminEnv>) => Admin) {
  return newRoutes()
    .openapi(CREATE, async (context) => {
      const wanted = context.req.valid("json");
      const admin = adminOf(context);
      const configs = (wanted.configs ?? []).flatMap(({ name, value }) =>
        value === null ? [] : [[name, value]]
      );
      const [created] = await admin.createTopics([{
        name: wanted.topic_name,
        ...(wanted.partitions_count !== undefined && { partitions: wanted.partitions_count }),
        ...(wanted.replication_factor !== undefined &&
          { replicationFactor: wanted.replication_factor }),
        configs: Object.fromEntries(configs),
      }]);
      if (created !== undefined && created.error !== null) throw created.error;
      const topic = await findTopic(admin, wanted.topic_name);
      return context.json(topicItem(clusterId, topic), 201);
    })
    .openapi(GET_TOPIC, async (context) => {
      const topic = await findTopic(adminOf(context), context.req.valid("param").topic);
      return context.json(topicItem(clusterId, topic), 200);
    })
    .openapi(DELETE, async (context) => {
      const [result] = await adminOf(context).deleteTopics([context.req.valid("param").topic]);
      if (result !== undefined && result.error !== null) throw result.error;
      return context.body(null, 204);
    })
    .openapi(PARTITIONS, async (context) => {
      const topic = await findTopic(adminOf(context), context.req.valid("param").topic);
      const self = `${pathOf(clusterId, topic.name)}/partitions`;
      const items = topic.partitions.map(({ partition }) => ({
        kind: "KafkaPartition",
        metadata: { self: `${self}/${partition}` },
        cluster_id: clusterId,
        topic_name: topic.name,
        partition_id: partition,
      }));
      return context.json(listOf("KafkaPartitionList", self, items), 200);
    })
    .openapi(CONFIGS, async (context) => {
      const { topic } = context.req.valid("param");
      const configs = await adminOf(context).describeConfigs({ type: "topic", name: topic });
      const self = `${pathOf(clusterId, topic)}/configs`;
      const items = configs.map(({ name, value, source, readOnly, sensitive }) => ({
        kind: "KafkaTopicConfig",
        metadata: { self: `${self}/${name}` },
        cluster_id: clusterId,
        topic_name: topic,
        name,
        value,
        is_default: source === "default",
        is_read_only: readOnly,
        is_sensitive: sensitive,
      }));
      return context.json(listOf("KafkaTopicConfigList", self, items), 200);
    });
}

/** Throws a `Problem` for the id of another cluster. */
export function requireCluster(wanted: string, clusterId: string): void {
  if (wanted === clusterId) return;
  throw new Problem(
    404,
    "not found",
    `this is the cluster ${clusterId}, not "${wanted.slice(0, 60)}"`,
  );
}

const pathOf = (clusterId: string, topic: string) =>
  `${BASE}/${clusterId}/topics/${encodeURIComponent(topic)}`;

function listOf<T>(kind: string, self: string, data: readonly T[]) {
  return { kind, metadata: { self, next: null }, data };
}

function clusterItem(clusterId: string) {
  const self = `${BASE}/${clusterId}`;
  return {
    kind: "KafkaCluster",
    metadata: { self },
    cluster_id: clusterId,
    topics: { related: `${self}/topics` },
  };
}

function topicItem(clusterId: string, { name, isInternal, partitions }: TopicMetadata) {
  const self = pathOf(clusterId, name);
  return {
    kind: "KafkaTopic",
    metadata: { self },
    cluster_id: clusterId,
    topic_name: name,
    is_internal: isInternal,
    replication_factor: partitions[0]?.replicas.length ?? 0,
    partitions_count: partitions.length,
    partitions: { related: `${self}/partitions` },
    configs: { related: `${self}/configs` },
  };
}
