/**
 * Reads of the store of one task: a key, or a page of entries. All of a read is done at once, between
 * turns of the task, and changes nothing of the store, its cache included.
 */
import type { Clock } from "../../core/io.ts";
import { storedKeysOf } from "../stores/open-store.ts";
import type { AnyStore, OpenStore } from "../stores/key-value-store.ts";
import type { StoreSpec } from "../stores/store-spec.ts";
import type { TimestampedValue } from "../stores/timestamped-value.ts";
import { VersionedStore } from "../stores/versioned-store.ts";
import type { Windowed } from "../windows/windowed-key.ts";
import { jsonOf } from "./key-forms.ts";
import { QueryError } from "./query-error.ts";

/** An entry as JSON, and where it stands in the store's order. */
export interface PageEntry {
  readonly at: Uint8Array;
  readonly json: string;
}

/** Entries in the order of their bytes, from the beginning of what was asked for. */
export interface PagePart {
  readonly entries: readonly PageEntry[];
  /** Nothing from there on was looked at; null: there is no more. */
  readonly next: Uint8Array | null;
}

/** What is wanted of a store; keys as bytes, null is open, times of windows as `keys` has them. */
export interface PageQuery {
  /** Windows of this key alone. */
  readonly key: Uint8Array | null;
  readonly from: Uint8Array | null;
  readonly to: Uint8Array | null;
  readonly fromTimeMs: number;
  readonly toTimeMs: number;
  readonly limit: number;
  readonly at: Uint8Array | null;
}

/** Of one part of a page, in characters of JSON. */
const PAGE_CHARS = 2 * 1024 * 1024;
/** So long others wait for a part of a page at the most. */
const PAGE_MS = 50;
const LOOK_AT_CLOCK_EVERY = 64;

/** What a key has, as JSON; null: nothing. `asOfMs`: of a versioned store. Throws `QueryError`. */
export function readKey(
  store: AnyStore,
  spec: StoreSpec,
  key: unknown,
  asOfMs: number | null,
): string | null {
  if (store instanceof VersionedStore) {
    const version = asOfMs === null ? store.get(key) : store.getAsOf(key, asOfMs);
    if (version === null) return null;
    const validTo = "validToMs" in version ? { validTo: version.validToMs } : {};
    return jsonOf({ key, value: version.value, timestamp: version.timestampMs, ...validTo });
  }
  if (asOfMs !== null) throw new QueryError(400, `store "${spec.name}" keeps no versions`);
  const value = openStore(store, spec).peek(key);
  return value === null ? null : jsonOf({ key, ...valueFacts(spec, value) });
}

/** A page of one task's entries; of a versioned store the latest. Throws `QueryError`. */
export function readPage(
  store: AnyStore,
  spec: StoreSpec,
  query: PageQuery,
  clock: Clock,
): PagePart {
  const begunMs = clock.monotonicMs();
  const entries: PageEntry[] = [];
  const { range, accepts } = boundsOf(spec, query);
  let at: Uint8Array = new Uint8Array(0);
  let looks = 0;
  let chars = 0;
  let isLate = false;
  // Asked right before the entry is given; once it is late the next one is, whatever it is.
  const stopping = (key: Uint8Array) => {
    at = key;
    isLate ||= ++looks % LOOK_AT_CLOCK_EVERY === 0 && clock.monotonicMs() - begunMs > PAGE_MS;
    return isLate || accepts(key);
  };
  const scanned = store instanceof VersionedStore ? store : openStore(store, spec);
  for (const [key, value] of scanned.scan(range, stopping)) {
    if (isLate || entries.length >= query.limit || chars > PAGE_CHARS) {
      return { entries, next: at.slice() };
    }
    if (spec.kind === "session" && windowOf(key).window.startMs > query.toTimeMs) continue;
    const json = entryJson(spec, key, value);
    chars += json.length;
    entries.push({ at: at.slice(), json });
  }
  return { entries, next: null };
}

function entryJson(spec: StoreSpec, key: unknown, value: unknown): string {
  const facts = valueFacts(spec, value);
  if (storedKeysOf(spec) === null) return jsonOf({ key, ...facts });
  const { key: inner, window } = windowOf(key);
  return jsonOf({ key: inner, ...facts, window: { start: window.startMs, end: window.endMs } });
}

function valueFacts(spec: StoreSpec, value: unknown): Readonly<Record<string, unknown>> {
  const hasTimes = spec.kind === "versioned" || ("isTimestamped" in spec && spec.isTimestamped);
  if (!hasTimes) return { value };
  // The store of a spec with timestamps gives nothing else.
  const { value: inner, timestampMs } = value as TimestampedValue<unknown>;
  return { value: inner, timestamp: timestampMs };
}

/** Keys of stores with windows are such. */
function windowOf(key: unknown): Windowed<unknown> {
  return key as Windowed<unknown>;
}

function boundsOf(spec: StoreSpec, query: PageQuery) {
  const { key, from, to, at, fromTimeMs, toTimeMs } = query;
  const keys = storedKeysOf(spec);
  if (keys === null) {
    return { range: { from: highest(from, at), to }, accepts: () => true };
  }
  const isSession = spec.kind === "session";
  // A session is found by its end; those that begin too late are left out as they are read.
  const times = { fromMs: fromTimeMs, toMs: isSession ? Infinity : toTimeMs };
  if (key !== null) {
    const [low, high] = [keys.lowest(key, times.fromMs), keys.highest(key, times.toMs)];
    const length = key.length + keys.suffixBytes;
    return {
      range: { from: highest(low, at), to: high, times },
      accepts: (found: Uint8Array) => found.length === length,
    };
  }
  return {
    range: { from: highest(from, at), to: null, times },
    accepts: (found: Uint8Array) => {
      const timeMs = keys.timeOf(found);
      if (timeMs < times.fromMs || timeMs > times.toMs) return false;
      const own = found.subarray(0, found.length - keys.suffixBytes);
      if (from !== null && Buffer.compare(own, from) < 0) return false;
      return to === null || Buffer.compare(own, to) <= 0;
    },
  };
}

function highest(one: Uint8Array | null, other: Uint8Array | null): Uint8Array | null {
  if (one === null || other === null) return one ?? other;
  return Buffer.compare(one, other) >= 0 ? one : other;
}

/** Of the kinds that can be asked. */
function openStore(store: AnyStore, { name, kind }: StoreSpec): OpenStore<unknown, unknown> {
  if ("scan" in store && "peek" in store) return store as OpenStore<unknown, unknown>;
  throw new QueryError(400, `"${name}" is of kind ${kind}: what waits there cannot be asked for`);
}
