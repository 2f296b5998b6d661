/** `/v1/topics`: topics and their partitions. The list is read from the metadata of this broker. */
import type { Context } from "hono";
import { partitionFacts } from "../../client/admin/partition-facts.ts";
import type { ActiveProducer, Admin } from "../../client/admin.ts";
import type { TopicMetadata } from "../../client/cluster.ts";
import type { AdminEnv } from "../app.ts";
import {
  body,
  count,
  createRoute,
  flag,
  json,
  list,
  newRoutes,
  wholeNumber,
  z,
} from "../openapi.ts";
import { LIST_QUERY, nextCursor, pageOf, pageOfItems, WHOLE } from "../paging.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";
import { topicItem, topicNames } from "../topic-views.ts";

export const TOPIC_PARAM = z.object({ topic: z.string().min(1).max(249) });
/** Where something would be done, and is only checked. */
export const DRY_RUN = z.strictObject({ dryRun: flag.describe("only say what would be done") });

const TOPIC = z.object({
  name: z.string(),
  topicId: z.string(),
  internal: z.boolean(),
  partitions: count,
  replicationFactor: count,
  underReplicated: count.describe("partitions with replicas that are not in sync"),
  leaderless: count.describe("partitions without a leader that serves"),
}).openapi("Topic");

export const PARTITION = z.object({
  partition: count,
  leader: z.int().nullable(),
  leaderEpoch: z.int(),
  replicas: list(z.int()),
  isr: list(z.int()),
  offlineReplicas: list(z.int()),
  startOffset: z.int().nullable(),
  stableOffset: z.int().nullable()
    .describe("where read_committed ends: before endOffset while transactions are open"),
  endOffset: z.int().nullable(),
  sizeBytes: z.int().nullable().describe("of the leader's replica"),
}).openapi("Partition");

const TOPIC_DESCRIPTION = z.object({
  name: z.string(),
  topicId: z.string().nullable(),
  internal: z.boolean(),
  records: z.int().nullable().describe("at most: compacted records and transactions count, too"),
  sizeBytes: z.int().nullable(),
  partitions: list(PARTITION),
}).openapi("TopicDescription");

const NEW_TOPIC = z.strictObject({
  name: z.string().min(1).max(249),
  partitions: z.int().min(1).max(1_000_000).optional().describe("default: num.partitions"),
  replicationFactor: z.int().min(1).max(32767).optional()
    .describe("default: default.replication.factor"),
  configs: z.record(z.string(), z.string()).optional(),
}).openapi("NewTopic");

const tags = ["topics"];
const LIST = createRoute({
  method: "get",
  path: "/v1/topics",
  operationId: "listTopics",
  tags,
  summary: "The topics, by name",
  request: { query: LIST_QUERY.extend({ internal: flag.describe("internal ones, too") }) },
  responses: {
    200: json(
      z.object({
        topics: list(TOPIC),
        total: count.describe("of the cluster, as far as the user may see them"),
        nextCursor,
      }),
      "A page of topics",
    ),
  },
});
const CREATE = createRoute({
  method: "post",
  path: "/v1/topics",
  operationId: "createTopic",
  tags,
  summary: "Create a topic",
  request: { query: DRY_RUN, body: body(NEW_TOPIC) },
  responses: {
    201: json(
      z.object({ name: z.string(), partitions: z.int(), replicationFactor: z.int() }),
      "It is there, or would be",
    ),
  },
});
const DESCRIBE = createRoute({
  method: "get",
  path: "/v1/topics/{topic}",
  operationId: "describeTopic",
  tags,
  summary: "A topic with its partitions: offsets, sizes, leaders and replicas",
  request: { params: TOPIC_PARAM },
  responses: { 200: json(TOPIC_DESCRIPTION, "The topic") },
});
const DELETE = createRoute({
  method: "delete",
  path: "/v1/topics/{topic}",
  operationId: "deleteTopic",
  tags,
  summary: "Delete a topic; it may come back from the trash",
  request: { params: TOPIC_PARAM },
  responses: { 200: json(z.object({ deleted: z.string() }), "It is deleted") },
});
const ADD_PARTITIONS = createRoute({
  method: "post",
  path: "/v1/topics/{topic}/partitions",
  operationId: "addPartitions",
  tags,
  summary: "Raise a topic to a number of partitions; keys are spread anew from then on",
  request: {
    params: TOPIC_PARAM,
    query: DRY_RUN,
    body: body(z.strictObject({ count: z.int().min(1).max(1_000_000).describe("in all") })),
  },
  responses: { 200: json(z.object({ partitions: z.int() }), "It has so many, or would have") },
});
const PRODUCERS = createRoute({
  method: "get",
  path: "/v1/topics/{topic}/partitions/{partition}/producers",
  operationId: "listProducers",
  tags,
  summary: "Idempotent and transactional producers that have written to a partition of late",
  request: {
    params: TOPIC_PARAM.extend({ partition: wholeNumber(0, 0x7fff_ffff) }),
    query: LIST_QUERY,
  },
  responses: {
    200: json(
      z.object({
        producers: list(z.object({
          producerId: z.int(),
          producerEpoch: z.int(),
          lastSequence: z.int(),
          lastTimestampMs: z.int(),
          coordinatorEpoch: z.int(),
          txnStartOffset: z.int().nullable().describe("of its open transaction"),
        })),
        nextCursor,
      }),
      "The producers",
    ),
  },
});

/** Topics, and what can be done with them. */
export function topicRoutes(services: AdminServices) {
  const adminOf = (context: Context<AdminEnv>) =>
    services.client(context.var.principal, context.env.peer).admin;
  return listRoutes(services)
    .route("/", changeRoutes(adminOf))
    .openapi(DESCRIBE, async (context) => {
      const { topic } = context.req.valid("param");
      return context.json(await describeTopic(adminOf(context), topic), 200);
    })
    .openapi(PRODUCERS, async (context) => {
      const { topic, partition } = context.req.valid("param");
      const admin = adminOf(context);
      await requirePartition(admin, topic, partition);
      const found = await admin.transactions.producers([{ topic, partitions: [partition] }]);
      const query = { ...WHOLE, ...context.req.valid("query") };
      const page = pageOfItems(
        found.map(producerView),
        query,
        ({ producerId }) => String(producerId).padStart(16, "0"),
      );
      return context.json({ producers: page.items, nextCursor: page.nextCursor }, 200);
    });
}

function producerView(producer: ActiveProducer) {
  const { producerEpoch, lastSequence, lastTimestampMs, coordinatorEpoch } = producer;
  return {
    producerId: Number(producer.producerId),
    producerEpoch,
    lastSequence,
    lastTimestampMs,
    coordinatorEpoch,
    txnStartOffset: producer.txnStartOffset === null ? null : Number(producer.txnStartOffset),
  };
}

function listRoutes({ broker }: AdminServices) {
  return newRoutes()
    .openapi(LIST, (context) => {
      const { internal, ...query } = context.req.valid("query");
      const { image } = broker.metadata;
      const mayDescribe = (name: string) => {
        const wanted = { operation: "DESCRIBE", resourceType: "TOPIC", name } as const;
        return broker.authorizer.authorize(context.var.principal, context.env.peer, wanted);
      };
      const names = topicNames(image);
      const page = pageOf(names, query, (name) => {
        const topic = image.topics.get(name);
        if (topic === undefined || !mayDescribe(name)) return null;
        const item = topicItem(image, topic);
        return item.internal && !internal ? null : item;
      });
      return context.json({
        topics: page.items,
        // Also a number of names says something about those one may not see.
        total: names.filter(mayDescribe).length,
        nextCursor: page.nextCursor,
      }, 200);
    });
}

function changeRoutes(adminOf: (context: Context<AdminEnv>) => Admin) {
  return newRoutes()
    .openapi(CREATE, async (context) => {
      const validateOnly = context.req.valid("query").dryRun;
      const { name, partitions, replicationFactor, configs } = context.req.valid("json");
      const [created] = await adminOf(context).createTopics([{
        name,
        ...(partitions !== undefined && { partitions }),
        ...(replicationFactor !== undefined && { replicationFactor }),
        ...(configs !== undefined && { configs }),
      }], { validateOnly });
      if (created === undefined) throw new Problem(500, "internal error", "nothing was answered");
      if (created.error !== null) throw created.error;
      if (!validateOnly) context.header("location", `/v1/topics/${encodeURIComponent(name)}`);
      const { name: topic, partitions: made, replicationFactor: factor } = created;
      return context.json({ name: topic, partitions: made, replicationFactor: factor }, 201);
    })
    .openapi(DELETE, async (context) => {
      const { topic } = context.req.valid("param");
      const [result] = await adminOf(context).deleteTopics([topic]);
      if (result !== undefined && result.error !== null) throw result.error;
      return context.json({ deleted: topic }, 200);
    })
    .openapi(ADD_PARTITIONS, async (context) => {
      const { topic } = context.req.valid("param");
      const counts = [{ name: topic, count: context.req.valid("json").count }];
      const validateOnly = context.req.valid("query").dryRun;
      const [result] = await adminOf(context).createPartitions(counts, { validateOnly });
      if (result !== undefined && result.error !== null) throw result.error;
      return context.json({ partitions: context.req.valid("json").count }, 200);
    });
}

/** The topic as its cluster knows it. Throws a `KafkaError`. */
export async function findTopic(admin: Admin, name: string): Promise<TopicMetadata> {
  const [described] = await admin.describeTopics([name]);
  if (described !== undefined && described.error !== null) throw described.error;
  if (described === undefined || described.topic === null) {
    throw new Problem(404, "not found", `topic "${name}" does not exist`);
  }
  return described.topic;
}

/** Throws a `Problem` for a partition that is not there. */
export async function requirePartition(admin: Admin, topic: string, partition: number) {
  const { partitions } = await findTopic(admin, topic);
  if (partition < partitions.length) return;
  const last = partitions.length - 1;
  const detail = `topic "${topic}" has no partition ${partition}: it has 0 to ${last}`;
  throw new Problem(404, "not found", detail);
}

async function describeTopic(admin: Admin, name: string) {
  const topic = await findTopic(admin, name);
  const factsAt = await partitionFacts(admin, [topic]);
  const partitions = topic.partitions.map((partition) => ({
    partition: partition.partition,
    leader: partition.leader < 0 ? null : partition.leader,
    leaderEpoch: partition.leaderEpoch,
    replicas: partition.replicas,
    isr: partition.isr,
    offlineReplicas: partition.offlineReplicas,
    ...factsAt(name, partition.partition),
  }));
  return {
    name,
    topicId: topic.topicId,
    internal: topic.isInternal,
    records: sum(
      partitions.map(({ startOffset, endOffset }) =>
        startOffset === null || endOffset === null ? null : endOffset - startOffset
      ),
    ),
    sizeBytes: sum(partitions.map(({ sizeBytes }) => sizeBytes)),
    partitions,
  };
}

/** Null where something is not known. */
function sum(numbers: readonly (number | null)[]): number | null {
  return numbers.reduce(
    (total: number | null, each) => total === null || each === null ? null : total + each,
    0,
  );
}
