/** What a request asks for, checked. */
import { decodedBase64 } from "./key-forms.ts";
import { QueryError } from "./query-error.ts";

/** How old an answer may be. */
export interface Staleness {
  /** Records that may be missing; Infinity: however many. */
  readonly lagMax: number;
}

export interface QueryParameters {
  readonly from: string | null;
  readonly to: string | null;
  readonly fromTimeMs: number;
  readonly toTimeMs: number;
  readonly limit: number;
  /** A page begins there; null: with the first. */
  readonly at: Uint8Array | null;
  readonly asOfMs: number | null;
  /** Null: only who processes a task answers for it. */
  readonly staleness: Staleness | null;
  /** In place of that of the key's hash; null: by that. */
  readonly partition: number | null;
}

const LIMIT_DEFAULT = 100;
export const LIMIT_MAX = 1000;
/** Of a key or a cursor. */
const TEXT_MAX = 8192;

const NAMES: ReadonlySet<string> = new Set([
  ...["from", "to", "fromTime", "toTime", "limit", "at", "asof", "stale", "maxLag", "partition"],
]);

/** Of a key's windows `from` and `to` are times. Throws `QueryError`. */
export function parseParameters(search: URLSearchParams, areTimes: boolean): QueryParameters {
  for (const [name, value] of search) {
    if (!NAMES.has(name)) {
      throw new QueryError(400, `there is no parameter "${name}": ${[...NAMES].join(", ")}`);
    }
    if (value.length > TEXT_MAX) throw new QueryError(400, `"${name}" is too long`);
  }
  const times = areTimes ? ["from", "to"] as const : ["fromTime", "toTime"] as const;
  return {
    from: areTimes ? null : search.get("from"),
    to: areTimes ? null : search.get("to"),
    fromTimeMs: time(search, times[0]) ?? 0,
    toTimeMs: time(search, times[1]) ?? Number.MAX_SAFE_INTEGER,
    limit: whole(search, "limit", 1, LIMIT_MAX) ?? LIMIT_DEFAULT,
    at: cursor(search),
    asOfMs: time(search, "asof"),
    staleness: stalenessOf(search),
    partition: whole(search, "partition", 0, 2 ** 31 - 1),
  };
}

function stalenessOf(search: URLSearchParams): Staleness | null {
  const lagMax = whole(search, "maxLag", 0, Number.MAX_SAFE_INTEGER);
  const stale = search.get("stale");
  if (stale !== null && stale !== "ok") throw new QueryError(400, `"stale" is ok, or not there`);
  if (stale !== null) return { lagMax: lagMax ?? Infinity };
  if (lagMax !== null) throw new QueryError(400, `"maxLag" goes with stale=ok`);
  return null;
}

function cursor(search: URLSearchParams): Uint8Array | null {
  const text = search.get("at");
  if (text === null) return null;
  const [bytes] = decodedBase64(text);
  if (bytes === undefined) throw new QueryError(400, `"at" is "next" of the page before`);
  return bytes;
}

function whole(search: URLSearchParams, name: string, min: number, max: number): number | null {
  const text = search.get(name);
  if (text === null) return null;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new QueryError(400, `"${name}" is a whole number from ${min} to ${max}, not ${text}`);
}

const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/;

/** Milliseconds since 1970, or as ISO 8601 with a zone; a day alone begins at midnight UTC. */
function time(search: URLSearchParams, name: string): number | null {
  const text = search.get(name);
  if (text === null) return null;
  const ms = /^\d{1,16}$/.test(text) ? Number(text) : ISO.test(text) ? Date.parse(text) : NaN;
  if (Number.isSafeInteger(ms) && ms >= 0) return ms;
  throw new QueryError(
    400,
    `"${name}" is a time: milliseconds since 1970, or 2026-03-01T12:00:00Z, not ${text}`,
  );
}
