/** What a worker can run, as a herder asks for it. */
import type { Fields } from "../config/fields.ts";

/** As Connect's REST API names them. */
export type PluginType =
  | "sink"
  | "source"
  | "transformation"
  | "predicate"
  | "converter"
  | "header_converter";

export interface PluginEntry {
  /** As it stands in a config: our name. */
  readonly name: string;
  readonly type: PluginType;
  readonly version: string | null;
  /** All its settings; of connectors those that every connector has come behind. */
  readonly fields: Fields;
}

export interface PluginCatalog {
  list(): Promise<readonly PluginEntry[]>;
  /** By our name, or by a name of Kafka's own classes. */
  find(name: string): Promise<PluginEntry | null>;
  /** Whether a connector of that name reads or writes another system; null: there is none. */
  kindOf(name: string): "source" | "sink" | null;
  /** Of a connector that has been loaded; null: it is not known. */
  versionOf(name: string): string | null;
  /** Why there is none of this name, and what does its work. */
  refusal(name: string): string;
}
