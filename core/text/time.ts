/**
 * Times and durations as people write them, for every command that takes one. One grammar in
 * English, whatever the locale; nothing is guessed, what it does not know is refused.
 *
 *     now
 *     1700000000000  1700000000  0      ms (13 digits) or seconds (9, 10) since 1970
 *     -6h  -2d12h  6h ago  6 hours ago  an hour ago  1 hour 30 minutes ago
 *     6h  1h30m                         after now
 *     2026-01-31  2026-01-31 09:30  2026-01-31T09:30:15.250Z  2026-01-31T09:30+02:00
 *     today  yesterday  tomorrow        their midnight
 *     yesterday 14:00  today 9am  yesterday at noon  09:30 (today)  14:00 UTC
 *     monday  mon 09:30                 the latest such moment that is not in the future
 *     last monday                       the monday before today
 *
 * Units are ms, s, m, h, d and w, or in words from milliseconds to weeks. A day or a time of day
 * without a zone (Z, UTC, +02:00) is in the zone of this machine (`TZ`), or with `utc` in UTC.
 */

/** What texts are read against. */
export interface TimeContext {
  /** The wall clock, ms since 1970. */
  readonly nowMs: number;
  /** Where no zone is given it is UTC, else the machine's. */
  readonly utc: boolean;
}

/** For help and refusals. */
export const TIME_FORMS = "-6h, 2026-01-31T12:00, yesterday 14:00, monday 09:30 or 1700000000000";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: MINUTE_MS,
  h: 3_600_000,
  d: DAY_MS,
  w: 7 * DAY_MS,
};

const WORDS: readonly (readonly [words: RegExp, ms: number])[] = [
  [/^(?:milliseconds?|millis|msecs?)$/, 1],
  [/^(?:seconds?|secs?)$/, 1000],
  [/^(?:minutes?|mins?)$/, MINUTE_MS],
  [/^(?:hours?|hrs?|hr)$/, 3_600_000],
  [/^days?$/, DAY_MS],
  [/^weeks?$/, 7 * DAY_MS],
];

const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const WEEKDAY = /^(last )?(sun|mon|tue|wed|thu|fri|sat)(?:day|sday|nesday|rsday|urday)?(?: (.+))?$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[t ]+(.+))?$/;
const CLOCK = /^(?:at )?(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?( ?[ap]m)?$/;
const HOUR = /^(?:at )?(\d{1,2}) ?([ap]m)$/;
const ZONE = /^(.*?\d|.*[a-z]) ?(z|utc|[+-]\d\d:?\d\d)$/;

/** `1h`, `90s`, `2d12h`, `500ms`; null if it is none. Milliseconds. */
export function durationMs(text: string): number | null {
  if (!/^(?:\d{1,9}(?:ms|s|m|h|d|w))+$/.test(text)) return null;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h|d|w)/g)) {
    total += Number(count) * (UNITS[unit ?? ""] ?? 0);
  }
  return total;
}

/** The time that the text means, in milliseconds since 1970; null if it means none. */
export function parseTime(text: string, { nowMs, utc }: TimeContext): number | null {
  const plain = text.trim().toLowerCase().replace(/\s+/g, " ");
  if (plain === "now") return nowMs;
  if (/^(?:\d{13}|0)$/.test(plain)) return Number(plain);
  if (/^\d{9,10}$/.test(plain)) return Number(plain) * 1000;
  const relative = relativeMs(plain);
  if (relative !== null) return nowMs + relative;
  const zoned = ZONE.exec(plain);
  const offset = zoned === null ? null : zoneMinutes(zoned[2] ?? "");
  if (zoned !== null && offset !== null) {
    return calendarMs(zoned[1] ?? "", nowMs, new Zone(offset));
  }
  return calendarMs(plain, nowMs, new Zone(utc ? 0 : null));
}

/** `-6h`, `6 hours ago`, `6h`: milliseconds from now; null if it is none of them. */
function relativeMs(text: string): number | null {
  if (text.startsWith("-")) {
    const before = durationMs(text.slice(1));
    return before === null ? null : -before;
  }
  const ago = / ago$/.exec(text);
  if (ago === null) return durationMs(text);
  const length = wordyDurationMs(text.slice(0, ago.index));
  return length === null ? null : -length;
}

/** `6h`, `6 hours`, `an hour`, `1 hour 30 minutes`, `1 hour and 30 minutes`. */
function wordyDurationMs(text: string): number | null {
  const short = durationMs(text.replaceAll(" ", ""));
  if (short !== null) return short;
  const words = text.replaceAll(/\band\b/g, " ").trim().split(/\s+/);
  if (words.length % 2 !== 0) return null;
  let total = 0;
  for (let i = 0; i < words.length; i += 2) {
    const [count = "", unit = ""] = [words[i], words[i + 1]];
    const unitMs = WORDS.find(([pattern]) => pattern.test(unit))?.[1] ?? UNITS[unit];
    const number = count === "a" || count === "an" ? 1 : /^\d{1,9}$/.test(count) ? +count : null;
    if (unitMs === undefined || number === null) return null;
    total += number * unitMs;
  }
  return total;
}

/** Minutes east of UTC; null if there is no such zone. */
function zoneMinutes(text: string): number | null {
  if (text === "z" || text === "utc") return 0;
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(text) ?? [];
  if (Number(hours) > 14 || Number(minutes) > 59) return null;
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

/** A day in the calendar; days beyond a month's are those of its neighbours. */
interface Day {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  readonly day: number;
}

/** The calendar of a zone: so many minutes east of UTC, or null for the machine's own. */
class Zone {
  constructor(readonly minutes: number | null) {}

  /** The moment `msOfDay` by the clock of that day. */
  at({ year, month, day }: Day, msOfDay: number): number {
    // Hours on the clock, since a day has 23 or 25 hours where summer time begins or ends.
    if (this.minutes === null) return new Date(year, month, day, 0, 0, 0, msOfDay).getTime();
    return Date.UTC(year, month, day, 0, 0, 0, msOfDay) - this.minutes * MINUTE_MS;
  }

  dayOf(timeMs: number): Day & { readonly weekday: number } {
    if (this.minutes === null) {
      const date = new Date(timeMs);
      return {
        ...{ year: date.getFullYear(), month: date.getMonth(), day: date.getDate() },
        weekday: date.getDay(),
      };
    }
    const date = new Date(timeMs + this.minutes * MINUTE_MS);
    return {
      ...{ year: date.getUTCFullYear(), month: date.getUTCMonth(), day: date.getUTCDate() },
      weekday: date.getUTCDay(),
    };
  }
}

function calendarMs(text: string, nowMs: number, zone: Zone): number | null {
  const date = DATE.exec(text);
  if (date !== null) return dateMs(date, zone);
  const today = zone.dayOf(nowMs);
  const named = /^(today|yesterday|tomorrow)(?: (.+))?$/.exec(text);
  if (named !== null) {
    const days = named[1] === "today" ? 0 : named[1] === "yesterday" ? -1 : 1;
    const clock = clockMs(named[2]);
    return clock === null ? null : zone.at({ ...today, day: today.day + days }, clock);
  }
  const weekday = WEEKDAY.exec(text);
  if (weekday !== null) {
    const clock = clockMs(weekday[3]);
    if (clock === null) return null;
    const back = (today.weekday - WEEKDAYS.indexOf(weekday[2] ?? "") + 7) % 7;
    const latest = zone.at({ ...today, day: today.day - back }, clock);
    const isTooLate = weekday[1] === undefined ? latest > nowMs : back === 0;
    return isTooLate ? zone.at({ ...today, day: today.day - back - 7 }, clock) : latest;
  }
  const clock = clockMs(text);
  return clock === null ? null : zone.at(today, clock);
}

function dateMs([, years, months, days, rest]: RegExpExecArray, zone: Zone): number | null {
  const [year, month, day] = [Number(years), Number(months) - 1, Number(days)];
  const checked = new Date(Date.UTC(year, month, day));
  if (checked.getUTCMonth() !== month || checked.getUTCDate() !== day) return null;
  const clock = clockMs(rest);
  return clock === null ? null : zone.at({ year, month, day }, clock);
}

/** Milliseconds since midnight; midnight if nothing is said, null if it is no time of day. */
function clockMs(text: string | undefined): number | null {
  if (text === undefined || /^(?:at )?midnight$/.test(text)) return 0;
  if (/^(?:at )?noon$/.test(text)) return DAY_MS / 2;
  const hour = HOUR.exec(text);
  if (hour !== null) return ofDayMs(hour[1] ?? "", "0", "0", hour[2] ?? "");
  const clock = CLOCK.exec(text);
  if (clock === null) return null;
  const [, hours = "", minutes = "", seconds = "0", fraction = "", half = ""] = clock;
  const whole = ofDayMs(hours, minutes, seconds, half.trim());
  return whole === null ? null : whole + Math.floor(Number(`0.${fraction || "0"}`) * 1000);
}

function ofDayMs(hours: string, minutes: string, seconds: string, half: string): number | null {
  let hour = Number(hours);
  if (half !== "") {
    if (hour < 1 || hour > 12) return null;
    hour = hour % 12 + (half === "pm" ? 12 : 0);
  }
  if (hour > 23 || Number(minutes) > 59 || Number(seconds) > 59) return null;
  return ((hour * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
}
