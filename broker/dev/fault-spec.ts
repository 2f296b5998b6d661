/** Reads what somebody orders as a fault; every refusal names the field and what would be right. */
import { didYouMean } from "../../core/did-you-mean.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { ApiTable } from "../api-table.ts";
import type { AnyHandler } from "../handler.ts";
import type { FaultRule, FaultSpec } from "./faults.ts";
import { hasPartitions, hasTopics } from "./request-topics.ts";

/** A fault as it is ordered, in JSON too. Without `times`, `nth` and `probability`: every time. */
export interface FaultInput {
  /** Name of an API, in any of Kafka's spellings (`Produce`, `offset-commit`), or `*`. */
  readonly api: string;
  readonly topic?: string;
  readonly partition?: number;
  /** A client id. */
  readonly client?: string;
  /** Kafka's name of an error. */
  readonly error?: string;
  readonly latencyMs?: number;
  readonly drop?: "before" | "after";
  /** Strike the nth match, from 1; and those behind it if `times` says so. */
  readonly nth?: number;
  readonly times?: number;
  /** How likely each match is struck, 0 to 1. */
  readonly probability?: number;
}

/** The fields of `FaultInput`. */
export const FAULT_FIELDS = [
  "api",
  "topic",
  "partition",
  "client",
  "error",
  "latencyMs",
  "drop",
  "nth",
  "times",
  "probability",
] as const;

const LATENCY_MS_MAX = 3_600_000;
const COUNT_MAX = 1_000_000_000;
const PARTITION_MAX = 2 ** 31 - 1;

/** A checked rule. Throws an `OperatorError` (usage). */
export function faultSpec(
  input: { readonly [name: string]: unknown },
  apis: ApiTable,
): FaultSpec {
  const unknown = Object.keys(input).find((name) => !FAULT_FIELDS.some((known) => known === name));
  if (unknown !== undefined) {
    const near = didYouMean(unknown, FAULT_FIELDS);
    throw refused(
      `"${unknown.slice(0, 100)}" is not known`,
      near === null ? `known are ${FAULT_FIELDS.join(", ")}` : `did you mean "${near}"?`,
    );
  }
  const handler = apiOf(textOf(input, "api") ?? "", apis);
  const topic = textOf(input, "topic");
  const partition = numberOf(input, "partition", 0, PARTITION_MAX);
  const error = errorOf(textOf(input, "error"));
  const latencyMs = numberOf(input, "latencyMs", 1, LATENCY_MS_MAX) ?? 0;
  const drop = dropOf(textOf(input, "drop"));
  const nth = numberOf(input, "nth", 1, COUNT_MAX);
  if (error === undefined && drop === undefined && latencyMs === 0) {
    throw refused("it does nothing", "say error=NAME, latency=200ms or drop");
  }
  if (error !== undefined && drop !== undefined) {
    throw refused("an answer with an error cannot be dropped too", "say error or drop, not both");
  }
  if (handler !== null) refuseMisplaced(handler, { topic, partition, error });
  return {
    api: handler?.api.name ?? "*",
    apiKey: handler?.api.key ?? null,
    topic,
    partition,
    client: textOf(input, "client"),
    error,
    latencyMs,
    drop,
    nth: nth ?? 1,
    times: numberOf(input, "times", 1, COUNT_MAX) ?? (nth === undefined ? Infinity : 1),
    probability: probabilityOf(input),
  };
}

/** A rule as JSON and people see it: without what does not narrow it. */
export function faultView(
  rule: FaultRule,
): FaultInput & Pick<FaultRule, "id" | "matched" | "struck"> {
  const { id, api, topic, partition, client, error, latencyMs, drop, nth, times } = rule;
  return {
    id,
    api,
    ...(topic !== undefined && { topic }),
    ...(partition !== undefined && { partition }),
    ...(client !== undefined && { client }),
    ...(error !== undefined && { error: nameOf(error) }),
    ...(latencyMs > 0 && { latencyMs }),
    ...(drop !== undefined && { drop }),
    ...(nth > 1 && { nth }),
    ...(times !== Infinity && { times }),
    ...(rule.probability < 1 && { probability: rule.probability }),
    matched: rule.matched,
    struck: rule.struck,
  };
}

function refuseMisplaced(
  { api, failure }: AnyHandler,
  { topic, partition, error }: Pick<FaultSpec, "topic" | "partition" | "error">,
): void {
  if (topic !== undefined && !hasTopics(api)) {
    throw refused(`${api.name} has no topics`, "leave topic out");
  }
  if (partition !== undefined && !hasPartitions(api)) {
    throw refused(`${api.name} has no partitions`, "leave partition out");
  }
  if (error !== undefined && failure === undefined && !("errorCode" in api.response.fields)) {
    throw refused(`the answer of ${api.name} has no place for an error`, "use drop or latency");
  }
}

const plain = (name: string) => name.toLowerCase().replace(/[-_ ]/g, "");

function apiOf(name: string, apis: ApiTable): AnyHandler | null {
  if (name === "*") return null;
  const served = Array.from(apis, ({ handler }) => handler);
  const found = served.find(({ api }) => plain(api.name) === plain(name));
  if (found !== undefined) return found;
  const near = didYouMean(name, served.map(({ api }) => api.name));
  throw refused(
    name === "" ? "it names no API" : `there is no API "${name.slice(0, 100)}"`,
    near === null
      ? 'write it as in Kafka, such as Produce, or "*" for all'
      : `did you mean ${near}?`,
  );
}

function errorOf(name: string | undefined): ErrorCode | undefined {
  if (name === undefined) return undefined;
  const wanted = name.toUpperCase();
  const found = Object.entries(Errors).find(([known]) => known === wanted)?.[1];
  if (found !== undefined && found !== Errors.NONE) return found;
  const near = didYouMean(wanted, Object.keys(Errors));
  throw refused(
    `there is no error "${name.slice(0, 100)}"`,
    near === null
      ? "write it as in Kafka, such as NOT_LEADER_OR_FOLLOWER"
      : `did you mean ${near}?`,
  );
}

function nameOf(code: ErrorCode): string {
  return Object.entries(Errors).find(([, known]) => known === code)?.[0] ?? String(code);
}

function dropOf(text: string | undefined): "before" | "after" | undefined {
  if (text === undefined || text === "before" || text === "after") return text;
  throw refused(`drop="${text.slice(0, 100)}" is not known`, "write drop=before or drop=after");
}

function textOf(input: { readonly [name: string]: unknown }, name: string): string | undefined {
  const value = input[name];
  if (value === undefined || (typeof value === "string" && value !== "")) return value;
  throw refused(`${name} is no text`, "");
}

function numberOf(
  input: { readonly [name: string]: unknown },
  name: string,
  min: number,
  max: number,
): number | undefined {
  const value = input[name];
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
    return value;
  }
  throw refused(`${name} is no whole number from ${min} to ${max}`, "");
}

function probabilityOf(input: { readonly [name: string]: unknown }): number {
  const value = input["probability"];
  if (value === undefined) return 1;
  if (typeof value === "number" && value > 0 && value <= 1) return value;
  throw refused("the probability is no number above 0 and at most 1", "write p=0.1 for one in ten");
}

function refused(why: string, whatToDo: string): OperatorError {
  return new OperatorError("the fault is refused", why, whatToDo, 2);
}
