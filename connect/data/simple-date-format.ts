/**
 * Times as text by the patterns of Java's `SimpleDateFormat`, always in UTC and in English. Reading is
 * as lenient as Java's: months of 13 roll over, and text behind the last field is not looked at.
 *
 * Not supported: week years, weeks and days of weeks in months (`Y`, `w`, `W`, `F`), which depend on
 * the locale of the process; dates before 1582 are of the Gregorian calendar, too.
 */

/** A compiled pattern. */
export interface DateFormat {
  format(date: Date): string;
  /** Null: the text does not begin with such a time. */
  parse(text: string): Date | null;
}

/** The pattern compiled, or what is wrong with it. */
export type CompiledDateFormat =
  | { readonly ok: true; readonly format: DateFormat }
  | { readonly ok: false; readonly why: string };

type Part =
  | { readonly literal: string }
  | { readonly letter: string; readonly count: number; readonly field: Field };

/** Fields of a time that is being read. */
interface Draft {
  isBeforeChrist: boolean;
  year: number;
  /** From 0. */
  month: number;
  day: number;
  dayOfYear: number | null;
  hour: number;
  /** 0 to 11, with `isPm`. */
  hourOfHalf: number | null;
  isPm: boolean;
  minute: number;
  second: number;
  ms: number;
  offsetMinutes: number;
}

/** What one letter means. */
interface Field {
  format(date: Date, count: number): string;
  /** A number: `set` gets it with the digits it was made of. */
  readonly number?: (draft: Draft, value: number, digits: number, count: number) => void;
  /** Text: how many characters it took at `at`; 0: it is not there. */
  readonly text?: (draft: Draft, text: string, at: number, count: number) => number;
  /** Numeric for up to so many letters, text for more. */
  readonly numericUpTo?: number;
}

const MONTHS = [
  ...["January", "February", "March", "April", "May", "June", "July"],
  ...["August", "September", "October", "November", "December"],
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MS_PER_DAY = 86_400_000;

function pad(value: number, count: number): string {
  return value < 0 ? `-${pad(-value, count)}` : String(value).padStart(count, "0");
}

function yearOfEra(date: Date): number {
  const year = date.getUTCFullYear();
  return year > 0 ? year : 1 - year;
}

function numeric(
  get: (date: Date) => number,
  number: (draft: Draft, value: number) => void,
): Field {
  return { format: (date, count) => pad(get(date), count), number };
}

/** The longest of the names that stands at `at`, in any case; short ones are the first 3 letters. */
function nameAt(names: readonly string[], text: string, at: number): readonly [number, number] {
  const rest = text.slice(at, at + 20).toLowerCase();
  let best: readonly [number, number] = [-1, 0];
  for (const [i, name] of names.entries()) {
    for (const form of [name, name.slice(0, 3)]) {
      if (rest.startsWith(form.toLowerCase()) && form.length > best[1]) best = [i, form.length];
    }
  }
  return best;
}

const month: Field = {
  format: (date, count) => {
    const name = MONTHS[date.getUTCMonth()]!;
    if (count <= 2) return pad(date.getUTCMonth() + 1, count);
    return count === 3 ? name.slice(0, 3) : name;
  },
  numericUpTo: 2,
  number: (draft, value) => draft.month = value - 1,
  text: (draft, text, at) => {
    const [found, length] = nameAt(MONTHS, text, at);
    draft.month = found;
    return length;
  },
};

const weekday: Field = {
  format: (date, count) => {
    const name = DAYS[date.getUTCDay()]!;
    return count <= 3 ? name.slice(0, 3) : name;
  },
  // Java lets day, month and year decide where they are there.
  text: (_draft, text, at) => nameAt(DAYS, text, at)[1],
};

const year: Field = {
  format: (date, count) => {
    const value = yearOfEra(date);
    return count === 2 ? pad(value % 100, 2) : pad(value, count);
  },
  // Two digits for `yy` are years from 1969 to 2068, as in POSIX; Java's window moves with today.
  number: (draft, value, digits, count) => {
    const isShort = count <= 2 && digits === 2 && value >= 0;
    draft.year = isShort ? value + (value < 69 ? 2000 : 1900) : value;
  },
};

/** `Z`, `GMT+01:00`, `+0100`, `+01`, `UTC`. */
const ZONE = /^(?:(?:UTC|GMT|UT|Z)(?![+-]\d)|(?:GMT)?([+-])(\d{1,2})(?::?(\d{2}))?)/i;

function zone(text: (count: number) => string): Field {
  return {
    format: (_date, count) => text(count),
    text: (draft, source, at) => {
      const match = ZONE.exec(source.slice(at, at + 12));
      if (match === null) return 0;
      const [all, sign, hours = "0", minutes = "0"] = match;
      draft.offsetMinutes = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
      return all.length;
    },
  };
}

const hour = (get: (hours: number) => number, set: (draft: Draft, value: number) => void) =>
  numeric((date) => get(date.getUTCHours()), set);

const FIELDS: Readonly<Record<string, Field>> = {
  G: {
    format: (date) => date.getUTCFullYear() > 0 ? "AD" : "BC",
    text: (draft, text, at) => {
      const era = text.slice(at, at + 2).toUpperCase();
      draft.isBeforeChrist = era === "BC";
      return era === "AD" || era === "BC" ? 2 : 0;
    },
  },
  y: year,
  M: month,
  L: month,
  d: numeric((date) => date.getUTCDate(), (draft, value) => draft.day = value),
  D: numeric(
    (date) => 1 + Math.floor((date.getTime() - startOfYear(date)) / MS_PER_DAY),
    (draft, value) => draft.dayOfYear = value,
  ),
  E: weekday,
  u: numeric((date) => date.getUTCDay() || 7, () => {}),
  a: {
    format: (date) => date.getUTCHours() < 12 ? "AM" : "PM",
    text: (draft, text, at) => {
      const half = text.slice(at, at + 2).toUpperCase();
      draft.isPm = half === "PM";
      return half === "AM" || half === "PM" ? 2 : 0;
    },
  },
  H: hour((hours) => hours, (draft, value) => draft.hour = value),
  k: hour((hours) => hours || 24, (draft, value) => draft.hour = value === 24 ? 0 : value),
  K: hour((hours) => hours % 12, (draft, value) => draft.hourOfHalf = value),
  h: hour(
    (hours) => hours % 12 || 12,
    (draft, value) => draft.hourOfHalf = value === 12 ? 0 : value,
  ),
  m: numeric((date) => date.getUTCMinutes(), (draft, value) => draft.minute = value),
  s: numeric((date) => date.getUTCSeconds(), (draft, value) => draft.second = value),
  S: numeric((date) => date.getUTCMilliseconds(), (draft, value) => draft.ms = value),
  z: zone((count) => count < 4 ? "UTC" : "Coordinated Universal Time"),
  Z: zone(() => "+0000"),
  X: zone(() => "Z"),
};

function startOfYear(date: Date): number {
  const start = new Date(0);
  return start.setUTCFullYear(date.getUTCFullYear());
}

/** Compiles a pattern. */
export function compileDateFormat(pattern: string): CompiledDateFormat {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length;) {
    const start = at;
    const letter = pattern[at]!;
    if (letter === "'") {
      const quoted = quotedAt(pattern, at);
      if (quoted === null) return { ok: false, why: "a quote is not closed" };
      parts.push({ literal: quoted.literal });
      at = quoted.end;
    } else if (/[A-Za-z]/.test(letter)) {
      while (pattern[at] === letter) at++;
      const field = Object.hasOwn(FIELDS, letter) ? FIELDS[letter] : undefined;
      if (field === undefined) return { ok: false, why: letterProblem(letter) };
      if (letter === "X" && at - start > 3) return { ok: false, why: "X stands 3 times at most" };
      parts.push({ letter, count: at - start, field });
    } else {
      parts.push({ literal: letter });
      at++;
    }
  }
  return {
    ok: true,
    format: { format: (date) => formatParts(parts, date), parse: (text) => parse(parts, text) },
  };
}

function letterProblem(letter: string): string {
  return "YwWF".includes(letter)
    ? `"${letter}" depends on a locale, and is not supported`
    : `"${letter}" is no letter of a pattern: letters of text stand in '…'`;
}

/** What stands between quotes; two of them are one that is meant. */
function quotedAt(pattern: string, at: number): { literal: string; end: number } | null {
  if (pattern[at + 1] === "'") return { literal: "'", end: at + 2 };
  let literal = "";
  for (let i = at + 1; i < pattern.length; i++) {
    if (pattern[i] !== "'") literal += pattern[i];
    else if (pattern[i + 1] === "'") literal += pattern[i++];
    else return { literal, end: i + 1 };
  }
  return null;
}

function formatParts(parts: readonly Part[], date: Date): string {
  return parts.map((part) => "literal" in part ? part.literal : part.field.format(date, part.count))
    .join("");
}

function isNumeric(part: Part | undefined): boolean {
  if (part === undefined || "literal" in part) return false;
  return part.field.number !== undefined && part.count <= (part.field.numericUpTo ?? Infinity);
}

function parse(parts: readonly Part[], text: string): Date | null {
  const draft: Draft = {
    ...{ isBeforeChrist: false, year: 1970, month: 0, day: 1, dayOfYear: null },
    ...{ hour: 0, hourOfHalf: null, isPm: false, minute: 0, second: 0, ms: 0, offsetMinutes: 0 },
  };
  let at = 0;
  for (const [i, part] of parts.entries()) {
    if ("literal" in part) {
      if (!text.startsWith(part.literal, at)) return null;
      at += part.literal.length;
      continue;
    }
    while (text[at] === " " || text[at] === "\t") at++;
    const length = isNumeric(part)
      // Only digits between numbers that follow one another say where one ends.
      ? numberAt(draft, part, text, at, isNumeric(parts[i + 1]) ? part.count : Infinity)
      : part.field.text?.(draft, text, at, part.count) ?? 0;
    if (length === 0) return null;
    at += length;
  }
  return dateOf(draft);
}

function numberAt(
  draft: Draft,
  part: Extract<Part, { letter: string }>,
  text: string,
  at: number,
  charsMax: number,
): number {
  let end = text[at] === "-" ? at + 1 : at;
  const start = end;
  while (end < text.length && end - at < charsMax && isDigit(text, end)) end++;
  if (end === start) return 0;
  part.field.number?.(draft, Number(text.slice(at, end)), end - start, part.count);
  return end - at;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0x30 && code <= 0x39;
}

function dateOf(draft: Draft): Date | null {
  const year = draft.isBeforeChrist ? 1 - draft.year : draft.year;
  const isDayOfYear = draft.dayOfYear !== null;
  const date = new Date(0);
  date.setUTCFullYear(
    year,
    isDayOfYear ? 0 : draft.month,
    isDayOfYear ? draft.dayOfYear! : draft.day,
  );
  const hour = draft.hourOfHalf === null ? draft.hour : draft.hourOfHalf + (draft.isPm ? 12 : 0);
  date.setUTCHours(hour, draft.minute - draft.offsetMinutes, draft.second, draft.ms);
  return Number.isNaN(date.getTime()) ? null : date;
}
