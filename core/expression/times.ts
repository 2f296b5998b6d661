/** Times of expressions: milliseconds since 1970, and always UTC, wherever the program runs. */

const ISO =
  /^(\d{4})-(\d\d)(?:-(\d\d))?(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$/;

/** Milliseconds of a time in ISO 8601, NaN for anything else. Without a zone it is UTC. */
export function parseTime(text: string): number {
  const match = text.length > 40 ? null : ISO.exec(text);
  if (match === null) return NaN;
  const zoned = match[4] !== undefined || text.length <= 10 ? text : `${text}Z`;
  return Date.parse(zoned.replace(" ", "T").replace(",", "."));
}

/** The time in ISO 8601 with milliseconds, or undefined where there is none. */
export function timeText(timestampMs: number): string | undefined {
  const date = new Date(timestampMs);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** Its parts: month from 1, weekday from 1 (Monday) to 7; undefined where there is no such time. */
export function timeParts(timestampMs: number): Record<string, number> | undefined {
  const date = new Date(timestampMs);
  if (Number.isNaN(date.getTime())) return undefined;
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    millisecond: date.getUTCMilliseconds(),
    weekday: date.getUTCDay() === 0 ? 7 : date.getUTCDay(),
  };
}
