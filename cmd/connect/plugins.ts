/** `kstream connect plugins`: which connectors there are, and what each is set up with. */
import {
  commonFields,
  describeConnector,
  type DescribedField,
  type DescribedPlugin,
  describeOthers,
} from "../../connect/plugins/described.ts";
import type { Plugins } from "../../connect/plugins/plugins.ts";
import { didYouMean } from "../../core/did-you-mean.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { formatTable, print, printJson } from "../output.ts";
import { LEASE_ALONE_MS, type PluginFlags, pluginsAndHosts } from "./hosts/worker-hosts.ts";

interface PluginsOptions extends PluginFlags {
  readonly json?: true;
  readonly all?: true;
}

/** All connectors, a line each; with `all` converters, transforms and predicates besides. */
export async function listPlugins(options: PluginsOptions): Promise<void> {
  const connectors = await connectorsHere(options);
  const all = options.all === true ? [...connectors, ...describeOthers()] : connectors;
  const rows = all.map(({ name, kind, version, delivery, doc }) => ({
    name,
    kind,
    version,
    delivery,
    doc,
  }));
  if (options.json) return await printJson(rows);
  await print(formatTable(rows, [
    { title: "NAME", cell: ({ name }) => name },
    { title: "KIND", cell: ({ kind }) => kind },
    { title: "DELIVERY", cell: ({ delivery }) => delivery ?? "" },
    { title: "WHAT IT DOES", cell: ({ doc }) => firstSentence(doc) },
  ]));
}

async function pluginsOf(options: PluginFlags): Promise<Plugins> {
  const all = { ...options, allowExec: true };
  return (await pluginsAndHosts(all, { leaseMs: LEASE_ALONE_MS })).plugins;
}

async function connectorsHere(options: PluginFlags): Promise<DescribedPlugin[]> {
  const plugins = await pluginsOf(options);
  const definitions = await Promise.all(plugins.all.map((one) => one.load()));
  return definitions.map(describeConnector);
}

function firstSentence(doc: string): string {
  return /^.*?[.](?=\s|$)/s.exec(doc)?.[0].replace(/\s+/g, " ") ?? doc;
}

/** What one is, and all its settings. */
export async function showPlugin(name: string, options: PluginsOptions): Promise<void> {
  const plugin = await findPlugin(name, options);
  if (options.json) return await printJson(plugin);
  const { kind, version, delivery, doc, aliases, example, fields } = plugin;
  const facts = [kind, delivery].filter((fact) => fact !== null).join(", ");
  await print(`${plugin.name}${version === null ? "" : ` ${version}`}, ${facts}\n\n${doc}\n`);
  if (aliases.length > 0) await print(`\nAlso known as ${aliases.join(", ")}.\n`);
  if (example !== "") {
    await print(`\nExample:\n\n${example.trimEnd().replace(/^/gm, "  ")}\n`);
  }
  if (fields.length > 0) await print(`\nSettings:\n\n${fieldsText(fields)}`);
  const titles = kind === "source" || kind === "sink"
    ? [`Of every ${kind}`, "Of every connector"]
    : kind === "transform"
    ? ["Of every transform"]
    : [];
  for (const title of titles) {
    const common = commonFields().find((each) => each.title === title)?.fields ?? [];
    await print(`\n${title}:\n\n${fieldsText(common)}`);
  }
}

async function findPlugin(name: string, options: PluginFlags): Promise<DescribedPlugin> {
  const plugins = await pluginsOf(options);
  const connector = plugins.find(name);
  if (connector !== null) return describeConnector(await connector.load());
  const others = describeOthers();
  const wanted = name.toLowerCase();
  const other = others.find((each) =>
    [each.name, ...each.aliases].some((known) => known.toLowerCase() === wanted)
  );
  if (other !== undefined) return other;
  const names = [...plugins.all, ...others].map((known) => known.name);
  const meant = didYouMean(name, names);
  const hint = meant === null ? "see: kstream connect plugins --all" : `did you mean "${meant}"?`;
  throw new OperatorError(`there is no plugin "${name}"`, "", hint, 2);
}

/** A block each: name, type and default, what it means. */
function fieldsText(fields: readonly DescribedField[]): string {
  return fields.map(({ name, type, isRequired, default: fallback, doc, example }) => {
    const need = isRequired ? "needed" : fallback === null ? "optional" : `default ${fallback}`;
    const shown = example === null ? "" : `\n      Example: ${example}`;
    return `  ${name} (${type}, ${need})\n      ${doc}${shown}\n`;
  }).join("");
}
