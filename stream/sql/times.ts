/** Times in queries: milliseconds since 1970, or texts in ISO 8601; all in UTC. */
import { toText } from "./values.ts";

const PARTS: ReadonlyMap<string, (date: Date) => number> = new Map<string, (date: Date) => number>([
  ["year", (date) => date.getUTCFullYear()],
  ["quarter", (date) => Math.floor(date.getUTCMonth() / 3) + 1],
  ["month", (date) => date.getUTCMonth() + 1],
  ["week", isoWeek],
  ["day", (date) => date.getUTCDate()],
  ["hour", (date) => date.getUTCHours()],
  ["minute", (date) => date.getUTCMinutes()],
  ["second", (date) => date.getUTCSeconds() + date.getUTCMilliseconds() / 1000],
  ["milliseconds", (date) => date.getUTCSeconds() * 1000 + date.getUTCMilliseconds()],
  ["epoch", (date) => date.getTime() / 1000],
  ["dow", (date) => date.getUTCDay()],
  ["isodow", (date) => date.getUTCDay() || 7],
  ["doy", dayOfYear],
]);

const DAY_MS = 86_400_000;

const FIXED_MS: ReadonlyMap<string, number> = new Map([
  ["second", 1000],
  ["minute", 60_000],
  ["hour", 3_600_000],
  ["day", DAY_MS],
]);

/** The beginning of a unit that is not always as long. */
const BEGINS: ReadonlyMap<string, (date: Date) => number> = new Map<string, (date: Date) => number>(
  [
    ["week", (date) => mondayOf(date)],
    ["month", (date) => utc(date.getUTCFullYear(), date.getUTCMonth())],
    ["quarter", (date) => utc(date.getUTCFullYear(), date.getUTCMonth() - date.getUTCMonth() % 3)],
    ["year", (date) => utc(date.getUTCFullYear(), 0)],
  ],
);

/** The units that functions of times know, by the names of those. */
export const TIME_UNITS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["extract", new Set(PARTS.keys())],
  ["date_part", new Set(PARTS.keys())],
  ["date_trunc", new Set([...FIXED_MS.keys(), ...BEGINS.keys()])],
]);

/** Day, time of day and offset as people and programs write them; JavaScript reads much else as a date. */
const TIME =
  /^\s*((?:\d{4}|[+-]\d{6})-\d\d(?:-\d\d)?)(?:[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)\s*(Z|[+-]\d\d(?::?\d\d)?)?)?\s*$/i;

/** Milliseconds since 1970, of what is a time: UTC where it does not say. Null: it is none. */
export function toTimeMs(value: unknown): number | null {
  if (typeof value === "bigint") return inRange(Number(value));
  if (typeof value === "number") return inRange(value);
  const [, day, time = "00:00", zone = "Z"] = typeof value === "string"
    ? TIME.exec(value) ?? []
    : [];
  if (day === undefined) return null;
  const offset = /^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone.replace(/^(.\d\d)(\d\d)$/, "$1:$2");
  const ms = Date.parse(`${day}T${time.replace(",", ".")}${offset.toUpperCase()}`);
  return Number.isNaN(ms) ? null : ms;
}

/** In ISO 8601. Null: it is no time. */
export function toIso(value: unknown): string | null {
  const ms = toTimeMs(value);
  return ms === null ? null : new Date(ms).toISOString();
}

/** A part of a time; null: there is no such part, or it is no time. */
export function datePart(part: unknown, value: unknown): number | null {
  const ms = toTimeMs(value);
  return ms === null ? null : PARTS.get(unitOf(part))?.(new Date(ms)) ?? null;
}

/** The beginning of a unit of time; in the form that the time has. */
export function truncatedTime(unit: unknown, value: unknown): string | number | null {
  const ms = toTimeMs(value);
  if (ms === null) return null;
  const name = unitOf(unit);
  const lengthMs = FIXED_MS.get(name);
  const startMs = lengthMs === undefined
    ? BEGINS.get(name)?.(new Date(ms)) ?? null
    : Math.floor(ms / lengthMs) * lengthMs;
  if (startMs === null || inRange(startMs) === null) return null;
  return typeof value === "string" ? toIso(startMs) : startMs;
}

function unitOf(unit: unknown): string {
  return String(toText(unit)).toLowerCase();
}

/** As far as dates go. */
function inRange(ms: number): number | null {
  return Math.abs(ms) <= 8.64e15 ? ms : null;
}

/** `Date.UTC` takes years below 100 for those of the last century. */
function utc(year: number, month: number, day = 1): number {
  return new Date(0).setUTCFullYear(year, month, day);
}

function mondayOf(date: Date): number {
  const day = date.getUTCDate() - ((date.getUTCDay() + 6) % 7);
  return utc(date.getUTCFullYear(), date.getUTCMonth(), day);
}

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - utc(date.getUTCFullYear(), 0)) / DAY_MS) + 1;
}

/** The first week of a year is that of its first Thursday. */
function isoWeek(date: Date): number {
  const thursday = new Date(mondayOf(date) + 3 * DAY_MS);
  return Math.floor((dayOfYear(thursday) - 1) / 7) + 1;
}
