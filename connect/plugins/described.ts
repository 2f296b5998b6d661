/** Plugins in words, as the reference, the command line and pages tell of them. */
import { tmpdir } from "node:os";
import { CONNECTOR_FIELDS, SINK_FIELDS, SOURCE_FIELDS } from "../config/connector-fields.ts";
import type { Field, Fields } from "../config/fields.ts";
import type { RawConfig } from "../config/parse.ts";
import { withPrefix } from "../config/parse.ts";
import type { ConnectorDefinition, Delivery } from "../connector.ts";
import { CONVERTERS } from "../converters/registry.ts";
import { CONSUMER_FIELDS, PRODUCER_FIELDS } from "../runtime/client-overrides.ts";
import { STAGE_FIELDS } from "../transforms/chain.ts";
import type { StageDefinition } from "../transforms/definition.ts";
import { PREDICATES } from "../transforms/predicates.ts";
import { TRANSFORMS } from "../transforms/registry.ts";
import { PIPELINE_FIELDS } from "../worker/pipeline-of.ts";

/** A setting. */
export interface DescribedField {
  readonly name: string;
  /** What there is to choose of, or the type. */
  readonly type: string;
  readonly isRequired: boolean;
  /** As configs have it; null: it may be left out, and nothing stands for it. */
  readonly default: string | null;
  readonly importance: string;
  readonly group: string;
  readonly doc: string;
  readonly example: string | null;
}

/** A connector, converter, transform or predicate. */
export interface DescribedPlugin {
  readonly name: string;
  readonly kind: "source" | "sink" | "converter" | "transform" | "predicate";
  /** Its other names in configs. */
  readonly aliases: readonly string[];
  /** Of connectors. */
  readonly version: string | null;
  /** Of connectors. */
  readonly delivery: Delivery | null;
  readonly doc: string;
  readonly fields: readonly DescribedField[];
  /** YAML; empty where a name says it all. */
  readonly example: string;
}

export function describeFields(fields: Fields): DescribedField[] {
  return Object.entries(fields).map(([name, { parts }]) => {
    const { type, choices, isRequired, importance, group, doc, example } = parts;
    return {
      name,
      type: choices.length > 0 ? choices.join(" | ") : type.toLowerCase(),
      isRequired,
      default: defaultOf(parts),
      importance: importance.toLowerCase(),
      group,
      doc,
      example,
    };
  });
}

function defaultOf({ fallback, show }: Field<unknown>["parts"]): string | null {
  if (fallback === null || fallback.value === null) return null;
  // The machine's own, which is another one elsewhere.
  if (fallback.value === tmpdir()) return "the system's temporary folder";
  const shown = show(fallback.value);
  return shown === "" ? null : shown;
}

export function describeConnector(definition: ConnectorDefinition): DescribedPlugin {
  const { name, kind, aliases = [], version, delivery, doc, config } = definition;
  const fields = describeFields(config);
  const example = exampleYaml(exampleOf(definition));
  return { name, kind, aliases, version, delivery, doc, fields, example };
}

/** A whole config of that connector, to begin with. */
export function exampleOf(definition: ConnectorDefinition): RawConfig {
  const { name, kind, config, example } = definition;
  const needed = Object.entries(config).filter(([, { parts }]) => parts.isRequired);
  const own = example ??
    Object.fromEntries(needed.map(([field, { parts }]) => [field, parts.example ?? `my-${field}`]));
  return {
    name: `my-${name}`,
    "connector.class": name,
    ...(kind === "sink" && own["topics.regex"] === undefined ? { topics: "orders" } : {}),
    ...own,
  };
}

/** As `kstream connect run` takes it, and `validate`. */
export function exampleYaml(config: RawConfig): string {
  return Object.entries(config).map(([key, value]) => {
    const name = key === "connector.class" ? "connector" : key;
    return value.includes("\n")
      ? `${name}: |\n${value.trimEnd().split("\n").map((line) => `  ${line}\n`).join("")}`
      : `${name}: ${yamlScalar(value)}\n`;
  }).join("");
}

function yamlScalar(text: string): string {
  const isPlain = /^[\w/.$][\w ./{}$@%=,:;+*()!?<>|&\[\]-]*$/.test(text) &&
    !/:(?:\s|$)|\s#|\s$/.test(text);
  if (isPlain) return text;
  return /["\\]/.test(text) ? `'${text.replaceAll("'", "''")}'` : `"${text}"`;
}

/** Converters, transforms and predicates. */
export function describeOthers(): DescribedPlugin[] {
  const converters = CONVERTERS.map(({ name, className, doc, config }): DescribedPlugin => ({
    ...{ name, kind: "converter", version: null, delivery: null, doc, example: "" },
    aliases: className === null ? [] : [className],
    fields: describeFields(config),
  }));
  return [
    ...converters,
    ...TRANSFORMS.map((each) => describeStage(each, "transform")),
    ...PREDICATES.map((each) => describeStage(each, "predicate")),
  ];
}

function describeStage<T>(
  { name, className, hasSides, doc, config }: StageDefinition<T>,
  kind: "transform" | "predicate",
): DescribedPlugin {
  const suffixes = hasSides ? ["$Key", "$Value"] : [""];
  return {
    ...{ name, kind, version: null, delivery: null, doc, example: "" },
    aliases: [
      ...(hasSides ? suffixes.map((suffix) => `${name}${suffix}`) : []),
      ...(className === null ? [] : suffixes.map((suffix) => `${className}${suffix}`)),
    ],
    fields: describeFields(config),
  };
}

/** Settings that plugins have in common, by what they are of. */
export function commonFields(): { readonly title: string; readonly fields: DescribedField[] }[] {
  const sections: readonly (readonly [title: string, fields: Fields])[] = [
    ["Of every connector", { ...CONNECTOR_FIELDS, ...PIPELINE_FIELDS }],
    ["Of every source", { ...SOURCE_FIELDS, ...withPrefix(PRODUCER_FIELDS, "producer.override.") }],
    ["Of every sink", { ...SINK_FIELDS, ...withPrefix(CONSUMER_FIELDS, "consumer.override.") }],
    ["Of every transform", withPrefix(STAGE_FIELDS, "transforms.NAME.")],
  ];
  return sections.map(([title, fields]) => ({ title, fields: describeFields(fields) }));
}
