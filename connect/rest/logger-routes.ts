/** Levels of logging while the worker runs (KIP-495, KIP-976). */
import { badRequest, notFound } from "../herder/errors.ts";
import type { Herder } from "../herder/herder.ts";
import { type LevelView, LogLevels } from "../herder/log-levels.ts";
import type { RestApp } from "./app.ts";
import { parseLevel, readJson } from "./bodies.ts";

function levelJson({ level, modifiedMs }: LevelView) {
  return { level, last_modified: modifiedMs };
}

export function loggerRoutes(app: RestApp, herder: Herder): void {
  const { levels } = herder;
  app.get("/admin/loggers", (context) => {
    return context.json(
      Object.fromEntries(levels.all.map(([name, view]) => [name, levelJson(view)])),
    );
  });
  app.get("/admin/loggers/:logger", (context) => {
    const name = context.req.param("logger");
    const view = levels.get(name);
    if (view === null) throw notFound(`Logger ${name} not found.`);
    return context.json(levelJson(view));
  });
  app.put("/admin/loggers/:logger", async (context) => {
    const { req } = context;
    const level = parseLevel(await readJson(req.raw, await req.text()));
    if (level === null) throw badRequest("Desired 'level' parameter was not specified in request.");
    if (!LogLevels.isLevel(level)) throw notFound(`invalid log level '${level}'.`);
    const name = req.param("logger");
    if (req.query("scope")?.toLowerCase() !== "cluster") {
      return context.json(levels.set(name, level));
    }
    await herder.setClusterLevel(name, level);
    return context.body(null, 204);
  });
}
