/** What workers of a group ask of their leader; each request is signed with the group's key. */
import type { Herder } from "../herder/herder.ts";
import type { RestApp } from "./app.ts";
import { parseTaskConfigs, readJson } from "./bodies.ts";

/** Whether the request is for one of these. */
export function isInternal({ method, url }: Request): boolean {
  const { pathname } = new URL(url);
  return (method === "POST" && /^\/connectors\/[^/]+\/tasks\/?$/.test(pathname)) ||
    (method === "PUT" && /^\/connectors\/[^/]+\/fence\/?$/.test(pathname));
}

export function internalRoutes(app: RestApp, herder: Herder): void {
  app.post("/connectors/:name/tasks", async ({ req, body }) => {
    const configs = parseTaskConfigs(await readJson(req.raw, await req.text()));
    await herder.internal.putTaskConfigs(req.param("name"), configs);
    return body(null, 204);
  });
  app.put("/connectors/:name/fence", async ({ req, body }) => {
    await herder.internal.fence(req.param("name"));
    return body(null, 204);
  });
}
