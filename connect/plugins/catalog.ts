/** The connectors there are, as herders and the REST API ask for them. */
import { CONNECTOR_FIELDS, SINK_FIELDS, SOURCE_FIELDS } from "../config/connector-fields.ts";
import { findConverter } from "../converters/registry.ts";
import type { ConnectorDefinition } from "../connector.ts";
import type { PluginCatalog, PluginEntry } from "../herder/plugin-catalog.ts";
import { PIPELINE_FIELDS } from "../worker/pipeline-of.ts";
import { equivalentOf } from "./equivalents.ts";
import type { Plugins } from "./plugins.ts";

/** See the head of the file. */
export class ConnectorCatalog implements PluginCatalog {
  /** By name, once they have been loaded. */
  readonly #entries = new Map<string, PluginEntry>();

  /** `others`: converters, transforms and predicates. */
  constructor(
    private readonly plugins: Plugins,
    private readonly others: readonly PluginEntry[] = [],
  ) {}

  async list(): Promise<readonly PluginEntry[]> {
    const connectors = await Promise.all(this.plugins.all.map(async ({ name, load }) => {
      return this.#entry(name, await load());
    }));
    return [...connectors, ...this.others];
  }

  async find(name: string): Promise<PluginEntry | null> {
    const plugin = this.plugins.find(name);
    if (plugin === null) return this.#other(name);
    return this.#entry(plugin.name, await plugin.load());
  }

  /** By class, the last part of it, or our name. */
  #other(name: string): PluginEntry | null {
    const wanted = findConverter(name)?.className ?? name;
    const isIt = (other: PluginEntry) =>
      [other.name, other.name.slice(other.name.lastIndexOf(".") + 1)].includes(wanted);
    return this.others.find(isIt) ?? null;
  }

  kindOf(name: string): "source" | "sink" | null {
    return this.plugins.find(name)?.kind ?? null;
  }

  versionOf(name: string): string | null {
    const plugin = this.plugins.find(name);
    return plugin === null ? null : this.#entries.get(plugin.name)?.version ?? null;
  }

  refusal(name: string): string {
    const missing =
      `Failed to find any class that implements Connector and which name matches ${name}`;
    const equivalent = equivalentOf(name);
    if (equivalent !== null && this.plugins.find(equivalent) !== null) {
      return `${missing}: "${equivalent}" does its work here, with settings of its own`;
    }
    const names = this.plugins.all.map((plugin) => plugin.name).join(", ");
    return `${missing}, available connectors are: ${names}`;
  }

  #entry(name: string, definition: ConnectorDefinition): PluginEntry {
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const common = definition.kind === "source" ? SOURCE_FIELDS : SINK_FIELDS;
    const entry = {
      name,
      type: definition.kind,
      version: definition.version,
      fields: {
        ...definition.config,
        ...missingOf(CONNECTOR_FIELDS, definition.config),
        ...common,
        ...missingOf(PIPELINE_FIELDS, definition.config),
      },
    };
    this.#entries.set(name, entry);
    return entry;
  }
}

/** A connector may say itself what it means by a field that every connector has. */
function missingOf<F extends object>(fields: F, own: object): Partial<F> {
  return Object.fromEntries(
    Object.entries(fields).filter(([name]) => !Object.hasOwn(own, name)),
  ) as Partial<F>;
}
