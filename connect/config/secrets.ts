/**
 * Values that are not written into configs: `${env:NAME}`, `${file:PATH}` for what is in a file, and
 * `${file:PATH:KEY}` for a line `KEY=value` of one (as Kafka's EnvVarConfigProvider and
 * FileConfigProvider). They are resolved where a task begins and nowhere else.
 */
import { ConfigError } from "./parse.ts";
import type { ConfigProblem, RawConfig } from "./parse.ts";

/** Where the values are. */
export interface SecretSources {
  env(name: string): string | undefined;
  /** The text of a file. Throws what keeps it from being read. */
  readFile(path: string): string;
  /** Hears what a reference stands for. */
  resolved?(value: string, reference: string): void;
}

const REFERENCE = /\$\{(env|file):([^}]*)\}/g;

/** The config with all references replaced. Throws `ConfigError`, which names them, never values. */
export function resolveSecrets(raw: RawConfig, sources: SecretSources): RawConfig {
  const problems: ConfigProblem[] = [];
  const resolved: Record<string, string> = {};
  for (const [field, text] of Object.entries(raw)) {
    resolved[field] = text.replace(REFERENCE, (reference, kind: string, what: string) => {
      try {
        const value = kind === "env" ? environment(what, sources) : fromFile(what, sources);
        sources.resolved?.(value, reference);
        return value;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        problems.push({ field, message: `"${field}" asks for ${reference}: ${why}` });
        return "";
      }
    });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return resolved;
}

/** Whether any value of the text comes from elsewhere. */
export function hasReference(text: string): boolean {
  return text.search(REFERENCE) >= 0;
}

function environment(name: string, sources: SecretSources): string {
  const value = sources.env(name);
  if (value === undefined) throw new Error("there is no such variable in the worker's environment");
  return value;
}

function fromFile(what: string, sources: SecretSources): string {
  const colon = what.lastIndexOf(":");
  if (colon < 0) return sources.readFile(what).replace(/\r?\n$/, "");
  const key = what.slice(colon + 1);
  for (const line of sources.readFile(what.slice(0, colon)).split(/\r?\n/)) {
    const match = /^\s*([^#!=:\s][^=:\s]*)\s*[=:]\s?(.*)$/.exec(line);
    if (match !== null && match[1] === key) return match[2] ?? "";
  }
  throw new Error(`the file has no "${key}"`);
}
