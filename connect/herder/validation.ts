/** Whether a config can be taken, as Connect's REST API answers it. */
import type { Logger } from "../../core/logger.ts";
import type { RawConfig } from "../config/parse.ts";
import { pipelineFields } from "../worker/pipeline-of.ts";
import type { Worker } from "../worker/worker.ts";
import { type ConfigInfos, configInfos } from "./config-infos.ts";
import { badRequest } from "./errors.ts";
import type { PluginCatalog } from "./plugin-catalog.ts";

export interface ValidationOptions {
  readonly plugins: PluginCatalog;
  readonly worker: Worker;
  readonly logger: Logger;
}

/** What the REST API answers about a config. Throws `HerderError` where there is no such connector. */
export async function validateConfig(
  { plugins, worker, logger }: ValidationOptions,
  config: RawConfig,
): Promise<ConfigInfos> {
  const className = config["connector.class"];
  if (className === undefined) throw badRequest("Connector config contains no connector type");
  const plugin = await plugins.find(className);
  if (plugin === null || plugins.kindOf(className) === null) {
    throw badRequest(plugins.refusal(className));
  }
  const { problems, unknown } = await problemsOf(worker, config);
  if (unknown.length > 0) {
    logger.warn("a config has keys that nothing reads", {
      connector: config["name"] ?? "",
      keys: unknown.map(({ field }) => field).join(","),
    });
  }
  const fields = { ...plugin.fields, ...pipelineFields(config) };
  return configInfos({ ...plugin, fields }, config, problems);
}

/** What is wrong, and apart from it keys that nothing reads: Connect takes those. */
async function problemsOf(worker: Worker, config: RawConfig) {
  const found = await worker.validate(config);
  const unknown = found.filter(({ isUnknown }) => isUnknown === true);
  if (unknown.length === 0) return { problems: found, unknown };
  const names = new Set(unknown.map(({ field }) => field));
  const known = Object.entries(config).filter(([key]) => !names.has(key));
  return { problems: await worker.validate(Object.fromEntries(known)), unknown };
}

/** Throws `HerderError` unless the config can be taken. */
export async function requireValid(
  options: ValidationOptions,
  name: string,
  config: RawConfig,
): Promise<void> {
  const infos = await validateConfig(options, config);
  const errors = [
    ...nameProblems(name),
    ...infos.configs.flatMap(({ value }) => value.errors.map((message) => message)),
  ];
  if (errors.length === 0) return;
  throw badRequest(
    `Connector configuration is invalid and contains the following ${errors.length} error(s):\n` +
      errors.join("\n") +
      "\nYou can also find the above list of errors at the endpoint " +
      "`/connector-plugins/{connectorType}/config/validate`",
  );
}

function nameProblems(name: string): string[] {
  if (name === "") return ['"name" is missing: a connector has a name'];
  // They would end lines of logs and parts of paths.
  // deno-lint-ignore no-control-regex
  return /[\u0000-\u001f\u007f]/.test(name) ? ['"name" has control characters'] : [];
}
