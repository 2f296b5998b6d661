/** Times in formats: `strftime` and Go's layouts, both in UTC. */

/** A time as text. */
export type TimeFormatter = (date: Date) => string;

const two = (number: number) => String(number).padStart(2, "0");
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August"]
  .concat(["September", "October", "November", "December"]);
const DAY_MS = 86_400_000;

const day = (date: Date) => DAYS[date.getUTCDay()] ?? "";
const month = (date: Date) => MONTHS[date.getUTCMonth()] ?? "";
const half = (date: Date) => date.getUTCHours() < 12 ? "AM" : "PM";
const dayOfYear = (date: Date) =>
  Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS) + 1;

const LETTERS: Readonly<Record<string, TimeFormatter>> = {
  Y: (date) => String(date.getUTCFullYear()).padStart(4, "0"),
  y: (date) => two(date.getUTCFullYear() % 100),
  m: (date) => two(date.getUTCMonth() + 1),
  d: (date) => two(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2),
  H: (date) => two(date.getUTCHours()),
  I: (date) => two(date.getUTCHours() % 12 || 12),
  M: (date) => two(date.getUTCMinutes()),
  S: (date) => two(date.getUTCSeconds()),
  L: (date) => String(date.getUTCMilliseconds()).padStart(3, "0"),
  f: (date) => String(date.getUTCMilliseconds()).padStart(3, "0") + "000",
  p: half,
  j: (date) => String(dayOfYear(date)).padStart(3, "0"),
  a: (date) => day(date).slice(0, 3),
  A: day,
  b: (date) => month(date).slice(0, 3),
  B: month,
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  F: (date) => date.toISOString().slice(0, 10),
  T: (date) => date.toISOString().slice(11, 19),
  R: (date) => date.toISOString().slice(11, 16),
  z: () => "+0000",
  Z: () => "UTC",
  n: () => "\n",
  t: () => "\t",
  "%": () => "%",
};

/** Null if a letter is not known. */
export function strftime(format: string): TimeFormatter | null {
  const steps: TimeFormatter[] = [];
  for (const [part] of format.matchAll(/%[^]?|[^%]+/g)) {
    const step = part.startsWith("%") ? LETTERS[part.slice(1)] : () => part;
    if (step === undefined) return null;
    steps.push(step);
  }
  return (date) => steps.map((step) => step(date)).join("");
}

const LAYOUT =
  /2006|January|Monday|MST|Z07:00|-07:00|-0700|Jan|Mon|PM|pm|[.,]0{1,9}|[.,]9{1,9}|01|02|03|04|05|06|15|_2|[1-5]/g;

const LAYOUTS: Readonly<Record<string, string>> = {
  "2006": "%Y",
  "06": "%y",
  January: "%B",
  Jan: "%b",
  Monday: "%A",
  Mon: "%a",
  "01": "%m",
  "02": "%d",
  _2: "%e",
  "15": "%H",
  "03": "%I",
  "04": "%M",
  "05": "%S",
  PM: "%p",
  MST: "%Z",
  "-0700": "%z",
  "-07:00": "+00:00",
  "Z07:00": "Z",
};

/** The layout of Go's package time; null if a part of it is not known here. */
export function goLayout(layout: string): TimeFormatter | null {
  let isKnown = true;
  const format = layout.replaceAll("%", "%%").replace(LAYOUT, (part) => {
    const fraction = /^([.,])([09])\2*$/.exec(part);
    if (fraction !== null && part.length === 4 && fraction[2] === "0") return `${fraction[1]}%L`;
    const known = LAYOUTS[part];
    isKnown &&= known !== undefined;
    return known ?? "";
  });
  return isKnown ? strftime(format) : null;
}
