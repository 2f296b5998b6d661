/** What an option or an argument takes: words that are known, names in the cluster, files. */
import type { Argument, CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { pathOf } from "../commands.ts";
import { PROFILE_OPTION, readProfiles } from "../profile-store.ts";
import { applySettings, isTable, longName } from "../settings.ts";
import type { Candidate, ValueWanted } from "./suggest.ts";

/** Candidates for a value, or that it is a file. */
export interface Values {
  readonly candidates: readonly Candidate[];
  readonly files: boolean;
  /** More is to be typed behind a candidate, as the value of a config. */
  readonly open: boolean;
}

type Named = "topics" | "groups" | "transactions";

const NO_VALUES: Values = { candidates: [], files: false, open: false };
const CONFIG_TYPES = { topic: "topics", group: "groups" } as const;

/** What fits. Names in the cluster are given up after a short while, in silence. */
export async function valuesFor(wanted: ValueWanted): Promise<Values> {
  const { command, of, before } = wanted;
  const path = pathOf(command).split(" ").slice(1).join(" ");
  const { argChoices } = of;
  if (argChoices !== undefined) return words(argChoices.map((text) => ({ text, description: "" })));
  const name = nameOf(of);
  if (name === PROFILE_OPTION || path.startsWith("profile ") && name === "name") {
    return words(await profiles());
  }
  const configs = configsOf(path, name, before);
  if (configs !== null) {
    const { configCandidates } = await import("./configs.ts");
    const { type, isOpen } = configs;
    return { ...NO_VALUES, candidates: configCandidates(type, isOpen ? "=" : ""), open: isOpen };
  }
  const named = namesOf(path, name, before);
  if (named !== null) return words(await liveNames(command, named));
  return { ...NO_VALUES, files: takesFile(of) };
}

function words(candidates: readonly Candidate[]): Values {
  return { ...NO_VALUES, candidates };
}

function nameOf(of: Option | Argument): string {
  return "long" in of ? longName(of) : of.name();
}

function takesFile(of: Option | Argument): boolean {
  const placeholder = "long" in of ? of.flags : of.name();
  return /\b(file|dir|path)\b/.test(placeholder);
}

async function profiles(): Promise<Candidate[]> {
  const file = await readProfiles();
  return [...file.profiles].map(([text, table]) => ({
    text,
    description: isTable(table) ? String(table["description"] ?? table["brokers"] ?? "") : "",
  }));
}

interface ConfigsWanted {
  /** As `config get` takes it. */
  readonly type: string;
  /** Whether a value comes behind the name. */
  readonly isOpen: boolean;
}

/** Whose configs are named there; null where none are. */
function configsOf(path: string, name: string, before: readonly string[]): ConfigsWanted | null {
  if (path.startsWith("topic ") && name === "config") return { type: "topic", isOpen: true };
  if (path.startsWith("topic ") && name === "delete-config") {
    return { type: "topic", isOpen: false };
  }
  if (path === "serve" && name === "set") return { type: "broker", isOpen: true };
  const [type, resource] = before;
  if (!path.startsWith("config ") || resource === undefined || type === undefined) return null;
  return { type, isOpen: path === "config set" };
}

/** What of the cluster an option or argument names. */
function namesOf(path: string, name: string, before: readonly string[]): Named | null {
  if (path === "topic create") return null;
  if (path.startsWith("config ") && name === "name") {
    const [type] = before;
    return type === "topic" || type === "group" ? CONFIG_TYPES[type] : null;
  }
  const isArgument = name === "name" || name === "id";
  if (name.startsWith("topic") || (path.startsWith("topic ") && isArgument)) return "topics";
  if (["group", "share"].includes(name) || (path.startsWith("group ") && isArgument)) {
    return "groups";
  }
  const isTransaction = name === "transactional-id" || (path.startsWith("txn ") && isArgument);
  return isTransaction ? "transactions" : null;
}

/** Asked with the settings that the command itself would have. */
async function liveNames(command: CommandUnknownOpts, named: Named): Promise<Candidate[]> {
  await applySettings(command);
  const { namesInCluster } = await import("./live.ts");
  return await namesInCluster(command.opts(), named);
}
