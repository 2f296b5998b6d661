/** What the worker can run, with its settings, and whether a config is well. */
import type { RawConfig } from "../config/parse.ts";
import { definitionsOf } from "../herder/config-infos.ts";
import { badRequest, notFound } from "../herder/errors.ts";
import type { Herder } from "../herder/herder.ts";
import { pluginJson } from "./answers.ts";
import type { RestApp } from "./app.ts";
import { parseConfigBody, readJson } from "./bodies.ts";

export function pluginRoutes(app: RestApp, herder: Herder): void {
  const { plugins } = herder;
  app.get("/connector-plugins", async (context) => {
    const all = await plugins.list();
    const isWanted = context.req.query("connectorsOnly") === "false"
      ? () => true
      : (type: string) => type === "sink" || type === "source";
    return context.json(all.filter(({ type }) => isWanted(type)).map(pluginJson));
  });
  app.get("/connector-plugins/:name/config", async (context) => {
    const name = context.req.param("name");
    const plugin = await plugins.find(name);
    if (plugin === null) throw notFound(`Unknown plugin ${name}.`);
    return context.json(definitionsOf(plugin));
  });
  app.put("/connector-plugins/:name/config/validate", async (context) => {
    const { req } = context;
    const name = req.param("name");
    const config = parseConfigBody(await readJson(req.raw, await req.text()));
    await requireSame(herder, name, config);
    return context.json(await herder.validate(config));
  });
}

/** The class in the config, if there is one, is that of the path, under whatever name. */
async function requireSame(herder: Herder, name: string, config: RawConfig): Promise<void> {
  const className = config["connector.class"];
  if (className === undefined || shortName(className).endsWith(shortName(name))) return;
  const [asked, given] = await Promise.all([name, className].map((each) => {
    return herder.plugins.find(each);
  }));
  if (asked !== null && asked?.name === given?.name) return;
  throw badRequest(`Included connector type ${className} does not match request type ${name}`);
}

function shortName(name: string): string {
  return name.replace(/(.)Connector$/, "$1");
}
