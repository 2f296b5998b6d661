/**
 * Where the options of a command come from: flags over the environment over `kstream.toml` over the
 * profile over defaults. The file is read from the current directory, or from where `KSTREAM_TOML`
 * says; profiles are in the user's own file (`profile-store.ts`).
 *
 * The environment has `KSTREAM_` and the option's long name: `--ready-file` is
 * `KSTREAM_READY_FILE`, unless the option names its own with `.env()`. A flag without a value takes
 * true or false; options that may be repeated take several values separated by `;`.
 *
 * The file has options under their long names, in the table of their command (`[serve]`,
 * `[topic.create]`); those of `SHARED_OPTIONS` may stand at the top, for all commands but `serve`.
 * Repeated options are arrays. `[broker]` holds broker configs and is for `serve` to read
 * (`readSettingsFile`). A profile has the same form, without `[serve]` and `[broker]`.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { InvalidArgumentError } from "@commander-js/extra-typings";
import type { CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { didYouMean } from "../core/did-you-mean.ts";
import { OperatorError } from "../core/operator-error.ts";
import { isExposed, PROFILE_OPTION, readProfiles } from "./profile-store.ts";
import type { ProfileFile } from "./profile-store.ts";
import { reasonOf } from "./reason.ts";
import { SECURITY_OPTION_NAMES } from "./security.ts";

/** A table of the settings file or of a profile. */
export type SettingsTable = { readonly [name: string]: unknown };

/** The tables of `kstream.toml` besides those named after commands. */
const OTHER_TABLES = ["broker"];
/** The options that may stand at the top, for all commands that have them. */
export const SHARED_OPTIONS = ["brokers", "admin", "timeout", "color", ...SECURITY_OPTION_NAMES];

/** Variables that are read elsewhere: here, by `program.ts`, by the tests. */
const OTHER_VARIABLES = [
  "KSTREAM_TOML",
  "KSTREAM_DEBUG",
  "KSTREAM_BINARY",
  "KSTREAM_COMPAT_CACHE",
];

/**
 * A warning for each variable of the environment that starts with `KSTREAM_` and that no option of
 * `commands` and their subcommands reads. No error, since other programs may have such variables.
 */
export function unknownVariables(
  environment: Readonly<Record<string, string | undefined>>,
  commands: readonly CommandUnknownOpts[],
): string[] {
  const known = [...new Set([...commands.flatMap(variablesOf), ...OTHER_VARIABLES])];
  const unknown = Object.keys(environment)
    .filter((name) => name.startsWith("KSTREAM_") && !known.includes(name));
  return unknown.map((name) => {
    const near = didYouMean(withoutPrefix(name), known.map(withoutPrefix));
    const hint = near === null ? "" : `: did you mean KSTREAM_${near}?`;
    return `warning: nothing reads ${name} in the environment${hint}`;
  });
}

function variablesOf(command: CommandUnknownOpts): string[] {
  return [...command.options.map(environmentName), ...command.commands.flatMap(variablesOf)];
}

function withoutPrefix(name: string): string {
  return name.slice("KSTREAM_".length);
}

/** What an option may get its value from; the first of these that has one wins. */
export type SettingKind = "flag" | "environment" | "file" | "profile" | "default";

/** A place that has a value for an option. */
export interface SettingSource {
  readonly kind: SettingKind;
  /** `KSTREAM_BROKERS in the environment`, `[topic.list] of kstream.toml`; empty for flags. */
  readonly where: string;
}

/** An option with the place that its value is from. */
export interface ResolvedSetting {
  readonly option: Option;
  /** The long name, without dashes. */
  readonly name: string;
  readonly source: SettingSource;
  /** Further places that have a value, which do not count. */
  readonly shadowed: readonly SettingSource[];
}

/** All options of a command, and what its user should know about their places. */
export interface ResolvedSettings {
  readonly settings: readonly ResolvedSetting[];
  readonly warnings: readonly string[];
}

/**
 * Fills in the options of `command` that no flag has set, and says where all have their values from.
 * Throws `OperatorError` (usage).
 */
export async function applySettings(command: CommandUnknownOpts): Promise<ResolvedSettings> {
  const file = await readSettingsFile();
  const layers = file === null ? [] : layersFor(command, file, fileHolder());
  const profile = hasProfile(command) ? await chosenProfile(command, layers) : null;
  if (profile !== null) {
    const table = { [PROFILE_OPTION]: profile.name };
    layers.push(...layersFor(command, profile.table, profileHolder(profile)));
    layers.push({ kind: "profile", where: shortPath(profile.path), table });
  }
  const settings = command.options.map((option) => {
    const name = longName(option);
    const [winner = DEFAULT, ...shadowed] = [
      ...flagSource(command, option),
      ...environmentSource(command, option),
      ...layers.flatMap((layer) => layerSource(layer, name)),
    ];
    if (winner.values !== undefined) {
      const isEnvironment = winner.kind === "environment";
      const where = isEnvironment ? winner.where : `"${name}" in ${winner.where}`;
      const source = isEnvironment ? "env" : "config";
      setOption(command, option, winner.values(where), where, source);
    }
    return { option, name, source: winner, shadowed };
  });
  return { settings, warnings: profile === null ? [] : warningsOf(profile, settings) };
}

/** Whoever names a profile by its flag expects it to count. */
function warningsOf({ name, exposed }: ChosenProfile, settings: readonly ResolvedSetting[]) {
  const asked = settings.find((setting) => setting.name === PROFILE_OPTION)?.source.kind === "flag";
  const lost = settings.filter(({ source, shadowed }) =>
    (source.kind === "environment" || source.kind === "file") &&
    shadowed.some(({ kind }) => kind === "profile")
  );
  return [
    ...exposed === null ? [] : [
      `warning: others can read ${exposed}, which holds secrets: chmod 600 it`,
    ],
    ...(asked ? lost : []).map(({ name: option, source }) =>
      `warning: --${option} is from ${source.where}, which wins over profile ${name}`
    ),
  ];
}

const DEFAULT: ValueSource = { kind: "default", where: "" };

/** A source with what it says; none for a flag, which commander has set already. */
interface ValueSource extends SettingSource {
  values?(where: string): string[];
}

function flagSource(command: CommandUnknownOpts, option: Option): ValueSource[] {
  const source = command.getOptionValueSource(option.attributeName());
  return source === undefined || source === "default" ? [] : [{ kind: "flag", where: "" }];
}

function environmentSource(command: CommandUnknownOpts, option: Option): ValueSource[] {
  const text = process.env[environmentName(option)];
  if (text === undefined) return [];
  const where = `${environmentName(option)} in the environment`;
  return [{ kind: "environment", where, values: () => textValues(command, option, text) }];
}

function layerSource({ kind, where, table }: Layer, name: string): ValueSource[] {
  if (!Object.hasOwn(table, name)) return [];
  return [{ kind, where, values: (inWords) => fileValues(table[name], inWords) }];
}

function hasProfile(command: CommandUnknownOpts): boolean {
  return command.options.some((option) => longName(option) === PROFILE_OPTION);
}

interface ChosenProfile {
  readonly name: string;
  readonly path: string;
  /** The file, if others can read its secrets. */
  readonly exposed: string | null;
  readonly table: SettingsTable;
}

/** The profile that flag, environment or settings file name, else the one in use; null: none. */
async function chosenProfile(
  command: CommandUnknownOpts,
  layers: readonly Layer[],
): Promise<ChosenProfile | null> {
  const fromFile = layers.find(({ table }) => PROFILE_OPTION in table)?.table[PROFILE_OPTION];
  const flag: unknown = command.getOptionValue(PROFILE_OPTION);
  const named = [flag, process.env["KSTREAM_PROFILE"], fromFile]
    .find((name) => typeof name === "string");
  const profiles = await readProfiles();
  const name = typeof named === "string" ? named : profiles.current;
  if (name === null || name === "") return null;
  const { path } = profiles;
  const exposed = isExposed(profiles) ? path : null;
  return { name, path, exposed, table: profileNamed(profiles, name) };
}

/** The settings of a profile. Throws `OperatorError` (usage): there is none of this name. */
export function profileNamed(profiles: ProfileFile, name: string): SettingsTable {
  const table = profiles.profiles.get(name);
  if (table !== undefined) return table;
  const near = didYouMean(name, profiles.profiles.keys());
  const hint = near === null ? "see: kstream profile list" : `did you mean "${near}"?`;
  throw new OperatorError(`there is no profile "${name}" in ${profiles.path}`, "", hint, 2);
}

/**
 * Refuses what a profile of these settings could not give to the commands of the tree, as wrong
 * values. Throws `OperatorError` (usage).
 */
export function checkProfile(
  name: string,
  path: string,
  table: SettingsTable,
  leaf: CommandUnknownOpts,
) {
  const holder = profileHolder({ name, path, exposed: null, table });
  for (const layer of layersFor(leaf, table, holder)) {
    for (const option of leaf.options) {
      for (const { values } of layerSource(layer, longName(option))) {
        const where = `"${longName(option)}" in ${layer.where}`;
        if (values !== undefined) setOption(leaf, option, values(where), where, "config");
      }
    }
  }
}

/** The settings file as parsed, or null if there is none. */
export async function readSettingsFile(): Promise<SettingsTable | null> {
  const named = process.env["KSTREAM_TOML"];
  const path = named ?? "kstream.toml";
  if (named === undefined && !existsSync(path)) return null;
  const { parse } = await import("smol-toml");
  try {
    return parse(readFileSync(path, "utf8"));
  } catch (error) {
    const why = reasonOf(error);
    throw new OperatorError(`cannot read the settings file ${path}`, why, "mend it or move it", 2);
  }
}

interface Layer {
  readonly kind: "file" | "profile";
  readonly where: string;
  readonly table: SettingsTable;
}

/** What holds options: a file or a profile. */
interface Holder {
  readonly kind: Layer["kind"];
  /** As in "in kstream.toml". */
  readonly name: string;
  /** What it may have at the top besides commands and shared options. */
  readonly others: readonly string[];
}

function fileHolder(): Holder {
  return { kind: "file", name: "kstream.toml", others: [...OTHER_TABLES, PROFILE_OPTION] };
}

function profileHolder({ name, path }: ChosenProfile): Holder {
  return {
    kind: "profile",
    name: `profile ${name} in ${shortPath(path)}`,
    others: ["description"],
  };
}

function shortPath(path: string): string {
  const home = homedir();
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

/** The tables that hold options of the command, the closest first. Unknown names are refused. */
function layersFor(command: CommandUnknownOpts, file: SettingsTable, holder: Holder): Layer[] {
  const { kind, name: holderName } = holder;
  const path: CommandUnknownOpts[] = [];
  for (let at = command; at.parent !== null; at = at.parent) path.unshift(at);
  const top: Layer = { kind, where: holderName, table: file };
  const commands = rootOf(command).commands.map((child) => child.name());
  refuseUnknown(top, [...commands, ...SHARED_OPTIONS, ...holder.others]);
  for (const name of [...commands, ...OTHER_TABLES]) {
    // At the top "profile" names one; the commands about profiles have no options worth a table.
    if (name === PROFILE_OPTION || !(name in file) || isTable(file[name])) continue;
    throw new OperatorError(`"${name}" in ${holderName} is no table`, "", `write [${name}]`, 2);
  }
  // What is shared is about a cluster to connect to; "serve" runs one.
  const isShared = (name: string) => SHARED_OPTIONS.includes(name) || name === PROFILE_OPTION;
  const sharedTable = Object.fromEntries(Object.entries(file).filter(([name]) => isShared(name)));
  const shared = path[0]?.name() === "serve" ? [] : [{ ...top, table: sharedTable }];
  let layer: Layer = top;
  for (const part of path) {
    const table = layer.table[part.name()];
    if (table === undefined) return shared;
    const where = `${layer === top ? "" : `${layer.where}.`}${part.name()}`;
    if (!isTable(table)) {
      throw new OperatorError(`${where} in ${holderName} is no table`, "", "", 2);
    }
    layer = { kind, where, table };
    const children = part.commands.map((child) => child.name());
    const isLeaf = part === command;
    refuseUnknown(
      { kind, where: `[${where}] of ${holderName}`, table },
      isLeaf ? command.options.map(longName) : children,
    );
  }
  return [{ kind, where: `[${layer.where}] of ${holderName}`, table: layer.table }, ...shared];
}

function refuseUnknown({ where, table }: Layer, known: readonly string[]): void {
  for (const name of Object.keys(table)) {
    if (known.includes(name)) continue;
    throw unknownName(`${where} has an unknown name "${name}"`, name, known);
  }
}

function unknownName(what: string, name: string, known: readonly string[]): OperatorError {
  const near = didYouMean(name, known);
  return new OperatorError(what, "", near === null ? "remove it" : `did you mean "${near}"?`, 2);
}

function rootOf(command: CommandUnknownOpts): CommandUnknownOpts {
  return command.parent === null ? command : rootOf(command.parent);
}

/** `brokers` of `--brokers`. */
export function longName(option: Option): string {
  return option.long?.replace(/^--/, "") ?? option.name();
}

function environmentName(option: Option): string {
  return option.envVar ?? `KSTREAM_${longName(option).toUpperCase().replaceAll("-", "_")}`;
}

/** Whether a value of TOML is a table. */
export function isTable(value: unknown): value is SettingsTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

function textValues(command: CommandUnknownOpts, option: Option, text: string): string[] {
  if (!isRepeatable(command, option)) return [text];
  return text.split(/[;\n]/).map((part) => part.trim()).filter((part) => part !== "");
}

/** Options that gather values have a list or a record as default, or a parser that takes the last. */
function isRepeatable(command: CommandUnknownOpts, option: Option): boolean {
  const value = command.getOptionValue(option.attributeName());
  const gathers = (option.parseArg?.length ?? 0) > 1 && option.argChoices === undefined;
  return option.variadic || gathers || (typeof value === "object" && value !== null);
}

function fileValues(value: unknown, where: string): string[] {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.map((each) => {
    if (["string", "number", "bigint", "boolean"].includes(typeof each)) return String(each);
    throw new OperatorError(`${where} is no text, number, boolean or list of those`, "", "", 2);
  });
}

/** Sets an option as if its flag had been given with each of the values. */
function setOption(
  command: CommandUnknownOpts,
  option: Option,
  values: readonly string[],
  where: string,
  source: "env" | "config",
): void {
  const key = option.attributeName();
  if (!option.required && !option.optional) {
    const on = booleanOf(values, where);
    command.setOptionValueWithSource(key, option.negate ? !on : on, source);
    return;
  }
  let result: unknown = command.getOptionValue(key);
  for (const value of values) {
    try {
      result = option.parseArg === undefined ? value : option.parseArg(value, result);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      throw new OperatorError(`${where} is invalid: "${value}"`, error.message, "", 2);
    }
  }
  command.setOptionValueWithSource(key, result, source);
}

function booleanOf(values: readonly string[], where: string): boolean {
  const text = values.length === 1 ? values[0]?.toLowerCase() : undefined;
  if (text === "true" || text === "1" || text === "yes" || text === "on") return true;
  if (text === "false" || text === "0" || text === "no" || text === "off") return false;
  throw new OperatorError(`${where} is neither true nor false`, "", "write true or false", 2);
}
