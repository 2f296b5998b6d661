import { InvalidArgumentError } from "@commander-js/extra-typings";
import { durationMs } from "../../core/text/time.ts";

/** An argument parser for durations as 90s, 10m or 1h30m, in milliseconds. */
export function parseDuration(text: string): number {
  const parsedMs = durationMs(text);
  if (parsedMs !== null) return parsedMs;
  throw new InvalidArgumentError("Write it as 90s, 10m or 2h.");
}

/** `450 ms`, `12 s`, `3 m 5 s`, `2 h 10 m`, `3 d 4 h`: the two largest units. */
export function formatDuration(ms: number): string {
  const units: readonly (readonly [name: string, ms: number])[] = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
  ];
  const first = units.findIndex(([, unitMs]) => ms >= unitMs);
  if (first < 0) return `${Math.max(0, Math.round(ms))} ms`;
  let rest = ms;
  const parts = units.slice(first, first + 2).map(([name, unitMs]) => {
    const number = Math.floor(rest / unitMs);
    rest -= number * unitMs;
    return `${number} ${name}`;
  });
  return parts.filter((part, i) => i === 0 || !part.startsWith("0 ")).join(" ");
}
