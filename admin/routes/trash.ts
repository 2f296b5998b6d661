/**
 * `/v1/trash`: deleted topics that can come back (`TrashedTopic`).
 *
 * - `GET /v1/trash`: all, the latest first.
 * - `POST /v1/trash/ID/restore`: restores one, under another name with `{"as": "NAME"}`.
 * - `DELETE /v1/trash`, `DELETE /v1/trash/ID`: gives up all, or one.
 */
import type { Broker } from "../../broker/broker.ts";
import type { TrashedTopic } from "../../broker/topic-trash.ts";
import type { Routes } from "../app.ts";
import { badBody, jsonBody } from "../body.ts";
import { Problem } from "../problem.ts";

export const trashRoutes: Routes = (app, { broker }) => {
  app.get("/v1/trash", (context) => context.json({ topics: broker.trash.list().map(viewOf) }));
  app.post("/v1/trash/:id/restore", async (context) => {
    const { as } = await jsonBody(context, ["as"]);
    if (as !== undefined && typeof as !== "string") throw badBody("as is no name of a topic");
    const topic = find(broker, context.req.param("id"));
    const outcome = await broker.trash.restore(topic, as ?? topic.name);
    if (!outcome.ok) throw new Problem(409, "not restored", outcome.message.replace(/\.$/, ""));
    return context.json(viewOf({ ...topic, name: outcome.value.name }));
  });
  app.delete(
    "/v1/trash",
    async (context) => context.json({ removed: await broker.trash.empty(null) }),
  );
  app.delete("/v1/trash/:id", async (context) => {
    const { id } = find(broker, context.req.param("id"));
    return context.json({ removed: await broker.trash.empty([id]) });
  });
};

function find(broker: Broker, id: string): TrashedTopic {
  const found = broker.trash.list().find((topic) => topic.id === id);
  if (found !== undefined) return found;
  throw new Problem(404, "not found", `there is no topic ${id.slice(0, 40)} in the trash`);
}

function viewOf({ name, id, deletedMs, untilMs, sizeBytes, partitions, configs }: TrashedTopic) {
  return {
    topic: name,
    topicId: id,
    deletedMs,
    untilMs,
    sizeBytes,
    partitions: partitions.length,
    configs,
  };
}
