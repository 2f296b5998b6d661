/** `kstream settings explain`. */
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { didYouMean } from "../../core/did-you-mean.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { leavesOf, loadTree, pathOf } from "../commands.ts";
import { formatTable, print, printJson } from "../output.ts";
import { isSecret } from "../profile-store.ts";
import { applySettings, type ResolvedSetting, SHARED_OPTIONS } from "../settings.ts";
import { say } from "../terminal.ts";

/** An option as `settings explain --json` shows it. */
interface SettingView {
  /** `topic list`; null for what is shared by all commands. */
  readonly command: string | null;
  readonly option: string;
  /** null where nothing is set, or where it is secret. */
  readonly value: unknown;
  readonly secret: boolean;
  readonly source: string;
  readonly where: string | null;
  readonly overrides: readonly { readonly source: string; readonly where: string }[];
}

/** `kstream settings explain`: of the command that begins `words`, or of all. */
export async function explainSettings(
  words: readonly string[],
  options: { json?: boolean | undefined },
): Promise<void> {
  const tree = await loadTree();
  const rows = words.length === 0 ? await allThatIsSet(tree) : await explainOne(tree, words);
  if (options.json) return await printJson(rows);
  const isAll = words.length === 0;
  if (isAll && rows.length === 0) return await print("nothing is set: all is as by default\n");
  await print(formatTable(rows, [
    ...(isAll ? [{ title: "COMMAND", cell: (row: SettingView) => row.command ?? "all" }] : []),
    { title: "OPTION", cell: ({ option }) => `--${option}` },
    { title: "VALUE", cell: textOf },
    { title: "FROM", cell: ({ source }) => source },
    { title: "WHERE", cell: ({ where }) => where ?? "" },
    { title: "OVERRIDES", cell: ({ overrides }) => overrides.map(({ where }) => where).join(", ") },
  ]));
}

async function explainOne(
  tree: CommandUnknownOpts,
  words: readonly string[],
): Promise<SettingView[]> {
  let command = tree;
  let at = 0;
  for (; command.commands.length > 0 && at < words.length; at++) {
    command = childOf(command, words[at]!);
  }
  if (command.commands.length > 0) {
    throw new OperatorError(`"${pathOf(command)}" needs a subcommand`, "", namesOf(command), 2);
  }
  const { unknown } = command.parseOptions(words.slice(at));
  const [stray] = unknown;
  if (stray !== undefined && stray !== "--") {
    const near = didYouMean(stray, command.options.flatMap(({ long }) => long ?? []));
    const hint = near === null ? `see "${pathOf(command)} --help"` : `did you mean ${near}?`;
    throw new OperatorError(`unknown option '${stray}'`, "", hint, 2);
  }
  const { settings, warnings } = await applySettings(command);
  for (const warning of warnings) say(`kstream: ${warning}`);
  return settings.map((setting) => viewOf(command, setting));
}

/** What is shared stands once. */
async function allThatIsSet(tree: CommandUnknownOpts): Promise<SettingView[]> {
  const views = new Map<string, SettingView>();
  for (const leaf of leavesOf(tree)) {
    const { settings } = await applySettings(leaf);
    for (const setting of settings) {
      if (setting.source.kind === "default") continue;
      const view = viewOf(leaf, setting);
      const isShared = SHARED_OPTIONS.includes(setting.name) || setting.name === "profile";
      const isOther = setting.option.envVar !== undefined;
      const isOfCommand = view.where?.startsWith("[") ?? false;
      const command = isShared && !isOther && !isOfCommand ? null : view.command;
      views.set(`${command} ${view.option}`, { ...view, command });
    }
  }
  return [...views.values()].sort((a, b) => (a.command ?? "").localeCompare(b.command ?? ""));
}

function viewOf(command: CommandUnknownOpts, setting: ResolvedSetting): SettingView {
  const { option, name, source, shadowed } = setting;
  const value: unknown = command.getOptionValue(option.attributeName());
  const secret = isSecret(name);
  return {
    command: pathOf(command).split(" ").slice(1).join(" "),
    option: name,
    value: secret && source.kind !== "default" ? null : withoutPassword(value) ?? null,
    secret,
    source: source.kind,
    where: source.where === "" ? null : source.where,
    overrides: shadowed.map(({ kind, where }) => ({ source: kind, where })),
  };
}

/** URLs may have one: `etcd://user:password@host`. */
function withoutPassword(value: unknown): unknown {
  return typeof value === "string" ? value.replace(/^(\w+:\/\/[^:@/]*):[^@/]*@/, "$1:…@") : value;
}

function textOf({ value, secret, source }: SettingView): string | null {
  if (secret && source !== "default") return "(secret)";
  if (value === null) return null;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function childOf(command: CommandUnknownOpts, word: string): CommandUnknownOpts {
  const found = command.commands.find((child) => child.name() === word);
  if (found !== undefined) return found;
  const near = didYouMean(word, command.commands.map((child) => child.name()));
  const hint = near === null ? namesOf(command) : `did you mean ${near}?`;
  throw new OperatorError(`there is no command "${pathOf(command)} ${word}"`, "", hint, 2);
}

function namesOf(command: CommandUnknownOpts): string {
  return `choose one of ${command.commands.map((child) => child.name()).join(", ")}`;
}
