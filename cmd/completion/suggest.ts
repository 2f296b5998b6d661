/** What may stand at a place of a command line: commands, options, and what kind of value. */
import { Command } from "@commander-js/extra-typings";
import type { Argument, CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { addCommands, COMMANDS } from "../commands.ts";
import { LEADING_NAMES, splitLeading } from "../leading-options.ts";

/** Something that may be typed. */
export interface Candidate {
  readonly text: string;
  readonly description: string;
}

/** What is wanted at the cursor: these words, or a value of an option or an argument. */
export type Wanted =
  | { readonly kind: "words"; readonly words: readonly Candidate[] }
  | ValueWanted;

/** A value is wanted. */
export interface ValueWanted {
  readonly kind: "value";
  /** The command with what was typed before the cursor parsed into it. */
  readonly command: CommandUnknownOpts;
  readonly of: Option | Argument;
  /** Values of the arguments that stand before. */
  readonly before: readonly string[];
  /** What of the word is no part of the value: `--brokers=`. */
  readonly prefix: string;
}

const NOTHING: Wanted = { kind: "words", words: [] };
const HELP: Candidate = { text: "--help", description: "explain the command" };

/** What the last of the words may become; the words stand behind `kstream`. */
export async function wantedAt(words: readonly string[]): Promise<Wanted> {
  const isHelp = words[0] === "help" && words.length > 1;
  // The word at the cursor is none of those that stand before the command, but may be the value.
  const split = splitLeading(words.slice(0, -1));
  if (split.waits) return leadingValue(split.leading.at(-1)!);
  const line = [...split.rest, words.at(-1) ?? ""];
  const [first = "", ...typedRest] = isHelp ? words.slice(1) : line;
  if (typedRest.length === 0) return rootWords(first, isHelp);
  const rest = [...typedRest.slice(0, -1), ...split.leading, typedRest.at(-1)!];
  if (!COMMANDS.some(({ name }) => name === first)) return NOTHING;
  const program = new Command("kstream");
  await addCommands(program, first);
  const root = program.commands.find((child) => child.name() === first)!;
  const current = rest.at(-1)!;
  const { command, positionals, pending, ended } = walk(root, rest.slice(0, -1));
  if (isHelp) return { kind: "words", words: subcommands(command) };
  const typed = { kind: "value", command, before: positionals, prefix: "" } as const;
  if (pending !== null) return { ...typed, of: pending };
  if (current.startsWith("-") && !ended) return optionAt(command, current, typed, rest);
  if (command.commands.length > 0) return { kind: "words", words: subcommands(command) };
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  const of = registeredArguments[positionals.length] ?? (last?.variadic ? last : undefined);
  return of === undefined ? NOTHING : { ...typed, of };
}

/** The value of an option that stands before the command. */
async function leadingValue(name: string): Promise<Wanted> {
  const program = new Command("kstream");
  await addCommands(program, "topic");
  const topic = program.commands.find((child) => child.name() === "topic");
  const command = topic?.commands.find((child) => child.name() === "list");
  const of = command?.options.find(({ long, short }) => long === name || short === name);
  if (command === undefined || of === undefined) return NOTHING;
  return { kind: "value", command, of, before: [], prefix: "" };
}

function rootWords(word: string, isHelp: boolean): Wanted {
  const commands = COMMANDS.map(({ name, summary }) => ({ text: name, description: summary }));
  if (isHelp) return { kind: "words", words: commands };
  if (word.startsWith("-")) {
    return {
      kind: "words",
      words: [
        HELP,
        { text: "--version", description: "print the version" },
        ...LEADING_NAMES.map((text) => ({ text, description: "for any command" })),
      ],
    };
  }
  const help = { text: "help", description: "explain a command" };
  return { kind: "words", words: [...commands, help] };
}

interface Walked {
  readonly command: CommandUnknownOpts;
  readonly positionals: readonly string[];
  /** The option whose value comes next. */
  readonly pending: Option | null;
  /** Behind `--` there are no options. */
  readonly ended: boolean;
}

/** Goes down the tree along the words before the cursor, and parses their options. */
function walk(root: CommandUnknownOpts, words: readonly string[]): Walked {
  let command = root;
  let from = 0;
  let pending: Option | null = null;
  let ended = false;
  const positionals: string[] = [];
  words.forEach((word, i) => {
    if (pending !== null) pending = null;
    else if (word === "--") ended = true;
    else if (!ended && word.startsWith("-") && word !== "-") {
      pending = optionThatWaits(command, word);
    } else {
      const child = command.commands.find((each) => each.name() === word);
      if (child !== undefined && positionals.length === 0) [command, from] = [child, i + 1];
      else positionals.push(word);
    }
  });
  try {
    command.parseOptions(words.slice(from, pending === null ? undefined : -1));
  } catch {
    // A value that the command would refuse; what else was typed still counts.
  }
  return { command, positionals, pending, ended };
}

/** The option of a word like `--brokers` or `-eg`, if its value is the next word. */
function optionThatWaits(command: CommandUnknownOpts, word: string): Option | null {
  if (word.startsWith("--")) {
    const option = command.options.find(({ long }) => long === word);
    return option?.required ? option : null;
  }
  const letters = [...word.slice(1)];
  const at = letters.findIndex((letter) => shortOption(command, letter)?.required);
  return at === letters.length - 1 ? shortOption(command, letters[at] ?? "") : null;
}

function shortOption(command: CommandUnknownOpts, letter: string): Option | null {
  return command.options.find(({ short }) => short === `-${letter}`) ?? null;
}

function optionAt(
  command: CommandUnknownOpts,
  current: string,
  typed: Omit<ValueWanted, "of">,
  words: readonly string[],
): Wanted {
  const equals = current.indexOf("=");
  if (equals > 0) {
    const of = command.options.find(({ long }) => long === current.slice(0, equals));
    if (of === undefined || !(of.required || of.optional)) return NOTHING;
    return { ...typed, of, prefix: current.slice(0, equals + 1) };
  }
  const given = (option: Option) =>
    words.slice(0, -1).some((word) => word === option.long || word === option.short);
  const isRepeatable = (option: Option) => (option.parseArg?.length ?? 0) > 1;
  const options = command.options
    .filter((option) => !option.hidden && (!given(option) || isRepeatable(option)))
    .map(({ long, short, description }) => ({ text: long ?? short ?? "", description }));
  return { kind: "words", words: [...options, HELP] };
}

function subcommands(command: CommandUnknownOpts): Candidate[] {
  return command.commands.map((child) => ({ text: child.name(), description: child.summary() }));
}
