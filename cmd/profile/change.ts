/** `kstream profile set`, `use` and `delete`. */
import { readFileSync } from "node:fs";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { didYouMean } from "../../core/did-you-mean.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { leavesOf, loadTree, pathOf } from "../commands.ts";
import { count, print, printJson } from "../output.ts";
import { type ProfileFile, readProfiles, writeProfiles } from "../profile-store.ts";
import {
  checkProfile,
  isTable,
  longName,
  profileNamed,
  type SettingsTable,
  SHARED_OPTIONS,
} from "../settings.ts";
import { printProfile } from "./show.ts";

const STDIN = 0;
const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Options of `profile set`. */
export interface SetOptions {
  readonly unset: readonly string[];
  readonly use?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** `kstream profile set`. All is checked before the file is written. */
export async function setProfile(
  name: string,
  pairs: readonly string[],
  options: SetOptions,
): Promise<void> {
  if (!NAME_PATTERN.test(name)) {
    const why = "it takes letters, digits, dots, hyphens and underscores, at most 64";
    throw new OperatorError(`"${name}" cannot be the name of a profile`, why, "", 2);
  }
  const file = await readProfiles();
  const leaves = leavesOf(await loadTree());
  const known = settingNames(leaves);
  let table = file.profiles.get(name) ?? {};
  for (const setting of options.unset) table = without(table, path(setting, known));
  for (const [setting, value] of settingsOf(pairs)) {
    table = withSetting(table, path(setting, known), value);
  }
  for (const leaf of leaves) checkProfile(name, file.path, table, leaf);
  const isFirst = file.profiles.size === 0;
  const changed: ProfileFile = {
    ...file,
    current: options.use || isFirst ? name : file.current,
    profiles: new Map([...file.profiles, [name, table]]),
  };
  await writeProfiles(changed);
  await printProfile(changed, name, options.json ?? false);
}

/** `kstream profile use`. */
export async function useProfile(
  name: string | null,
  options: { none?: boolean | undefined; json?: boolean | undefined },
): Promise<void> {
  if ((name === null) !== (options.none === true)) {
    throw new OperatorError("which profile is not said", "", "name one, or say --none", 2);
  }
  const file = await readProfiles();
  if (name !== null) profileNamed(file, name);
  await writeProfiles({ ...file, current: name });
  if (options.json) return await printJson({ current: name });
  await print(name === null ? "no profile is used\n" : `profile ${name} is used\n`);
}

/** `kstream profile delete`; none is deleted if one of them is not there. */
export async function deleteProfiles(
  names: readonly string[],
  options: { json?: boolean | undefined },
): Promise<void> {
  const file = await readProfiles();
  for (const name of names) profileNamed(file, name);
  const profiles = new Map([...file.profiles].filter(([name]) => !names.includes(name)));
  const current = file.current !== null && names.includes(file.current) ? null : file.current;
  await writeProfiles({ ...file, current, profiles });
  if (options.json) return await printJson(names.map((profile) => ({ profile, deleted: true })));
  await print(`deleted ${count(names.length, "profile")}: ${names.join(", ")}\n`);
}

/** `a=1 b=2 b=3`: a value, or the list of them, for each name. */
function settingsOf(pairs: readonly string[]): Map<string, string | string[]> {
  const settings = new Map<string, string | string[]>();
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) throw new OperatorError(`"${pair}" is no setting`, "", "write name=value", 2);
    const name = pair.slice(0, at).trim().replace(/^--/, "");
    const text = pair.slice(at + 1);
    const value = text === "-" ? readFileSync(STDIN, "utf8").replace(/\r?\n$/, "") : text;
    const before = settings.get(name);
    settings.set(name, before === undefined ? value : [before, value].flat());
  }
  return settings;
}

/** What a profile may say: shared options, options of a command, a description. */
function settingNames(leaves: readonly CommandUnknownOpts[]): string[] {
  const own = leaves.filter((leaf) => leaf.options.some(({ long }) => long === "--profile"))
    .flatMap((leaf) => {
      const names = pathOf(leaf).split(" ").slice(1);
      return leaf.options.map((option) => [...names, longName(option)].join("."));
    });
  return ["description", ...SHARED_OPTIONS, ...own];
}

function path(setting: string, known: readonly string[]): string[] {
  if (known.includes(setting)) return setting.split(".");
  const near = didYouMean(setting, known);
  const hint = near === null
    ? 'name a long option, with its command before if it is of one: "consume.format"'
    : `did you mean "${near}"?`;
  throw new OperatorError(`there is no setting "${setting}"`, "", hint, 2);
}

function withSetting(table: SettingsTable, [name = "", ...rest]: string[], value: unknown) {
  const below = table[name];
  const fresh: unknown = rest.length === 0
    ? value
    : withSetting(isTable(below) ? below : {}, rest, value);
  return { ...table, [name]: fresh };
}

/** Tables that become empty go away too. */
function without(table: SettingsTable, [name = "", ...rest]: string[]): SettingsTable {
  const { [name]: below, ...others } = table;
  if (rest.length === 0 || !isTable(below)) return others;
  const left = without(below, rest);
  return Object.keys(left).length === 0 ? others : { ...others, [name]: left };
}
