/** `kstream profile list` and `show`. */
import { OperatorError } from "../../core/operator-error.ts";
import { formatFacts, formatTable, print, printJson } from "../output.ts";
import { isSecret, PROFILE_OPTION, type ProfileFile, readProfiles } from "../profile-store.ts";
import { isTable, profileNamed, readSettingsFile, type SettingsTable } from "../settings.ts";

/** `kstream profile list`. */
export async function listProfiles(options: { json?: boolean | undefined }): Promise<void> {
  const file = await readProfiles();
  const active = await activeProfile(file);
  const rows = [...file.profiles].map(([profile, table]) => ({
    profile,
    current: profile === active,
    brokers: textOf(table["brokers"]),
    description: textOf(table["description"]),
  }));
  if (options.json) return await printJson(rows);
  await print(formatTable(rows, [
    { title: "", cell: ({ current }) => current ? "*" : " " },
    { title: "PROFILE", cell: ({ profile }) => profile },
    { title: "BROKERS", cell: ({ brokers }) => brokers },
    { title: "DESCRIPTION", cell: ({ description }) => description },
  ]));
}

/** `kstream profile show`. */
export async function showProfile(
  name: string | null,
  options: { json?: boolean | undefined },
): Promise<void> {
  const file = await readProfiles();
  const shown = name ?? await activeProfile(file);
  if (shown === null) {
    const whatToDo = "name one, or choose one with: kstream profile use NAME";
    throw new OperatorError("no profile is in use", "", whatToDo, 1);
  }
  await printProfile(file, shown, options.json ?? false);
}

/** Prints a profile without its secrets. */
export async function printProfile(file: ProfileFile, name: string, json: boolean): Promise<void> {
  const settings = flatten(profileNamed(file, name));
  const isCurrent = name === await activeProfile(file);
  if (json) {
    return await printJson({
      profile: name,
      current: isCurrent,
      path: file.path,
      settings: Object.fromEntries(settings.map(([key, value]) => [key, shownValue(key, value)])),
    });
  }
  const facts = settings.map(([key, value]) =>
    [key, shownValue(key, value) ?? "(secret)"] as const
  );
  await print(`${name}${isCurrent ? " (in use)" : ""}\n`);
  await print(facts.length === 0 ? "  no settings\n" : formatFacts(facts));
}

/** The profile that commands use here; null for none. */
export async function activeProfile({ current }: ProfileFile): Promise<string | null> {
  const fromFile = (await readSettingsFile())?.[PROFILE_OPTION];
  const name = process.env["KSTREAM_PROFILE"] ?? textOf(fromFile) ?? current;
  return name === "" ? null : name;
}

/** Settings by name; those of a command have its name before: `topic.create.partitions`. */
function flatten(table: SettingsTable, prefix = ""): [name: string, value: unknown][] {
  return Object.entries(table).flatMap(([name, value]): [string, unknown][] =>
    isTable(value) ? flatten(value, `${prefix}${name}.`) : [[prefix + name, value]]
  );
}

/** The value as text, several with semicolons between; null if it is secret. */
function shownValue(name: string, value: unknown): string | null {
  if (isSecret(name.slice(name.lastIndexOf(".") + 1))) return null;
  return Array.isArray(value) ? value.map(String).join("; ") : String(value);
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
