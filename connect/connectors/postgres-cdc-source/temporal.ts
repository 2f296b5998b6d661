/** Dates and times as PostgreSQL writes them (DateStyle ISO, in UTC) and what records have of them. */

export const US_PER_DAY = 86_400_000_000;
const MS_PER_DAY = 86_400_000;
/** What PostgreSQL's JDBC driver, and so Debezium, has for `infinity`, in milliseconds. */
const INFINITY_MS = 9_223_372_036_825_200_000n;
const MINUS_INFINITY_MS = -9_223_372_036_832_400_000n;

const DATE = /^(\d{4,7})-(\d\d)-(\d\d)/;
const TIME = /(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?/;

/** Days since 1970 of a text that begins with a date; `infinity` is the last day there is. */
export function daysOfDate(text: string): number {
  if (text === "infinity") return 2 ** 31 - 1;
  if (text === "-infinity") return -(2 ** 31);
  const match = DATE.exec(text);
  if (match === null) throw new Error(`"${text}" is no date`);
  const year = text.endsWith("BC") ? 1 - Number(match[1]) : Number(match[1]);
  // Years below 100 would be taken for those of the last century.
  const date = new Date(0);
  return date.setUTCFullYear(year, Number(match[2]) - 1, Number(match[3])) / MS_PER_DAY;
}

/** Microseconds of the day. 24:00:00 is the end of it. */
export function microsOfTime(text: string): number {
  const match = TIME.exec(text);
  if (match === null) throw new Error(`"${text}" is no time`);
  const [, hours, minutes, seconds, fraction = ""] = match;
  const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  return whole * 1_000_000 + Number(fraction.padEnd(6, "0"));
}

/** Microseconds since 1970, exact: as a number where that is so, else as a bigint. */
export function microsOfTimestamp(text: string): number | bigint {
  if (text === "infinity") return INFINITY_MS;
  if (text === "-infinity") return MINUS_INFINITY_MS;
  const days = daysOfDate(text);
  const ofDay = microsOfTime(text);
  const micros = days * US_PER_DAY + ofDay;
  return Number.isSafeInteger(micros) ? micros : BigInt(days) * 86_400_000_000n + BigInt(ofDay);
}

/** Milliseconds since 1970, rounded down. */
export function millisOfTimestamp(text: string): number | bigint {
  if (text === "infinity") return INFINITY_MS;
  if (text === "-infinity") return MINUS_INFINITY_MS;
  return daysOfDate(text) * MS_PER_DAY + Math.floor(microsOfTime(text) / 1000);
}

/** ISO 8601 of a timestamp in UTC: `2026-01-02T03:04:05.678901Z`; what is infinite stays as it is. */
export function isoOfTimestamp(text: string): string {
  if (text.endsWith("infinity")) return text;
  const isBefore = text.endsWith(" BC");
  const [date = "", time = ""] = (isBefore ? text.slice(0, -3) : text).split(" ");
  return `${isoOfDate(isBefore ? `${date} BC` : date)}T${time.replace(/[+-]00(:00)?$/, "")}Z`;
}

/** ISO 8601 of a date; the year before 1 is 0000, and a year beyond 9999 has a sign. */
export function isoOfDate(text: string): string {
  if (text.endsWith("infinity")) return text;
  const [year = "", month, day] = text.replace(/ BC$/, "").split("-");
  if (text.endsWith(" BC")) {
    const before = Number(year) - 1;
    return `${before === 0 ? "" : "-"}${String(before).padStart(4, "0")}-${month}-${day}`;
  }
  return `${year.length > 4 ? "+" : ""}${year}-${month}-${day}`;
}

/** A time with its offset in UTC, as `ZonedTime` has it: `03:04:05.678901Z`. */
export function zonedTime(text: string): string {
  const match = /^(.*?)([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?$/.exec(text);
  if (match === null) throw new Error(`"${text}" is no time with an offset`);
  const [, time = "", sign, hours, minutes = "0", seconds = "0"] = match;
  const offset = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000_000;
  const micros = microsOfTime(time) + (sign === "+" ? -offset : offset);
  return `${timeText(((micros % US_PER_DAY) + US_PER_DAY) % US_PER_DAY)}Z`;
}

function timeText(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000);
  const part = (value: number) => String(value).padStart(2, "0");
  const fraction = micros % 1_000_000;
  const text = `${part(Math.floor(seconds / 3600))}:${part(Math.floor(seconds / 60) % 60)}:` +
    part(seconds % 60);
  return fraction === 0 ? text : `${text}.${String(fraction).padStart(6, "0").replace(/0+$/, "")}`;
}

interface Interval {
  readonly months: number;
  readonly days: number;
  readonly micros: number;
}

/** An interval as IntervalStyle postgres writes it: `1 year 2 mons -3 days +04:05:06.5`. */
function parseInterval(text: string): Interval {
  let months = 0, days = 0, micros = 0;
  for (const [, count, unit] of text.matchAll(/([+-]?\d+) (year|mon|day)s?/g)) {
    if (unit === "year") months += 12 * Number(count);
    else if (unit === "mon") months += Number(count);
    else days += Number(count);
  }
  const time = /([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/.exec(text);
  if (time !== null) {
    const [, sign, hours, minutes, seconds, fraction = ""] = time;
    micros = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000_000 +
      Number(fraction.padEnd(6, "0"));
    if (sign === "-") micros = -micros;
  }
  return { months, days, micros };
}

/** Microseconds, a month having 30.4375 days (Debezium's `MicroDuration`). */
export function microsOfInterval(text: string): number {
  const { months, days, micros } = parseInterval(text);
  return Math.round((months * 30.4375 + days) * US_PER_DAY) + micros;
}

/** As ISO 8601 has it (Debezium's `Interval`): all parts, `P1Y2M-3DT4H5M6.5S`. */
export function isoOfInterval(text: string): string {
  const { months, days, micros } = parseInterval(text);
  const years = Math.trunc(months / 12);
  const seconds = Math.trunc(micros / 1_000_000);
  const rest = micros % 60_000_000 / 1_000_000;
  const part = (value: number) => value === 0 ? 0 : value;
  return `P${part(years)}Y${part(months % 12)}M${part(days)}DT${
    part(Math.trunc(seconds / 3600))
  }H` +
    `${part(Math.trunc(seconds / 60) % 60)}M${part(rest)}S`;
}
