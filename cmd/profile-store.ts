/**
 * Profiles: named clusters with how to reach them and defaults of commands, in the user's own file
 * `~/.config/kstream/config.toml` (`$XDG_CONFIG_HOME/kstream/config.toml`), which only its owner can
 * read, since it may hold passwords:
 *
 *     current = "staging"
 *     [profile.staging]
 *     brokers = "kafka.staging:9093"
 *     tls = true
 *     [profile.staging.consume]
 *     format = "json"
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { OperatorError } from "../core/operator-error.ts";
import { reasonOf } from "./reason.ts";

/** Long name of the option that chooses a profile, and its name in kstream.toml. */
export const PROFILE_OPTION = "profile";

/** Settings by name, and tables of them by command; as in kstream.toml. */
export type ProfileTable = { readonly [name: string]: unknown };

/** The file of profiles as read. */
export interface ProfileFile {
  readonly path: string;
  /** The one that is used where none is named. */
  readonly current: string | null;
  readonly profiles: ReadonlyMap<string, ProfileTable>;
}

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const OTHERS_BITS = 0o077;
const SECRETS = ["sasl-password", "sasl-token", "cluster-secret"];

/** Where the profiles are kept. */
export function profilePath(): string {
  const base = process.env["XDG_CONFIG_HOME"];
  return join(
    base === undefined || base === "" ? join(homedir(), ".config") : base,
    "kstream",
    "config.toml",
  );
}

/** Whether a setting must not be shown. */
export function isSecret(name: string): boolean {
  return SECRETS.includes(name);
}

/** Reads the profiles; a file that is not there has none. Throws `OperatorError` (usage). */
export async function readProfiles(): Promise<ProfileFile> {
  const path = profilePath();
  const text = readOrNull(path);
  if (text === null) return { path, current: null, profiles: new Map() };
  const { parse } = await import("smol-toml");
  let file: ProfileTable;
  try {
    file = parse(text);
  } catch (error) {
    const why = reasonOf(error);
    throw new OperatorError(`cannot read the profiles in ${path}`, why, "mend it or move it", 2);
  }
  const profiles = new Map<string, ProfileTable>();
  for (const [name, table] of Object.entries(tableOf(file["profile"] ?? {}, "profile", path))) {
    profiles.set(name, tableOf(table, `profile.${name}`, path));
  }
  for (const name of Object.keys(file)) {
    if (name === "current" || name === "profile") continue;
    const whatToDo = "it holds [profile.NAME] tables, and current = NAME";
    throw new OperatorError(`${path} has an unknown name "${name}"`, "", whatToDo, 2);
  }
  const current = file["current"] ?? null;
  if (current !== null && typeof current !== "string") {
    throw new OperatorError(`"current" in ${path} is no text`, "", "name a profile", 2);
  }
  return { path, current, profiles };
}

/**
 * Whether others than the owner can read a file of profiles that holds secrets. No error: what is
 * known to others already is not made secret by a refusal.
 */
export function isExposed({ path, profiles }: ProfileFile): boolean {
  const hasSecret = [...profiles.values()].some((table) => Object.keys(table).some(isSecret));
  try {
    return hasSecret && (statSync(path).mode & OTHERS_BITS) !== 0;
  } catch {
    return false;
  }
}

/** Puts the file in the place of the old one, whole or not at all. Comments in it are lost. */
export async function writeProfiles({ path, current, profiles }: ProfileFile): Promise<void> {
  const { stringify } = await import("smol-toml");
  const text = stringify({
    ...(current === null ? {} : { current }),
    profile: Object.fromEntries(profiles),
  });
  const fresh = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    writeFileSync(fresh, `${text}\n`, { mode: FILE_MODE });
    chmodSync(fresh, FILE_MODE);
    renameSync(fresh, path);
  } catch (error) {
    const why = reasonOf(error);
    throw new OperatorError(`cannot write ${path}`, why, "check the directory's permissions", 1);
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw new OperatorError(`cannot read ${path}`, code, "check its permissions", 2);
  }
}

function tableOf(value: unknown, name: string, path: string): ProfileTable {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new OperatorError(`"${name}" in ${path} is no table`, "", `write [${name}]`, 2);
}
