/** `docs/connectors.md`, from the definitions of connectors, converters, transforms and predicates. */
import { BUILT_IN } from "../../connect/plugins/built-in.ts";
import {
  commonFields,
  describeConnector,
  type DescribedField,
  type DescribedPlugin,
  describeOthers,
} from "../../connect/plugins/described.ts";

const HEAD = `# Connectors, their settings

Made from the connectors by \`make docs\`; \`kstream connect plugins NAME\` says the same. How connectors
work, and what they lack, is in \`connect.md\`; how a config is written and run, in \`cookbook.md\`.

Secrets stay out of configs: \`\${env:NAME}\`, \`\${file:PATH}\`, or \`\${file:PATH:KEY}\` for one of a file of
properties. Times whose names end in \`.ms\` are milliseconds.
`;

const KINDS = [
  ["source", "Sources"],
  ["sink", "Sinks"],
  ["converter", "Converters"],
  ["transform", "Transforms"],
  ["predicate", "Predicates"],
] as const;

const NOTES: Partial<Record<DescribedPlugin["kind"], string>> = {
  converter: "Named by `key.converter`, `value.converter` and `header.converter`; settings stand " +
    "behind that name, as `value.converter.schemas.enable`.",
  transform: "Named by `transforms.NAME.type`, with `$Key` or `$Value` where there is one for " +
    "either; settings stand behind `transforms.NAME.`.",
  predicate: "Named by `predicates.NAME.type`; a transform is bound to one by " +
    "`transforms.NAME.predicate`.",
};

const DELIVERIES = {
  "at-most-once": "Delivery: at most once: what the worker has in its hands when it dies is lost.",
  "at-least-once": "Delivery: at least once.",
  "exactly-once": "Delivery: exactly once, as is said above.",
};

/** The whole page. */
export async function connectorsMarkdown(): Promise<string> {
  const connectors = await Promise.all(BUILT_IN.map((each) => each.load()));
  const all = [...connectors.map(describeConnector), ...describeOthers()];
  const sections = KINDS.flatMap(([kind, title]) => [
    `## ${title}\n`,
    ...(NOTES[kind] === undefined ? [] : [`${NOTES[kind]}\n`]),
    ...all.filter((each) => each.kind === kind).map(pluginSection),
  ]);
  const common = commonFields().map(({ title, fields }) => `## ${title}\n\n${fieldList(fields)}`);
  return [HEAD, ...sections, ...common].join("\n");
}

function pluginSection({ name, aliases, delivery, doc, example, fields }: DescribedPlugin): string {
  const names = aliases.map((alias) => `\`${alias}\``).join(", ");
  return [
    `### ${name}\n`,
    `${markdownText(doc)}\n`,
    ...(delivery === null ? [] : [`${DELIVERIES[delivery]}\n`]),
    ...(names === "" ? [] : [`Also known as ${names}.\n`]),
    ...(example === "" ? [] : ["```yaml", example.trimEnd(), "```\n"]),
    ...groups(fields).map(([group, own]) => (group === "" ? "" : `${group}:\n\n`) + fieldList(own)),
  ].join("\n");
}

function groups(fields: readonly DescribedField[]): [string, readonly DescribedField[]][] {
  return [...Map.groupBy(fields, ({ group }) => group)];
}

function fieldList(fields: readonly DescribedField[]): string {
  return fields.map((field) => {
    const { name, type, importance, doc, example } = field;
    const need = field.isRequired
      ? "needed"
      : field.default === null
      ? "optional"
      : `default ${code(field.default)}`;
    const shown = example === null ? "" : ` Example: ${code(example)}.`;
    return `- \`${name}\` (${type}, ${need}, ${importance}): ${markdownText(doc)}${shown}\n`;
  }).join("");
}

function code(text: string): string {
  return text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``;
}

/** What Markdown would take for markup; what stands between backticks stays. */
function markdownText(text: string): string {
  return text.split(/(`[^`]*`)/).map((part, i) =>
    i % 2 === 1 ? part : part.replace(/[\\*_<>[\]]/g, "\\$&")
  ).join("");
}
