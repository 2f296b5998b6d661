/** Numbers, sizes and times as people read them. */

const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A count with separators: `12,345`. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : COUNT.format(value);
}

/** A count with its noun: `1 topic`, `12 topics`. */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** Bytes: `1.4 MiB`. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return scaled(value, 1024, BYTE_UNITS);
}

/** A rate of bytes: `1.4 MiB/s`. */
export function byteRate(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : `${bytes(value)}/s`;
}

/** A rate of things: `1.2 k/s`. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return `${scaled(value, 1000, ["", "k", "M", "G"]).trim()}/s`;
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let unit = 0;
  let rest = value;
  while (rest >= step && unit < units.length - 1) {
    rest /= step;
    unit++;
  }
  const digits = rest >= 100 || Number.isInteger(rest) ? 0 : rest >= 10 ? 1 : 2;
  return `${rest.toFixed(digits)} ${units[unit]}`;
}

/** A span of time: `3 d 4 h`, `12 s`, `850 ms`. */
export function span(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "–";
  if (ms < 0) return `-${span(-ms)}`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const units = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]] as const;
  const parts: string[] = [];
  let rest = ms;
  for (const [name, size] of units) {
    const number = Math.floor(rest / size);
    if (number > 0 || parts.length > 0) parts.push(number > 0 ? `${number} ${name}` : "");
    rest -= number * size;
    if (parts.length === 2) break;
  }
  return parts.filter(Boolean).join(" ");
}

/** A lag in seconds as a span; what has read all is `0 s` behind. */
export function lagSpan(seconds: number | null | undefined): string {
  return seconds === 0
    ? "0 s"
    : span(seconds === null || seconds === undefined ? null : seconds * 1000);
}

/** A time in the zone of who looks, to the millisecond: `2026-11-22 18:26:01.123`. */
export function time(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || ms < 0) return "–";
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return String(ms);
  const two = (value: number, width = 2) => String(value).padStart(width, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ` +
    `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.` +
    two(at.getMilliseconds(), 3);
}

/** How long ago: `12 s ago`. */
export function ago(ms: number, nowMs: number): string {
  return nowMs - ms < 1000 ? "now" : `${span(nowMs - ms)} ago`;
}
