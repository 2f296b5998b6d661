/** Converters, transforms and predicates, as the REST API lists them beside connectors. */
import { CONVERTERS } from "../converters/registry.ts";
import type { PluginEntry, PluginType } from "../herder/plugin-catalog.ts";
import type { StageDefinition } from "../transforms/definition.ts";
import { PREDICATES } from "../transforms/predicates.ts";
import { TRANSFORMS } from "../transforms/registry.ts";

/** As tools know them: by Kafka's class where there is one, else by our name; all of our version. */
export function otherPlugins(version: string): PluginEntry[] {
  const converters = CONVERTERS.flatMap(({ name, className, config, isForHeaders }) => {
    const types: PluginType[] = isForHeaders
      ? ["header_converter"]
      : ["converter", "header_converter"];
    return types.map((type) => entry(className ?? name, type, config));
  });
  return [
    ...converters,
    ...TRANSFORMS.flatMap((each) => stageEntries(each, "transformation")),
    ...PREDICATES.flatMap((each) => stageEntries(each, "predicate")),
  ].sort((a, b) => a.type === b.type ? compare(a.name, b.name) : compare(a.type, b.type));

  function stageEntries<T>(definition: StageDefinition<T>, type: PluginType): PluginEntry[] {
    const { name, className, hasSides, config } = definition;
    const suffixes = hasSides ? ["$Key", "$Value"] : [""];
    return suffixes.map((suffix) => entry(`${className ?? name}${suffix}`, type, config));
  }

  function entry(name: string, type: PluginType, fields: PluginEntry["fields"]): PluginEntry {
    return { name, type, version, fields };
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
