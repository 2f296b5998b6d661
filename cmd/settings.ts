/**
 * Where the options of a command come from: flags over the environment over `kstream.toml` over
 * defaults. The file is read from the current directory, or from where `KSTREAM_TOML` says.
 *
 * The environment has `KSTREAM_` and the option's long name: `--ready-file` is
 * `KSTREAM_READY_FILE`, unless the option names its own with `.env()`. A flag without a value takes
 * true or false; options that may be repeated take several values separated by `;`.
 *
 * The file has options under their long names, in the table of their command (`[serve]`,
 * `[topic.create]`); `brokers` may stand at the top, for all commands. Repeated options are arrays. `[broker]` holds
 * broker configs and is for `serve` to read (`readSettingsFile`).
 */
import { existsSync, readFileSync } from "node:fs";
import { InvalidArgumentError } from "@commander-js/extra-typings";
import type { CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { didYouMean } from "../core/did-you-mean.ts";
import { OperatorError } from "../core/operator-error.ts";
import { SECURITY_OPTION_NAMES } from "./security.ts";

/** A table of the settings file. */
export type SettingsTable = { readonly [name: string]: unknown };

/** The tables of `kstream.toml` besides those named after commands. */
const OTHER_TABLES = ["broker"];
/** The options that may stand at the top, for all commands that have them. */
const SHARED_OPTIONS = ["brokers", ...SECURITY_OPTION_NAMES];

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

/** Fills in the options of `command` that no flag has set. Throws `OperatorError` (usage). */
export async function applySettings(command: CommandUnknownOpts): Promise<void> {
  const file = await readSettingsFile();
  const layers = file === null ? [] : layersFor(command, file);
  for (const option of command.options) {
    const key = option.attributeName();
    const source = command.getOptionValueSource(key);
    if (source !== undefined && source !== "default") continue;
    const fromEnvironment = process.env[environmentName(option)];
    if (fromEnvironment !== undefined) {
      const where = `${environmentName(option)} in the environment`;
      setOption(command, option, textValues(command, option, fromEnvironment), where, "env");
      continue;
    }
    const layer = layers.find(({ table }) => longName(option) in table);
    if (layer === undefined) continue;
    const where = `"${longName(option)}" in ${layer.where}`;
    setOption(command, option, fileValues(layer.table[longName(option)], where), where, "config");
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
    const why = error instanceof Error ? error.message.split("\n")[0] ?? "" : String(error);
    throw new OperatorError(`cannot read the settings file ${path}`, why, "mend it or move it", 2);
  }
}

interface Layer {
  readonly where: string;
  readonly table: SettingsTable;
}

/** The tables that hold options of the command, the closest first. Unknown names are refused. */
function layersFor(command: CommandUnknownOpts, file: SettingsTable): Layer[] {
  const path: CommandUnknownOpts[] = [];
  for (let at = command; at.parent !== null; at = at.parent) path.unshift(at);
  const top = { where: "kstream.toml", table: file };
  const commands = rootOf(command).commands.map((child) => child.name());
  refuseUnknown(top, [...commands, ...OTHER_TABLES, ...SHARED_OPTIONS]);
  for (const name of [...commands, ...OTHER_TABLES]) {
    if (!(name in file) || isTable(file[name])) continue;
    throw new OperatorError(`"${name}" in kstream.toml is no table`, "", `write [${name}]`, 2);
  }
  let layer: Layer = top;
  for (const part of path) {
    const table = layer.table[part.name()];
    if (table === undefined) return [top];
    const where = `${layer === top ? "" : `${layer.where}.`}${part.name()}`;
    if (!isTable(table)) throw new OperatorError(`${where} in kstream.toml is no table`, "", "", 2);
    layer = { where, table };
    const children = part.commands.map((child) => child.name());
    const isLeaf = part === command;
    refuseUnknown(
      { where: `[${where}] of kstream.toml`, table },
      isLeaf ? command.options.map(longName) : children,
    );
  }
  return [{ where: `[${layer.where}] of kstream.toml`, table: layer.table }, top];
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

function longName(option: Option): string {
  return option.long?.replace(/^--/, "") ?? option.name();
}

function environmentName(option: Option): string {
  return option.envVar ?? `KSTREAM_${longName(option).toUpperCase().replaceAll("-", "_")}`;
}

function isTable(value: unknown): value is SettingsTable {
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
