/** Which records of a topic are looked at, as it stands in the address of the page. */
import type { Query } from "./api.ts";
import { setQuery } from "../router.ts";

/** How the place to begin is given. */
export type Start = "newest" | "oldest" | "offset" | "time" | "live";
export const STARTS: readonly (readonly [Start, string])[] = [
  ["newest", "Newest"],
  ["oldest", "Oldest"],
  ["offset", "From offset"],
  ["time", "From time"],
  ["live", "Live"],
];

/** What is searched for: a text in key, value and headers, or an expression. */
export type FilterKind = "text" | "where";

/** See the head of the file. */
export interface Scope {
  readonly start: Start;
  /** An offset or a time, by `start`; also what `Last-Event-ID` takes, as `0:41,1:17`. */
  readonly at: string;
  /** A partition, or empty for all. */
  readonly partition: string;
  readonly filterKind: FilterKind;
  readonly filter: string;
}

/** Reads it from the address. */
export function scopeOf(query: URLSearchParams): Scope {
  const start = query.get("start") ?? "";
  return {
    start: STARTS.find(([id]) => id === start)?.[0] ?? "newest",
    at: query.get("at") ?? "",
    partition: query.get("partition") ?? "",
    filterKind: query.get("by") === "where" ? "where" : "text",
    filter: query.get("q") ?? "",
  };
}

/** Writes it there. */
export function setScope({ start, at, partition, filterKind, filter }: Scope): void {
  setQuery({
    start: start === "newest" ? "" : start,
    at: start === "offset" || start === "time" ? at : "",
    partition,
    by: filterKind === "text" ? "" : filterKind,
    q: filter,
  });
}

/** Places of several partitions, as an event's id names them. */
function isVector(at: string): boolean {
  return /^\d+:\d+(?:,\d+:\d+)*$/.test(at);
}

/** The parameters of a read; `newest` is how many of the latest it begins with. */
export function readQuery(scope: Scope, newest: number): Query {
  return { from: fromOf(scope, newest), partitions: scope.partition };
}

/** The id of the event that a read goes on behind, where the scope is one of several places. */
export function startVector({ start, at }: Scope): string {
  return start === "offset" && isVector(at) ? at : "";
}

function fromOf({ start, at }: Scope, newest: number): string {
  if (start === "newest") return `-${newest}`;
  if (start === "oldest") return "start";
  if (start === "live") return "end";
  if (start === "offset") return isVector(at) ? "start" : at || "0";
  return at === "" ? "-1h" : at;
}

/** The filter as an expression, or empty: what reads and exports take. */
export function whereOf({ filterKind, filter }: Scope): string {
  if (filter === "" || filterKind === "where") return filter;
  const text = JSON.stringify(filter);
  const inHeader = `n.includes(${text}) || (text(t ?? "") ?? "").includes(${text})`;
  return `(keyText ?? "").includes(${text}) || (valueText ?? "").includes(${text}) || ` +
    `headerList.some(([n, t]) => ${inHeader})`;
}
