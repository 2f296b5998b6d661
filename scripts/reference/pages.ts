/** What the command tree says about each command, as data for man pages and docs/commands.md. */
import type { CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { leavesOf, loadTree, pathOf } from "../../cmd/commands.ts";

/** A command. */
export interface Page {
  /** `kstream topic create`. */
  readonly path: string;
  readonly description: string;
  /** Behind the path: `[options] <name...>`. */
  readonly usage: string;
  readonly arguments: readonly Entry[];
  /** The command's own options, then those that the program gives it. */
  readonly optionGroups: readonly { readonly title: string; readonly options: readonly Entry[] }[];
  /** Paragraphs as in the help; lines of a table are kept apart. */
  readonly notes: string;
  /** Command lines, maybe with a word behind. */
  readonly examples: readonly string[];
}

/** A name with what it means. */
export interface Entry {
  readonly name: string;
  readonly text: string;
}

const EXAMPLES_TITLE = "\nExamples:\n";

/** All commands that do something, in the order of the help. */
export async function referencePages(): Promise<Page[]> {
  return leavesOf(await loadTree()).map(pageOf);
}

function pageOf(command: CommandUnknownOpts): Page {
  const { notes, examples } = textBelowOptions(command);
  const groups = new Map<string, Entry[]>();
  for (const option of command.options) {
    if (option.hidden) continue;
    const title = (option.helpGroupHeading ?? "Options:").replace(/:$/, "");
    groups.set(title, [...groups.get(title) ?? [], optionEntry(option)]);
  }
  return {
    path: pathOf(command),
    description: command.description(),
    usage: command.usage(),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.required ? argument.name() : `[${argument.name()}]`,
      text: argument.description + choicesOf(argument.argChoices),
    })),
    optionGroups: [...groups].map(([title, options]) => ({ title, options })),
    notes,
    examples,
  };
}

function optionEntry(
  { flags, description, argChoices, defaultValue, defaultValueDescription, envVar }: Option,
): Entry {
  const isPlain = ["string", "number"].includes(typeof defaultValue);
  const shown = defaultValueDescription ?? (isPlain ? String(defaultValue) : "");
  const fallback = shown === "" || shown === "none" ? "" : ` (default: ${shown})`;
  const variable = envVar === undefined ? "" : ` (env: ${envVar})`;
  return { name: flags, text: description + choicesOf(argChoices) + fallback + variable };
}

function choicesOf(choices: readonly string[] | undefined): string {
  return choices === undefined ? "" : ` (one of: ${choices.join(", ")})`;
}

/** What `addHelpText("after", …)` says, apart from the examples. */
function textBelowOptions(command: CommandUnknownOpts) {
  let help = "";
  command.configureOutput({ writeOut: (part) => (help += part) });
  command.outputHelp();
  const text = help.slice(command.helpInformation().length);
  const at = text.indexOf(EXAMPLES_TITLE);
  const notes = at < 0 ? text : text.slice(0, at);
  const below = at < 0 ? "" : text.slice(at + EXAMPLES_TITLE.length);
  const end = below.search(/\n(?=\n\S)/);
  const examples = (end < 0 ? below : below.slice(0, end)).split("\n").map((line) => line.trimEnd())
    .filter((line) => line !== "").map((line) => line.replace(/^ {2}/, ""));
  const rest = end < 0 ? "" : below.slice(end);
  return { notes: (notes + rest).trim(), examples };
}
