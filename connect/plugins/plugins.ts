/** Which connectors there are, by the names that configs have for them. */
import { didYouMean } from "../../core/did-you-mean.ts";
import type { ConnectorDefinition } from "../connector.ts";
import { ConfigError } from "../config/parse.ts";

/** A connector that can be loaded. */
export interface Plugin {
  readonly name: string;
  readonly kind: "source" | "sink";
  /** Other names of it: Kafka's classes, and those of well-known third parties' that it stands for. */
  readonly aliases: readonly string[];
  /** As its definition has it: it is there only where that was allowed. */
  readonly needs?: "exec";
  /** Of a user: the path of its module, which runs apart. `load` gives what can be said of it. */
  readonly module?: string;
  /** It reads or writes what this process has as standard input or output, so it is of no use elsewhere. */
  readonly isOfTerminal?: true;
  load(): Promise<ConnectorDefinition>;
}

/** See the head of the file. */
export class Plugins {
  readonly #byName = new Map<string, Plugin>();

  constructor(readonly all: readonly Plugin[]) {
    for (const plugin of all) {
      for (const name of [plugin.name, ...plugin.aliases]) {
        this.#byName.set(name.toLowerCase(), plugin);
      }
    }
  }

  /** By name, alias, or the last part of an alias, as Connect takes classes. Null: there is none. */
  find(name: string): Plugin | null {
    return this.#byName.get(name.trim().toLowerCase()) ?? null;
  }

  /** Throws `ConfigError`, with what may have been meant. */
  async load(name: string): Promise<ConnectorDefinition> {
    const plugin = this.find(name);
    if (plugin !== null) return await plugin.load();
    const meant = didYouMean(name, this.all.map((known) => known.name));
    const hint = meant === null ? "see: kstream connect plugins" : `did you mean "${meant}"?`;
    const message = `"connector.class" names no connector that is here, "${name}": ${hint}`;
    throw new ConfigError([{ field: "connector.class", message }]);
  }
}
