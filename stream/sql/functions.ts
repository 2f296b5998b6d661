/** Functions of queries, by name: of how many arguments, and what they give. Null in, null out. */
import { datePart, toIso, toTimeMs, truncatedTime } from "./times.ts";
import { arithmetic, compare, rounded, toBoolean, toNumber, toText } from "./values.ts";

/** A function, and how many arguments it takes. */
export interface SqlFunction {
  readonly min: number;
  readonly max: number;
  readonly call: (...args: readonly unknown[]) => unknown;
}

/** As long a text as `repeat` and `lpad` make. */
const CHARS_MAX = 1 << 20;
/** As long a text as is made of others: no record is as long. */
const MADE_MAX = 1 << 26;

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

/** As `number`, of one that whole numbers beyond 2^53 come out of as they are. */
const rounding = (call: (value: number) => number): SqlFunction => ({
  ...{ min: 1, max: 1 },
  call: (value) => {
    const given = toNumber(value);
    return typeof given === "number" ? call(given) : given;
  },
});

/** To digits behind the point; `cut`: the rest does not matter. */
const digits = (cut: (value: number, digits: number) => number | bigint | null): SqlFunction => ({
  ...{ min: 1, max: 2 },
  call: (value, places = 0) => {
    const [given, count] = [toNumber(value), toNumber(places)];
    if (typeof given !== "number" || count === null) return count === null ? null : given;
    return cut(given, Number(count));
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
  const letters = [...subject];
  const filler = [...(fill === undefined ? " " : toText(fill) ?? " ")];
  const missing = size - letters.length;
  if (missing <= 0 || filler.length === 0) return letters.slice(0, size).join("");
  const padding = Array.from({ length: missing }, (_, at) => filler[at % filler.length]).join("");
  return isLeft ? padding + subject : subject + padding;
}

/** Where a text is in another one, from 1, in characters; 0: nowhere. */
function placeOf(what: unknown, subject: string): number {
  const at = subject.indexOf(toText(what) ?? "");
  return at <= 0 ? at + 1 : [...subject.slice(0, at)].length + 1;
}

/** The nth part, from 1, or from the end by −1; empty where there is none. */
function partOf(subject: string, by: unknown, nth: unknown): string | null {
  const [separator, at] = [toText(by) ?? "", count(nth)];
  if (at === 0) return null;
  const parts = separator === "" ? [subject] : subject.split(separator);
  return parts.at(at > 0 ? at - 1 : at) ?? "";
}

/** A text that would be too long is null, as all that cannot be done. */
function replaced(subject: string, from: unknown, to: unknown): string | null {
  const [what, by] = [toText(from) ?? "", toText(to) ?? ""];
  if (what === "") return subject;
  const parts = subject.split(what);
  if (subject.length + parts.length * by.length > MADE_MAX) return null;
  return parts.join(by);
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

const cardinality: SqlFunction = {
  ...{ min: 1, max: 1 },
  call: (list) => Array.isArray(list) ? list.length : null,
};
/** Of ten, or of a base, which is first then. */
const log = number(1, (one, two) => {
  return two === undefined ? Math.log10(one) : Math.log(two) / Math.log(one);
}, 2);

const WORD = /[\p{L}\p{N}]+/gu;

function capital(word: string): string {
  const [first = "", ...rest] = word;
  return first.toUpperCase() + rest.join("");
}

function cutOff(value: number, places: number): number {
  const scale = 10 ** Math.max(-15, Math.min(15, Math.trunc(places)));
  const scaled = Math.trunc(value * scale);
  return Number.isFinite(scaled) ? scaled / scale : value;
}

/** What functions that are not here are called, or done by: those that people know from elsewhere. */
export const INSTEAD_OF: ReadonlyMap<string, string> = new Map([
  ["now", "rowtime is the time of a record"],
  ["current_timestamp", "rowtime is the time of a record"],
  ["unix_timestamp", "rowtime is the time of a record"],
  ["tumble", "windows are written WINDOW TUMBLING (1 minute)"],
  ["hop", "windows are written WINDOW HOPPING (1 hour, ADVANCE BY 5 minutes)"],
  ["timestamptostring", "iso(t) is the text of a time"],
  ["format_timestamp", "iso(t) is the text of a time"],
  ["from_unixtime", "iso(t) is the text of a time"],
  ["stringtotimestamp", "epoch_ms(text) is the time of a text in ISO 8601"],
  ["parse_timestamp", "epoch_ms(text) is the time of a text in ISO 8601"],
  ["extractjsonfield", "a field is customer.name, of a text that is JSON (text::json)->'name'"],
  ["string_agg", "array_join(array_agg(x), ',') is one text of all"],
  ["size", "it is cardinality(list)"],
  ["count_distinct", "it is count(DISTINCT x)"],
  ["explode", "rows become no more rows: stream run an application with flatMapValues"],
  ["unnest", "rows become no more rows: stream run an application with flatMapValues"],
  ["regexp_replace", "regexp_extract(pattern, text, group) gives what a group has matched"],
  ["regexp_matches", "regexp_extract(pattern, text, group) gives what a group has matched"],
]);

/** See the head of the file. */
export const FUNCTIONS: ReadonlyMap<string, SqlFunction> = new Map<string, SqlFunction>([
  ["coalesce", coalesce],
  ["ifnull", coalesce],
  ["nullif", { min: 2, max: 2, call: (one, two) => compare(one, two) === 0 ? null : one }],
  ["greatest", { min: 1, max: 100, call: (...args) => best(args, 1) }],
  ["least", { min: 1, max: 100, call: (...args) => best(args, -1) }],
  ["abs", {
    ...{ min: 1, max: 1 },
    call: (value) => {
      const given = toNumber(value);
      return given !== null && given < 0 ? arithmetic("-", 0, given) : given;
    },
  }],
  ["ceil", rounding(Math.ceil)],
  ["ceiling", rounding(Math.ceil)],
  ["floor", rounding(Math.floor)],
  ["trunc", digits(cutOff)],
  ["sign", number(1, Math.sign)],
  ["sqrt", number(1, Math.sqrt)],
  ["exp", number(1, Math.exp)],
  ["ln", number(1, Math.log)],
  ["power", power],
  ["pow", power],
  ["log", log],
  ["log10", number(1, Math.log10)],
  ["mod", { min: 2, max: 2, call: (one, two) => arithmetic("%", one, two) }],
  ["round", digits(rounded)],
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
  ["position", text(2, (what, subject) => placeOf(what, toText(subject) ?? ""))],
  ["strpos", text(2, (subject, what) => placeOf(what, subject))],
  ["instr", text(2, (subject, what) => placeOf(what, subject))],
  ["starts_with", text(2, (subject, what) => subject.startsWith(toText(what) ?? ""))],
  ["replace", text(3, replaced)],
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
  ["split_part", text(3, partOf)],
  ["split", text(2, (subject, by) => subject.split(toText(by) ?? ""))],
  ["initcap", text(1, (subject) => subject.toLowerCase().replace(WORD, (word) => capital(word)))],
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
  ["cardinality", cardinality],
  ["array_length", cardinality],
  ["array_join", {
    ...{ min: 1, max: 2 },
    call: (list, by = ",") =>
      Array.isArray(list) ? list.map((each) => toText(each) ?? "").join(toText(by) ?? "") : null,
  }],
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
  ["date_trunc", { min: 2, max: 2, call: truncatedTime }],
  ["epoch_ms", { min: 1, max: 1, call: toTimeMs }],
  ["iso", { min: 1, max: 1, call: toIso }],
  ["if", { min: 3, max: 3, call: (holds, yes, no) => toBoolean(holds) === true ? yes : no }],
]);
