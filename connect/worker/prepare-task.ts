/** From the config of a task to all that it begins with. */
import { CONNECTOR_FIELDS, SOURCE_FIELDS } from "../config/connector-fields.ts";
import type { SourceConfig } from "../config/connector-fields.ts";
import { dynamicPart } from "../config/dynamic-keys.ts";
import { ConfigError, parseConfig } from "../config/parse.ts";
import type { ConfigProblem, RawConfig } from "../config/parse.ts";
import { resolveSecrets } from "../config/secrets.ts";
import type { SecretSources } from "../config/secrets.ts";
import type { ConnectorDefinition, SourceDefinition } from "../connector.ts";
import type { Pipeline } from "../runtime/pipeline.ts";
import type { PreparedSink, PreparedSource } from "../runtime/running-task.ts";
import type { TaskSpec } from "./worker.ts";

/** Throws `ConfigError` with all that is wrong with the fields of the connector and its tasks. */
export function prepareTask(
  spec: TaskSpec,
  definition: ConnectorDefinition,
  secrets: SecretSources,
  pipelineOf: (raw: RawConfig) => Pipeline,
): PreparedSource | PreparedSink {
  const raw = resolveSecrets(spec.connectorConfig, secrets);
  const taskRaw = resolveSecrets(spec.taskConfig, secrets);
  const common = parseConfig(CONNECTOR_FIELDS, raw);
  const config = parseConfig(definition.config, taskRaw);
  const dynamic = dynamicPart(taskRaw, definition.dynamicKeys ?? []);
  const problems = definition.check?.(config, dynamic) ?? [];
  if (problems.length > 0) throw new ConfigError(problems);
  const shared = {
    id: spec.id,
    common,
    pipeline: pipelineOf(converting(definition, raw)),
    config,
    dynamic,
    raw,
  };
  if (definition.kind === "sink") return { ...shared, definition };
  const source = parseConfig(SOURCE_FIELDS, raw);
  const exactlyOnce = source["exactly.once.support"] === "required";
  const refused = exactlyOnceProblems(definition, source, config);
  if (refused.length > 0) throw new ConfigError(refused);
  const fence = spec.fence === undefined ? {} : { fence: () => spec.fence!() };
  return { ...shared, definition, source, exactlyOnce, ...fence };
}

/** That a config wants exactly once of a source that does not have it. */
export function exactlyOnceProblems(
  definition: SourceDefinition,
  source: SourceConfig,
  config: Readonly<Record<string, unknown>>,
): ConfigProblem[] {
  if (source["exactly.once.support"] !== "required") return [];
  const why = definition.delivery === "exactly-once"
    ? definition.whyNotExactlyOnce?.(config) ?? null
    : `${definition.name} may read records twice; leave it out`;
  if (why === null) return [];
  const message = `"exactly.once.support" cannot be required: ${why}`;
  return [{ field: "exactly.once.support", message }];
}

const CONVERTERS = ["key.converter", "value.converter", "header.converter"] as const;

/** The config with the converters that the connector wants. Throws `ConfigError` on others. */
export function converting(definition: ConnectorDefinition, raw: RawConfig): RawConfig {
  if (definition.isOfBytes !== true) return raw;
  const problems = CONVERTERS.flatMap((field) => {
    const name = raw[field] ?? "bytes";
    if (name === "bytes" || name.endsWith("ByteArrayConverter")) return [];
    const message = `"${field}" has to be bytes, or left out: ${definition.name} copies bytes`;
    return [{ field, message }];
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return { ...raw, ...Object.fromEntries(CONVERTERS.map((field) => [field, "bytes"])) };
}
