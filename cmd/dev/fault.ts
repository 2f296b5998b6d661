/** `kstream dev fault`: words into a fault's JSON, and back. */
import { didYouMean } from "../../core/did-you-mean.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { type AdminApiOptions, askAdmin } from "../admin-client.ts";
import { count, formatTable, print, printJson } from "../output.ts";
import { formatDuration, parseDuration } from "../txn/duration.ts";

/** The options of these commands. */
export interface FaultOptions extends AdminApiOptions {
  readonly json?: boolean | undefined;
}

/** A fault as the admin API lists it. */
interface ListedFault {
  readonly id: number;
  readonly api: string;
  readonly matched: number;
  readonly struck: number;
  readonly [name: string]: unknown;
}

const WORDS = [
  "once",
  "drop",
  "drop=",
  "error=",
  "latency=",
  "topic=",
  "partition=",
  "client=",
  "nth=",
  "times=",
  "p=",
];

/** Adds a fault. */
export async function addFault(
  api: string,
  words: readonly string[],
  options: FaultOptions,
): Promise<void> {
  const body = faultOf(api, words);
  const fault = await askAdmin(options, { method: "POST", path: "/v1/dev/faults", body });
  if (options.json) await printJson(fault);
  else if (isFault(fault)) await print(`added fault ${fault.id}: ${describeFault(fault)}\n`);
}

/** Lists the faults. */
export async function listFaults(options: FaultOptions): Promise<void> {
  const answer = await askAdmin(options, { method: "GET", path: "/v1/dev/faults" });
  const has = typeof answer === "object" && answer !== null && "faults" in answer;
  const faults = has && Array.isArray(answer.faults) ? answer.faults.filter(isFault) : [];
  if (options.json) return await printJson(faults);
  await print(formatTable(faults, [
    { title: "ID", cell: ({ id }) => id, right: true },
    { title: "FAULT", cell: describeFault },
    { title: "MATCHED", cell: ({ matched }) => matched, right: true },
    { title: "STRUCK", cell: ({ struck }) => struck, right: true },
  ]));
}

/** Removes one fault. */
export async function removeFault(id: number, options: FaultOptions): Promise<void> {
  const answer = await askAdmin(options, { method: "DELETE", path: `/v1/dev/faults/${id}` });
  if (options.json) await printJson(answer);
  else await print(`removed fault ${id}\n`);
}

/** Removes all faults. */
export async function clearFaults(options: FaultOptions): Promise<void> {
  const answer = await askAdmin(options, { method: "DELETE", path: "/v1/dev/faults" });
  if (options.json) return await printJson(answer);
  const has = typeof answer === "object" && answer !== null && "removed" in answer;
  await print(`removed ${count(has ? Number(answer.removed) : 0, "fault")}\n`);
}

/** The words of the command line as the admin API takes them. Throws an `OperatorError` (usage). */
export function faultOf(api: string, words: readonly string[]): Record<string, unknown> {
  const fault: Record<string, unknown> = { api };
  for (const word of words) {
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals + 1);
    const [field, value] = fieldOf(word, name, word.slice(equals + 1));
    if (field in fault) throw refused(word, `there are two of ${field}`, "leave one out");
    fault[field] = value;
  }
  return fault;
}

function fieldOf(word: string, name: string, value: string): [field: string, value: unknown] {
  switch (name) {
    case "once":
      return ["times", 1];
    case "drop":
      return ["drop", "before"];
    case "drop=":
    case "error=":
    case "topic=":
    case "client=":
      return [name.slice(0, -1), value];
    case "partition=":
    case "nth=":
    case "times=":
      return [name.slice(0, -1), numberOf(word, value)];
    case "p=":
      return ["probability", numberOf(word, value)];
    case "latency=":
      return ["latencyMs", durationOf(word, value)];
    default: {
      const near = didYouMean(name, WORDS);
      const hint = near === null ? "" : `did you mean ${near}?`;
      throw refused(word, "it is not known", hint || 'see "kstream dev fault add --help"');
    }
  }
}

function numberOf(word: string, text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number)) return number;
  throw refused(word, `"${text}" is no number`, "");
}

function durationOf(word: string, text: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw refused(word, `"${text}" is no duration`, "write it as 200ms or 2s");
  }
}

function refused(word: string, why: string, whatToDo: string): OperatorError {
  return new OperatorError(`the fault cannot be read: "${word}"`, why, whatToDo, 2);
}

/** As on the command line. */
function describeFault(fault: ListedFault): string {
  const { latencyMs, probability } = fault;
  const named = ["topic", "partition", "client", "error", "drop", "nth", "times"] as const;
  return [
    fault.api,
    ...named.flatMap((name) => fault[name] === undefined ? [] : `${name}=${String(fault[name])}`),
    ...typeof latencyMs === "number" ? [`latency=${formatDuration(latencyMs)}`] : [],
    ...probability === undefined ? [] : [`p=${String(probability)}`],
  ].join(" ");
}

function isFault(value: unknown): value is ListedFault {
  return typeof value === "object" && value !== null && "id" in value && "api" in value &&
    "matched" in value && "struck" in value;
}
