/** All that is wrong with a config at once: whoever mends one line should not have to ask again. */
import {
  CONNECTOR_FIELDS,
  OTHERS_KEYS,
  SINK_FIELDS,
  SOURCE_FIELDS,
} from "../config/connector-fields.ts";
import { dynamicPart } from "../config/dynamic-keys.ts";
import type { Fields } from "../config/fields.ts";
import { ConfigError, parseConfig, unknownKeys } from "../config/parse.ts";
import type { ConfigProblem, RawConfig } from "../config/parse.ts";
import { resolveSecrets } from "../config/secrets.ts";
import type { SecretSources } from "../config/secrets.ts";
import type { ConnectorDefinition } from "../connector.ts";
import type { Pipeline } from "../runtime/pipeline.ts";
import { chainFields } from "../transforms/chain.ts";
import { converting, exactlyOnceProblems } from "./prepare-task.ts";

/** What a config is checked with. */
export interface ConfigChecks {
  readonly secrets: SecretSources;
  /** Throws `ConfigError`. */
  readonly pipelineOf: (raw: RawConfig) => Pipeline;
}

/** What a config says to its connector, if it can be read, and all that is wrong with it. */
export interface CheckedConfig {
  readonly config: Readonly<Record<string, unknown>> | null;
  /** What the config has under `dynamicKeys`. */
  readonly dynamic: RawConfig;
  readonly problems: readonly ConfigProblem[];
}

/** See the head of the file. Nothing is asked of anybody else. */
export function checkConfig(
  definition: ConnectorDefinition,
  raw: RawConfig,
  { secrets, pipelineOf }: ConfigChecks,
): CheckedConfig {
  const problems = new Map<string, ConfigProblem>();
  const attempt = <T>(what: () => T): T | null => {
    try {
      return what();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const problem of error.problems) problems.set(problem.message, problem);
      return null;
    }
  };
  const common = definition.kind === "source" ? SOURCE_FIELDS : SINK_FIELDS;
  let config: Readonly<Record<string, unknown>> | null = null;
  let dynamic: RawConfig = {};
  const resolved = attempt(() => resolveSecrets(raw, secrets));
  // What a reference stands for has its own rules: without it nothing can be said of fields.
  if (resolved !== null) {
    attempt(() => parseConfig(CONNECTOR_FIELDS, resolved));
    const source = attempt(() => {
      if (definition.kind === "source") return parseConfig(SOURCE_FIELDS, resolved);
      parseConfig(SINK_FIELDS, resolved);
      return null;
    });
    dynamic = dynamicPart(resolved, definition.dynamicKeys ?? []);
    config = attempt(() => parseConfig<Fields>(definition.config, resolved));
    for (const problem of config === null ? [] : definition.check?.(config, dynamic) ?? []) {
      problems.set(problem.message, problem);
    }
    if (config !== null && source !== null && definition.kind === "source") {
      for (const problem of exactlyOnceProblems(definition, source, config)) {
        problems.set(problem.message, problem);
      }
    }
    attempt(() => pipelineOf(converting(definition, resolved)));
  }
  const found = [...problems.values()];
  const known = [CONNECTOR_FIELDS, common, definition.config].flatMap(Object.keys);
  return { config, dynamic, problems: [...found, ...unknown(definition, raw, known, found)] };
}

/** Keys that nothing reads. A transform of an unknown type is reported as that, not by its keys. */
function unknown(
  { dynamicKeys = [] }: ConnectorDefinition,
  raw: RawConfig,
  known: readonly string[],
  problems: readonly ConfigProblem[],
): ConfigProblem[] {
  let chain: readonly string[];
  try {
    chain = Object.keys(chainFields(raw));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    chain = []; // the list of transforms cannot be read, which has been reported
  }
  const untold = problems.flatMap(({ field }) => {
    return /^(?:transforms|predicates)(?:$|\..*\.type$)/.test(field)
      ? [field.replace(/type$/, "")]
      : [];
  });
  const dynamic = dynamicPart(raw, dynamicKeys);
  const given = Object.entries(raw).filter(([key]) => {
    if (Object.hasOwn(dynamic, key)) return false;
    return ![...OTHERS_KEYS, ...untold].some((prefix) => key.startsWith(prefix));
  });
  return unknownKeys(Object.fromEntries(given), [...known, ...chain]);
}
