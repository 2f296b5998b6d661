/** Loads an application of streams: a module of the user's. */
import { existsSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { OperatorError } from "../../core/operator-error.ts";
import { TopologyBuilder } from "../../stream/dsl/builder.ts";
import { Topology, TopologyError } from "../../stream/topology/topology.ts";
import { offerOwnModules } from "../own-modules.ts";

/** Settings by Kafka's names, as modules and users give them. */
export type AppConfig = Readonly<Record<string, string | number | boolean>>;

/** What a module gives. */
export interface LoadedApp {
  readonly topology: Topology;
  /** What it has exported as `config`, and over it what was given. */
  readonly config: AppConfig;
}

const HINT =
  "export default a TopologyBuilder of kstream/stream, or a function of the config that gives one";

/**
 * The default export of a module is a `TopologyBuilder`, its `Topology`, or a function that makes one of
 * the config; an export `config` has settings by Kafka's names. Throws `OperatorError`.
 */
export async function loadApp(path: string, given: AppConfig = {}): Promise<LoadedApp> {
  requireModule(path);
  offerOwnModules();
  try {
    const loaded: { readonly default?: unknown; readonly config?: unknown } = await import(
      pathToFileURL(resolve(path)).href
    );
    const config = { ...configOf(path, loaded.config), ...given };
    const made: unknown = typeof loaded.default === "function"
      ? await loaded.default(config)
      : loaded.default;
    return { topology: topologyOf(path, made), config };
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(`cannot load ${path}`, reasonOf(error), "", 2);
  }
}

const MODULE = /\.[cm]?[jt]sx?$/;

function requireModule(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new OperatorError(`there is no ${path}`, "", "", 2);
  if (found.isDirectory()) {
    const own = join(path, `${basename(resolve(path))}.ts`);
    const hint = `name the module in it${existsSync(own) ? `: ${own}` : ""}`;
    throw new OperatorError(`${path} is a folder`, "", hint, 2);
  }
  if (!MODULE.test(path)) {
    const what = `${path} is no module of TypeScript or JavaScript`;
    throw new OperatorError(what, "", "name a .ts or .js file", 2);
  }
}

function topologyOf(path: string, made: unknown): Topology {
  const topology = made instanceof TopologyBuilder ? made.topology : made;
  if (!(topology instanceof Topology)) {
    const what = made === undefined ? "has no default export" : "does not give a topology";
    throw new OperatorError(`${path} ${what}`, "", HINT, 2);
  }
  if (topology.nodes.size === 0) {
    throw new OperatorError(`the topology of ${path} has no steps`, "", "begin with stream()", 2);
  }
  return topology;
}

function configOf(path: string, config: unknown): AppConfig {
  if (config === undefined) return {};
  const isRecord = typeof config === "object" && config !== null && !Array.isArray(config);
  const entries = isRecord ? Object.entries(config) : [];
  const wrong = entries.find(([, value]) =>
    !["string", "number", "boolean"].includes(typeof value)
  );
  if (isRecord && wrong === undefined) return Object.fromEntries(entries);
  const what = wrong === undefined ? `config of ${path}` : `"${wrong[0]}" in the config of ${path}`;
  const hint = wrong === undefined ? "an object of settings by name" : "a text, number or boolean";
  throw new OperatorError(`${what} cannot be read`, "", `write ${hint}`, 2);
}

/** With the place where it stands, as far as Bun tells. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [message = ""] = error.message.split("\n");
  if (error instanceof TopologyError) return message;
  if ("position" in error) return `${placeOf(error.position)}${message}`;
  const frame = error.stack?.split("\n").find((line) => /\.[jt]sx?:\d+/.test(line))?.trim() ?? "";
  const named = error.name === "Error" ? message : `${error.name}: ${message}`;
  return frame === "" ? named : `${named} (${frame})`;
}

/** Of what does not parse, or imports what is not there. */
function placeOf(position: unknown): string {
  if (typeof position !== "object" || position === null) return "";
  if (!("line" in position && "column" in position)) return "";
  return `line ${String(position.line)}, column ${String(position.column)}: `;
}

/** `name=value` of `--set`. */
export function parseSettings(pairs: readonly string[] | undefined): AppConfig {
  return Object.fromEntries((pairs ?? []).map((pair) => {
    const at = pair.indexOf("=");
    if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
    throw new OperatorError(`"${pair}" sets nothing`, "", "write --set name=value", 2);
  }));
}
