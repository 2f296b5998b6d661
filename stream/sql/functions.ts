/** Functions of queries, by name: of how many arguments, and what they give. Null in, null out. */
import { compare, toBoolean, toNumber, toText, toTimeMs } from "./values.ts";

/** A function, and how many arguments it takes. */
export interface SqlFunction {
  readonly min: number;
  readonly max: number;
  readonly call: (...args: readonly unknown[]) => unknown;
}

/** As long a text as `repeat` and `lpad` make. */
const CHARS_MAX = 1 << 20;

const PARTS: Readonly<Record<string, (date: Date) => number>> = {
  year: (date) => date.getUTCFullYear(),
  quarter: (date) => Math.floor(date.getUTCMonth() / 3) + 1,
  month: (date) => date.getUTCMonth() + 1,
  day: (date) => date.getUTCDate(),
  hour: (date) => date.getUTCHours(),
  minute: (date) => date.getUTCMinutes(),
  second: (date) => date.getUTCSeconds() + date.getUTCMilliseconds() / 1000,
  milliseconds: (date) => date.getUTCSeconds() * 1000 + date.getUTCMilliseconds(),
  epoch: (date) => date.getTime() / 1000,
  dow: (date) => date.getUTCDay(),
  isodow: (date) => date.getUTCDay() || 7,
};

const number = (
  min: number,
  call: (...args: number[]) => number | null,
  max = min,
): SqlFunction => ({
  ...{ min, max },
  call: (...args) => {
    const numbers = args.map(toNumber);
    if (numbers.some((value) => value === null)) return null;
    const result = call(...numbers.map(Number));
    return result === null || !Number.isFinite(result) ? null : result;
  },
});

/** The first argument as text, the others as they are. */
const text = (
  min: number,
  call: (text: string, ...args: readonly unknown[]) => unknown,
  max = min,
): SqlFunction => ({
  ...{ min, max },
  call: (first, ...rest) => {
    const subject = toText(first);
    return subject === null || rest.some((arg) => arg === null) ? null : call(subject, ...rest);
  },
});

const count = (value: unknown) => Math.trunc(Number(toNumber(value) ?? 0));

/** Characters as people count them, not UTF-16 units. */
function slice(subject: string, from: number, length?: number): string {
  const letters = [...subject];
  const start = from - 1;
  const end = length === undefined ? letters.length : start + Math.max(0, length);
  return letters.slice(Math.max(0, start), Math.max(0, end)).join("");
}

function padded(subject: string, length: unknown, fill: unknown, isLeft: boolean): string {
  const size = Math.min(Math.max(0, count(length)), CHARS_MAX);
  if (subject.length >= size) return subject.slice(0, size);
  const filler = fill === undefined ? " " : toText(fill) ?? " ";
  return isLeft ? subject.padStart(size, filler) : subject.padEnd(size, filler);
}

/** The beginning of a unit of time; in the form that the time has. */
function truncated(unit: unknown, value: unknown): unknown {
  const ms = toTimeMs(value);
  if (ms === null) return null;
  const date = new Date(ms);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  const fixed: Readonly<Record<string, number>> = {
    ...{ second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 },
  };
  const name = String(toText(unit)).toLowerCase();
  const startMs = name in fixed
    ? Math.floor(ms / fixed[name]!) * fixed[name]!
    : name === "week"
    ? Date.UTC(year, month, day - ((date.getUTCDay() + 6) % 7))
    : name === "month"
    ? Date.UTC(year, month, 1)
    : name === "quarter"
    ? Date.UTC(year, month - month % 3, 1)
    : name === "year"
    ? Date.UTC(year, 0, 1)
    : null;
  if (startMs === null) return null;
  return typeof value === "string" ? new Date(startMs).toISOString() : startMs;
}

function best(args: readonly unknown[], sign: 1 | -1): unknown {
  let found: unknown = null;
  for (const arg of args) {
    if (arg !== null && (found === null || (compare(arg, found) ?? 0) * sign > 0)) found = arg;
  }
  return found;
}

const trimmed = (subject: string, what: unknown, starts: boolean, ends: boolean): string => {
  const letters = [...subject];
  const drop = new Set(what === undefined ? [" ", "\t", "\n", "\r"] : [...(toText(what) ?? "")]);
  let [start, end] = [0, letters.length];
  while (starts && start < end && drop.has(letters[start]!)) start++;
  while (ends && end > start && drop.has(letters[end - 1]!)) end--;
  return letters.slice(start, end).join("");
};

const coalesce: SqlFunction = {
  ...{ min: 1, max: 100 },
  call: (...args) => args.find((arg) => arg !== null) ?? null,
};
const lower = text(1, (subject) => subject.toLowerCase());
const upper = text(1, (subject) => subject.toUpperCase());
const length = text(1, (subject) => [...subject].length);
const power = number(2, (base, exponent) => base ** exponent);
const substring = text(
  2,
  (subject, from, size) =>
    slice(subject, count(from), size === undefined ? undefined : count(size)),
  3,
);

/** See the head of the file. */
export const FUNCTIONS: ReadonlyMap<string, SqlFunction> = new Map<string, SqlFunction>([
  ["coalesce", coalesce],
  ["ifnull", coalesce],
  ["nullif", { min: 2, max: 2, call: (one, two) => compare(one, two) === 0 ? null : one }],
  ["greatest", { min: 1, max: 100, call: (...args) => best(args, 1) }],
  ["least", { min: 1, max: 100, call: (...args) => best(args, -1) }],
  ["abs", number(1, Math.abs)],
  ["ceil", number(1, Math.ceil)],
  ["ceiling", number(1, Math.ceil)],
  ["floor", number(1, Math.floor)],
  ["trunc", number(1, Math.trunc)],
  ["sign", number(1, Math.sign)],
  ["sqrt", number(1, Math.sqrt)],
  ["exp", number(1, Math.exp)],
  ["ln", number(1, Math.log)],
  ["power", power],
  ["pow", power],
  ["mod", number(2, (one, two) => two === 0 ? null : one % two)],
  [
    "round",
    number(1, (value, digits = 0) => {
      const scale = 10 ** Math.max(-15, Math.min(15, Math.trunc(digits)));
      return Math.sign(value) * Math.round(Math.abs(value) * scale) / scale;
    }, 2),
  ],
  ["lower", lower],
  ["lcase", lower],
  ["upper", upper],
  ["ucase", upper],
  ["length", length],
  ["len", length],
  ["char_length", length],
  ["trim", text(1, (subject, what) => trimmed(subject, what, true, true), 2)],
  ["ltrim", text(1, (subject, what) => trimmed(subject, what, true, false), 2)],
  ["rtrim", text(1, (subject, what) => trimmed(subject, what, false, true), 2)],
  ["substring", substring],
  ["substr", substring],
  ["left", text(2, (subject, size) => [...subject].slice(0, count(size)).join(""))],
  [
    "right",
    text(2, (subject, size) => count(size) === 0 ? "" : [...subject].slice(-count(size)).join("")),
  ],
  ["position", text(2, (what, subject) => (toText(subject) ?? "").indexOf(what) + 1)],
  ["strpos", text(2, (subject, what) => subject.indexOf(toText(what) ?? "") + 1)],
  ["starts_with", text(2, (subject, what) => subject.startsWith(toText(what) ?? ""))],
  [
    "replace",
    text(3, (subject, from, to) => subject.replaceAll(toText(from) ?? "", () => toText(to) ?? "")),
  ],
  ["reverse", text(1, (subject) => [...subject].reverse().join(""))],
  [
    "repeat",
    text(2, (subject, times) => {
      const most = Math.floor(CHARS_MAX / Math.max(1, subject.length));
      return subject.repeat(Math.min(Math.max(0, count(times)), most));
    }),
  ],
  ["lpad", text(2, (subject, size, fill) => padded(subject, size, fill, true), 3)],
  ["rpad", text(2, (subject, size, fill) => padded(subject, size, fill, false), 3)],
  [
    "split_part",
    text(3, (subject, by, nth) => subject.split(toText(by) ?? "").at(count(nth) - 1) ?? ""),
  ],
  ["concat", {
    min: 1,
    max: 100,
    call: (...args) => args.map((arg) => toText(arg) ?? "").join(""),
  }],
  [
    "concat_ws",
    {
      ...{ min: 2, max: 100 },
      call: (by, ...args) => args.filter((arg) => arg !== null).map(toText).join(toText(by) ?? ""),
    },
  ],
  [
    "cardinality",
    { min: 1, max: 1, call: (list) => Array.isArray(list) ? list.length : null },
  ],
  [
    "array_contains",
    {
      ...{ min: 2, max: 2 },
      call: (list, item) =>
        Array.isArray(list) ? list.some((each) => compare(each, item) === 0) : null,
    },
  ],
  [
    "json_build_object",
    {
      ...{ min: 0, max: 100 },
      call: (...args) => {
        const pairs = Array.from({ length: Math.floor(args.length / 2) }, (_, at) => {
          return [toText(args[2 * at]) ?? "null", args[2 * at + 1] ?? null] as const;
        });
        return Object.fromEntries(pairs);
      },
    },
  ],
  ["extract", { min: 2, max: 2, call: datePart }],
  ["date_part", { min: 2, max: 2, call: datePart }],
  ["date_trunc", { min: 2, max: 2, call: truncated }],
  ["epoch_ms", { min: 1, max: 1, call: toTimeMs }],
  [
    "iso",
    {
      ...{ min: 1, max: 1 },
      call: (value) => {
        const ms = toTimeMs(value);
        return ms === null || Math.abs(ms) > 8.64e15 ? null : new Date(ms).toISOString();
      },
    },
  ],
  ["if", { min: 3, max: 3, call: (holds, yes, no) => toBoolean(holds) === true ? yes : no }],
]);

function datePart(part: unknown, value: unknown): number | null {
  const ms = toTimeMs(value);
  return ms === null ? null : PARTS[String(toText(part)).toLowerCase()]?.(new Date(ms)) ?? null;
}
