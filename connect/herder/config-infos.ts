/**
 * What is wrong with a config, field by field, in the form of Connect's REST API (`ConfigInfos`): each
 * field with its definition, the value that it has or is taken for, and what is wrong with that.
 */
import type { Field } from "../config/fields.ts";
import { type ConfigProblem, parseField, type RawConfig } from "../config/parse.ts";
import type { PluginEntry } from "./plugin-catalog.ts";

/** The definition of a field, as Connect's `ConfigKeyInfo`. */
export interface FieldDefinition {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly default_value: string | null;
  readonly importance: string;
  readonly documentation: string;
  readonly group: string | null;
  readonly order_in_group: number;
  readonly width: string;
  readonly display_name: string;
  readonly dependents: readonly string[];
}

export interface FieldValue {
  readonly name: string;
  readonly value: string | null;
  readonly recommended_values: readonly string[];
  readonly errors: readonly string[];
  readonly visible: boolean;
}

export interface ConfigInfos {
  readonly name: string;
  readonly error_count: number;
  readonly groups: readonly string[];
  readonly configs: readonly {
    readonly definition: FieldDefinition | null;
    readonly value: FieldValue;
  }[];
}

/** The definitions of a plugin's fields. */
export function definitionsOf({ fields }: PluginEntry): FieldDefinition[] {
  const orders = new Map<string, number>();
  return Object.entries(fields).map(([name, { parts }]) => {
    const { type, isRequired, fallback, importance, doc, show } = parts;
    const group = parts.group === "" ? null : parts.group;
    const order = (orders.get(parts.group) ?? 0) + 1;
    orders.set(parts.group, order);
    const hasDefault = fallback !== null && fallback.value !== null;
    return {
      name,
      type,
      required: isRequired,
      default_value: hasDefault ? show(fallback.value) : null,
      importance,
      documentation: doc,
      group,
      order_in_group: group === null ? -1 : order,
      width: "NONE",
      display_name: name,
      dependents: [],
    };
  });
}

/** The whole answer about a config of that plugin. */
export function configInfos(
  plugin: PluginEntry,
  config: RawConfig,
  problems: readonly ConfigProblem[],
): ConfigInfos {
  const definitions = definitionsOf(plugin);
  const known = new Set(definitions.map(({ name }) => name));
  const byField = Map.groupBy(problems, ({ field }) => field);
  const errorsOf = (name: string) => (byField.get(name) ?? []).map(({ message }) => message);
  const others = [...byField.keys()].filter((name) => !known.has(name));
  const configs = [
    ...others.map((name) => ({
      definition: null,
      value: valueInfo(name, Object.hasOwn(config, name) ? config[name]! : null, errorsOf(name)),
    })),
    ...definitions.map((definition) => {
      const { name } = definition;
      const field = plugin.fields[name]!;
      const { choices } = field.parts;
      return {
        definition,
        value: valueInfo(name, shown(name, field, config), errorsOf(name), choices),
      };
    }),
  ];
  const groups = definitions.flatMap(({ group }) => group ?? []);
  return {
    name: config["connector.class"] ?? plugin.name,
    error_count: problems.length,
    groups: [...new Set(groups)],
    configs,
  };
}

function valueInfo(
  name: string,
  value: string | null,
  errors: readonly string[],
  choices: readonly string[] = [],
): FieldValue {
  return { name, value, recommended_values: choices, errors, visible: true };
}

/** The value as it is taken; as it was given where it cannot be; of a secret nothing. */
function shown(name: string, field: Field<unknown>, config: RawConfig): string | null {
  const text = Object.hasOwn(config, name) ? config[name] ?? null : null;
  if (field.parts.type === "PASSWORD") return text === null ? null : "[hidden]";
  if (text?.includes("${") === true) return text;
  const parsed = parseField(name, field, config);
  if ("problem" in parsed) return text;
  return parsed.value === null ? null : field.parts.show(parsed.value);
}
