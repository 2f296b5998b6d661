/**
 * Purges, and `/v1/trash`: deleted topics and purged records that can come back.
 *
 * - `POST /v1/topics/TOPIC/purge`: deletes all records, with `{"partitions": [0, 2]}` of these alone;
 *   with a `topicId` only if it is the topic's.
 * - `GET /v1/trash`: all, the latest first; `id` is what the others take.
 * - `POST /v1/trash/ID/restore`: restores one, a topic under another name with `{"as": "NAME"}`.
 * - `DELETE /v1/trash`, `DELETE /v1/trash/ID`: gives up all, or one.
 */
import type { Broker } from "../../broker/broker.ts";
import { Errors } from "../../core/errors.ts";
import type { TrashedRecords, TrashedTopic } from "../../broker/topic-trash.ts";
import type { Routes } from "../app.ts";
import { badBody, jsonBody } from "../body.ts";
import { Problem } from "../problem.ts";

export const trashRoutes: Routes = (app, { broker }) => {
  app.post("/v1/topics/:topic/purge", async (context) => {
    const { partitions, topicId } = await jsonBody(context, ["partitions", "topicId"]);
    return context.json(await purge(broker, context.req.param("topic"), topicId, partitions));
  });
  app.get("/v1/trash", (context) => {
    const topics = [...broker.trash.list().map(viewOf), ...broker.trash.purged().map(purgeViewOf)];
    return context.json({ topics: topics.sort((a, b) => b.deletedMs - a.deletedMs) });
  });
  app.post("/v1/trash/:id/restore", async (context) => {
    const { as } = await jsonBody(context, ["as"]);
    if (as !== undefined && typeof as !== "string") throw badBody("as is no name of a topic");
    return context.json(await restore(broker, context.req.param("id"), as));
  });
  app.delete(
    "/v1/trash",
    async (context) => context.json({ removed: await broker.trash.empty(null) }),
  );
  app.delete("/v1/trash/:id", async (context) => {
    const id = context.req.param("id");
    const removed = await broker.trash.empty([id]);
    if (removed === 0) throw notInTrash(id);
    return context.json({ removed });
  });
};

async function purge(broker: Broker, name: string, topicId: unknown, partitions: unknown) {
  const isList = Array.isArray(partitions) &&
    partitions.every((each) => Number.isSafeInteger(each));
  if (partitions !== undefined && !isList) throw badBody("partitions is no list of numbers");
  const topic = broker.metadata.image.topics.get(name);
  if (topic === undefined || (topicId !== undefined && topicId !== topic.id)) {
    const which = topicId === undefined ? "" : ` with the id ${String(topicId).slice(0, 40)}`;
    const detail = `this broker has no topic ${name.slice(0, 249)}${which}`;
    throw new Problem(404, "not found", detail);
  }
  const outcome = await broker.trash.purge(topic, isList ? partitions : null);
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
    if (as !== undefined) throw badBody("purged records come back to their topic alone");
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
    kind: "deleted",
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
    kind: "purged",
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
