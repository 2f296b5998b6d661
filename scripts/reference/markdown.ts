/** docs/commands.md. */
import type { Entry, Page } from "./pages.ts";

const HEAD = `# Commands

Made from the command tree by \`make docs\`; \`kstream help COMMAND\` says the same, and so do the man
pages that \`make install\` installs. What most commands share stands at the end.
`;

/** Groups of options that are told once. */
const SHARED = ["Security", "Everywhere"];

/** The whole document. */
export function commandsMarkdown(pages: readonly Page[]): string {
  const sections = pages.map((page) => {
    const own = page.optionGroups.filter(({ title }) => !SHARED.includes(title));
    return [
      `## ${page.path}\n`,
      `${page.description}\n`,
      fenced([`${page.path} ${page.usage}`]),
      list([...page.arguments, ...own.flatMap(({ options }) => options)]),
      ...(page.notes === "" ? [] : [fenced(page.notes.split("\n"))]),
      ...(page.examples.length === 0 ? [] : ["Examples:\n", fenced(page.examples)]),
    ].join("\n");
  });
  const shared = SHARED.map((title) => {
    const groups = pages.flatMap(({ optionGroups }) => optionGroups);
    const options = groups.filter((group) => group.title === title).flatMap((group) =>
      group.options
    );
    const byName = new Map(options.map((option) => [option.name, option]));
    return [`## ${title}\n`, list([...byName.values()])].join("\n");
  });
  return [HEAD, ...sections, ...shared].join("\n");
}

function list(entries: readonly Entry[]): string {
  return entries.map(({ name, text }) => `- \`${name}\`: ${plain(text)}\n`).join("");
}

function fenced(lines: readonly string[]): string {
  return ["```text", ...lines, "```", ""].join("\n");
}

/** What Markdown would take for markup. */
function plain(text: string): string {
  return text.replace(/[\\*_<>`[\]]/g, "\\$&");
}
