/** Purges, and `/v1/trash`: deleted topics and purged records that can come back. */
import type { Broker } from "../../broker/broker.ts";
import { Errors } from "../../core/errors.ts";
import type { TrashedRecords, TrashedTopic } from "../../broker/topic-trash.ts";
import { body, count, createRoute, json, list, newRoutes, timeMs, z } from "../openapi.ts";
import { LIST_QUERY, nextCursor, pageOfItems, WHOLE } from "../paging.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";

const OFFSETS = z.object({
  partition: count,
  startOffset: count,
  endOffset: count.describe("where the partition begins since"),
});
const TRASHED = z.object({
  kind: z.enum(["deleted", "purged"]),
  id: z.string(),
  topic: z.string(),
  topicId: z.string(),
  deletedMs: timeMs,
  untilMs: timeMs.describe("after it this is gone for good, in milliseconds since 1970"),
  sizeBytes: count,
  partitions: count,
  configs: z.record(z.string(), z.string()).optional(),
  offsets: list(OFFSETS).optional(),
}).openapi("Trashed");
const PURGE_BODY = z.strictObject({
  partitions: z.array(z.int(), "is no list of numbers").max(100_000).optional().describe(
    "of these alone; else of all",
  ),
  topicId: z.string().optional().describe("only if it is the topic's"),
});
const PURGED = z.object({
  topic: z.string(),
  topicId: z.string(),
  partitions: list(OFFSETS),
}).openapi("Purged");

const tags = ["trash"];
const PURGE = createRoute({
  method: "post",
  path: "/v1/topics/{topic}/purge",
  operationId: "purgeTopic",
  tags: ["topics"],
  summary: "Delete all records of a topic; they can come back for a while",
  request: { params: z.object({ topic: z.string() }), body: body(PURGE_BODY) },
  responses: { 200: json(PURGED, "What is gone") },
});
const LIST = createRoute({
  method: "get",
  path: "/v1/trash",
  operationId: "listTrash",
  tags,
  summary: "Deleted topics and purged records that can come back, the latest first",
  request: { query: LIST_QUERY },
  responses: { 200: json(z.object({ topics: list(TRASHED), nextCursor }), "What is there") },
});
const RESTORE = createRoute({
  method: "post",
  path: "/v1/trash/{id}/restore",
  operationId: "restoreTrashed",
  tags,
  summary: "Bring back a deleted topic, or purged records",
  request: {
    params: z.object({ id: z.string() }),
    body: body(z.strictObject({ as: z.string().optional().describe("another name for a topic") })),
  },
  responses: { 200: json(TRASHED, "What is back") },
});
const EMPTY = createRoute({
  method: "delete",
  path: "/v1/trash",
  operationId: "emptyTrash",
  tags,
  summary: "Give up all that could come back",
  responses: { 200: json(z.object({ removed: count }), "How many") },
});
const GIVE_UP = createRoute({
  method: "delete",
  path: "/v1/trash/{id}",
  operationId: "deleteTrashed",
  tags,
  summary: "Give up one",
  request: { params: z.object({ id: z.string() }) },
  responses: { 200: json(z.object({ removed: count }), "It is gone") },
});

export function trashRoutes({ broker }: AdminServices) {
  return newRoutes()
    .openapi(PURGE, async (context) => {
      const { partitions, topicId } = context.req.valid("json");
      const { topic } = context.req.valid("param");
      return context.json(await purge(broker, topic, topicId, partitions ?? null), 200);
    })
    .openapi(LIST, (context) => {
      const topics = [
        ...broker.trash.list().map(viewOf),
        ...broker.trash.purged().map(purgeViewOf),
      ];
      const page = pageOfItems(topics, { ...WHOLE, ...context.req.valid("query") }, latestFirst);
      return context.json({ topics: page.items, nextCursor: page.nextCursor }, 200);
    })
    .openapi(RESTORE, async (context) => {
      const { id } = context.req.valid("param");
      return context.json(await restore(broker, id, context.req.valid("json").as), 200);
    })
    .openapi(EMPTY, async (context) => {
      return context.json({ removed: await broker.trash.empty(null) }, 200);
    })
    .openapi(GIVE_UP, async (context) => {
      const { id } = context.req.valid("param");
      const removed = await broker.trash.empty([id]);
      if (removed === 0) throw notInTrash(id);
      return context.json({ removed }, 200);
    });
}

/** Names in whose order the latest comes first, with what one looks for. */
function latestFirst({ deletedMs, topic, id }: z.output<typeof TRASHED>): string {
  const before = String(Number.MAX_SAFE_INTEGER - deletedMs).padStart(16, "0");
  return `${before} ${topic} ${id}`;
}

async function purge(
  broker: Broker,
  name: string,
  topicId: string | undefined,
  partitions: readonly number[] | null,
) {
  const topic = broker.metadata.image.topics.get(name);
  if (topic === undefined || (topicId !== undefined && topicId !== topic.id)) {
    const which = topicId === undefined ? "" : ` with the id ${topicId.slice(0, 40)}`;
    const detail = `this broker has no topic ${name.slice(0, 249)}${which}`;
    throw new Problem(404, "not found", detail);
  }
  const outcome = await broker.trash.purge(topic, partitions);
  if (!outcome.ok) {
    const status = outcome.error === Errors.UNKNOWN_TOPIC_OR_PARTITION ? 404 : 409;
    throw new Problem(status, "not purged", outcome.message);
  }
  return { topic: topic.name, topicId: topic.id, partitions: outcome.value };
}

async function restore(broker: Broker, id: string, as: string | undefined) {
  const purged = broker.trash.purged().find((one) => one.id === id);
  const topic = broker.trash.list().find((one) => one.id === id);
  if (purged !== undefined) {
    if (as !== undefined) {
      const detail = "the request body is refused: purged records come back to their topic alone";
      throw new Problem(400, "bad request body", detail);
    }
    const outcome = await broker.trash.restorePurged(id);
    if (!outcome.ok) throw notRestored(outcome.message);
    return purgeViewOf(purged);
  }
  if (topic === undefined) throw notInTrash(id);
  const outcome = await broker.trash.restore(topic, as ?? topic.name);
  if (!outcome.ok) throw notRestored(outcome.message);
  return viewOf({ ...topic, name: outcome.value.name });
}

function notRestored(message: string): Problem {
  return new Problem(409, "not restored", message.replace(/\.$/, ""));
}

function notInTrash(id: string): Problem {
  return new Problem(
    404,
    "not found",
    `there is nothing with the id ${id.slice(0, 40)} in the trash`,
  );
}

function viewOf({ name, id, deletedMs, untilMs, sizeBytes, partitions, configs }: TrashedTopic) {
  return {
    kind: "deleted" as const,
    id,
    topic: name,
    topicId: id,
    deletedMs,
    untilMs,
    sizeBytes,
    partitions: partitions.length,
    configs,
  };
}

function purgeViewOf(
  { id, name, topicId, purgedMs, untilMs, sizeBytes, partitions }: TrashedRecords,
) {
  return {
    kind: "purged" as const,
    id,
    topic: name,
    topicId,
    deletedMs: purgedMs,
    untilMs,
    sizeBytes,
    partitions: partitions.length,
    offsets: partitions,
  };
}
