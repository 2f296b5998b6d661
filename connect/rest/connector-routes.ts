/** Connectors: what there are, what they do, and what is wanted of them. */
import type { Context } from "hono";
import type { RawConfig } from "../config/parse.ts";
import { badRequest, HerderError, notFound } from "../herder/errors.ts";
import type { Herder } from "../herder/herder.ts";
import type { TargetState } from "../worker/status.ts";
import { infoJson, statusJson, taskStateJson } from "./answers.ts";
import type { RestApp } from "./app.ts";
import { parseConfigBody, parseCreate, parseOffsets, parsePatch, readJson } from "./bodies.ts";

export function connectorRoutes(app: RestApp, herder: Herder): void {
  reading(app, herder);
  configuring(app, herder);
  steering(app, herder);
  offsets(app, herder);
}

function reading(app: RestApp, herder: Herder): void {
  app.get("/connectors", (context) => {
    const expansions = context.req.queries("expand");
    if (expansions === undefined) return context.json(herder.connectors());
    const entries = herder.connectors().flatMap((name) => expanded(herder, name, expansions));
    return context.json(Object.fromEntries(entries));
  });
  app.get("/connectors/:name", ({ req, json }) => json(infoJson(herder.info(req.param("name")))));
  app.get("/connectors/:name/config", ({ req, json }) => {
    return json(herder.info(req.param("name")).config);
  });
  app.get("/connectors/:name/status", ({ req, json }) => {
    return json(statusJson(herder.status(req.param("name"))));
  });
  app.get("/connectors/:name/tasks", ({ req, json }) => json(herder.tasks(req.param("name"))));
  app.get("/connectors/:name/tasks/:task/status", ({ req, json }) => {
    return json(taskStateJson(herder.taskStatus(taskOf(req))));
  });
  app.get("/connectors/:name/topics", ({ req, json }) => {
    const name = req.param("name");
    return json(Object.fromEntries([[name, { topics: herder.topics(name) }]]));
  });
  app.put("/connectors/:name/topics/reset", async ({ req, body }) => {
    await herder.resetTopics(req.param("name"));
    return body(null, 202);
  });
}

/** A connector that goes meanwhile is left out. */
function expanded(
  herder: Herder,
  name: string,
  expansions: readonly string[],
): (readonly [string, object])[] {
  try {
    const info = expansions.includes("info") ? { info: infoJson(herder.info(name)) } : {};
    if (!expansions.includes("status")) return [[name, info]];
    const status = herder.status(name);
    // Connect has no such thing: the state that says how bad things are, tasks included.
    return [[name, { ...info, status: statusJson(status), worst_state: status.worst }]];
  } catch (error) {
    if (error instanceof HerderError && error.status === 404) return [];
    throw error;
  }
}

function configuring(app: RestApp, herder: Herder): void {
  app.post("/connectors", async (context) => {
    const { name, config, initialState } = parseCreate(await jsonOf(context));
    const { info } = await herder.putConfig(name, withName(name, config), {
      mayReplace: false,
      ...(initialState !== null && { initialState }),
    });
    context.header("location", locationOf(context, name));
    return context.json(infoJson(info), 201);
  });
  app.put("/connectors/:name/config", async (context) => {
    const name = context.req.param("name");
    const config = withName(name, parseConfigBody(await jsonOf(context)));
    const { info, isNew } = await herder.putConfig(name, config, { mayReplace: true });
    if (isNew) context.header("location", locationOf(context, name));
    return context.json(infoJson(info), isNew ? 201 : 200);
  });
  app.patch("/connectors/:name/config", async (context) => {
    const patch = parsePatch(await jsonOf(context));
    const { info } = await herder.patchConfig(context.req.param("name"), patch);
    return context.json(infoJson(info));
  });
  app.delete("/connectors/:name", async ({ req, body }) => {
    await herder.delete(req.param("name"));
    return body(null, 204);
  });
}

function steering(app: RestApp, herder: Herder): void {
  const target = (path: string, state: TargetState, status: 202 | 204) => {
    app.put(`/connectors/:name/${path}`, async (context) => {
      await herder.setTarget(context.req.param("name") ?? "", state);
      return context.body(null, status);
    });
  };
  target("pause", "PAUSED", 202);
  target("resume", "STARTED", 202);
  target("stop", "STOPPED", 204);
  app.post("/connectors/:name/restart", async ({ req, body, json }) => {
    const connector = req.param("name");
    const includeTasks = req.query("includeTasks") === "true";
    const onlyFailed = req.query("onlyFailed") === "true";
    if (!includeTasks && !onlyFailed) {
      await herder.restartConnector(connector);
      return body(null, 204);
    }
    const status = await herder.restart({ connector, includeTasks, onlyFailed });
    return json(statusJson(status), 202);
  });
  app.post("/connectors/:name/tasks/:task/restart", async ({ req, body }) => {
    await herder.restartTask(taskOf(req));
    return body(null, 204);
  });
}

function offsets(app: RestApp, herder: Herder): void {
  app.get("/connectors/:name/offsets", async ({ req, json }) => {
    return json({ offsets: await herder.offsets(req.param("name")) });
  });
  app.patch("/connectors/:name/offsets", async (context) => {
    const wanted = parseOffsets(await jsonOf(context));
    const message = await herder.alterOffsets(context.req.param("name"), wanted);
    return context.json({ message });
  });
  app.delete("/connectors/:name/offsets", async ({ req, json }) => {
    return json({ message: await herder.alterOffsets(req.param("name"), []) });
  });
}

async function jsonOf({ req }: Context): Promise<unknown> {
  return await readJson(req.raw, await req.text());
}

/** The config always has the connector's name in it. */
function withName(name: string, config: RawConfig): RawConfig {
  const given = config["name"];
  if (given === undefined) return { ...config, name };
  if (given === name) return config;
  throw badRequest(
    `Connector name configuration (${given}) doesn't match connector name in the URL (${name})`,
  );
}

function locationOf({ req }: Context, name: string): string {
  return new URL(`/connectors/${encodeURIComponent(name)}`, req.url).href;
}

function taskOf(req: Context["req"]): { connector: string; task: number } {
  const connector = req.param("name") ?? "";
  const task = req.param("task") ?? "";
  if (!/^\d{1,9}$/.test(task)) throw notFound("HTTP 404 Not Found");
  return { connector, task: Number(task) };
}
