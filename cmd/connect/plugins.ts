/** `kstream connect plugins`: which connectors there are, and what each is set up with. */
import {
  CONNECTOR_FIELDS,
  SINK_FIELDS,
  SOURCE_FIELDS,
} from "../../connect/config/connector-fields.ts";
import type { Field, Fields } from "../../connect/config/fields.ts";
import type { ConnectorDefinition } from "../../connect/connector.ts";
import { didYouMean } from "../../core/did-you-mean.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { formatTable, print, printJson } from "../output.ts";
import { pluginsOf } from "./worker-parts.ts";

/** All of them, a line each. */
export async function listPlugins(options: { readonly json?: true }): Promise<void> {
  const all = await Promise.all(pluginsOf({ allowExec: true }).all.map((plugin) => plugin.load()));
  const rows = all.map(({ name, kind, version, delivery, doc }) => ({
    name,
    kind,
    version,
    delivery,
    doc,
  }));
  if (options.json) return await printJson(rows);
  await print(formatTable(rows, [
    { title: "CONNECTOR", cell: ({ name }) => name },
    { title: "KIND", cell: ({ kind }) => kind },
    { title: "DELIVERY", cell: ({ delivery }) => delivery },
    { title: "WHAT IT DOES", cell: ({ doc }) => firstSentence(doc) },
  ]));
}

function firstSentence(doc: string): string {
  return /^.*?[.](?=\s|$)/s.exec(doc)?.[0].replace(/\s+/g, " ") ?? doc;
}

/** What one is, and all its settings. */
export async function showPlugin(
  name: string,
  options: { readonly json?: true },
): Promise<void> {
  const plugins = pluginsOf({ allowExec: true });
  const plugin = plugins.find(name);
  if (plugin === null) {
    const meant = didYouMean(name, plugins.all.map((known) => known.name));
    const hint = meant === null ? "see: kstream connect plugins" : `did you mean "${meant}"?`;
    throw new OperatorError(`there is no connector "${name}"`, "", hint, 2);
  }
  const definition = await plugin.load();
  if (options.json) return await printJson(describe(definition));
  await print(
    `${definition.name} ${definition.version}, ${definition.kind}, ${definition.delivery}\n`,
  );
  await print(`\n${definition.doc}\n\n${fieldsText(definition.config)}`);
  const common = definition.kind === "source" ? SOURCE_FIELDS : SINK_FIELDS;
  await print(
    `\nOf every ${definition.kind}:\n\n${fieldsText({ ...common, ...CONNECTOR_FIELDS })}`,
  );
}

function describe(definition: ConnectorDefinition) {
  const { name, kind, version, delivery, doc, config } = definition;
  return {
    name,
    kind,
    version,
    delivery,
    doc,
    fields: Object.entries(config).map(([field, { parts }]) => ({
      name: field,
      type: parts.type,
      required: parts.isRequired,
      default: defaultOf(config[field]!),
      choices: parts.choices,
      doc: parts.doc,
    })),
  };
}

/** A block each: name, type and default, what it means. */
function fieldsText(fields: Fields): string {
  return Object.entries(fields).map(([name, field]) => {
    const { type, isRequired, choices, doc } = field.parts;
    const fallback = defaultOf(field);
    const what = choices.length > 0 ? choices.join(" | ") : type.toLowerCase();
    const need = isRequired ? "needed" : fallback === "" ? "optional" : `default ${fallback}`;
    return `  ${name} (${what}, ${need})\n      ${doc}\n`;
  }).join("");
}

function defaultOf({ parts }: Field<unknown>): string {
  return parts.fallback === null ? "" : parts.show(parts.fallback.value);
}
