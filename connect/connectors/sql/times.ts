/** Moments as the columns of dates have them. */
import type { Schema } from "../../index.ts";
import type { Column } from "./dialect.ts";

/** Milliseconds since 1970, and the text of the fraction of its second, which may be longer: ".123456". */
export interface Moment {
  readonly ms: number;
  readonly fraction: string;
}

const WITH_OFFSET =
  /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(\.\d{1,9})?)? ?(?:Z|[+-]\d\d(?::?\d\d)?)$/i;

/** Of ISO 8601 with an offset; null: the text says no moment, its reading is left to the database. */
export function momentOfText(text: string): Moment | null {
  const match = WITH_OFFSET.exec(text);
  if (match === null) return null;
  const normal = text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00");
  const ms = Date.parse(normal);
  return Number.isNaN(ms) ? null : { ms, fraction: match[1] ?? "" };
}

/** As a column takes it: UTC for one that knows moments, else by the clocks of `zone`. */
export function zoned({ ms, fraction }: Moment, column: Column, zone: string): string {
  const local = column.form === "moment" ? ms : ms + offsetMs(ms, zone);
  const text = `${new Date(local).toISOString().slice(0, 19).replace("T", " ")}${fraction}`;
  return column.type.includes("with time zone") ? `${text}+00` : text;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** How far the clocks of a zone are ahead of UTC at that moment. */
export function offsetMs(ms: number, zone: string): number {
  if (zone === "UTC") return 0;
  let format = formats.get(zone);
  if (format === undefined) {
    const parts = { year: "numeric", month: "2-digit", day: "2-digit" } as const;
    const time = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
    format = new Intl.DateTimeFormat("en-US", {
      ...{ timeZone: zone, hourCycle: "h23" },
      ...parts,
      ...time,
    });
    formats.set(zone, format);
  }
  const at: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(ms)) at[type] = Number(value);
  const local = Date.UTC(
    ...[at["year"]!, at["month"]! - 1, at["day"]!] as const,
    ...[at["hour"]!, at["minute"]!, at["second"]!] as const,
  );
  return local - Math.floor(ms / 1000) * 1000;
}

/** Why a zone is none, or null. */
export function zoneProblem(zone: string): string | null {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: zone });
    return null;
  } catch {
    return "must be a time zone, as UTC or Europe/Berlin";
  }
}

/** How many of it are a second, of Debezium's numbers that are times. */
const PER_SECOND: Readonly<Record<string, bigint>> = {
  "io.debezium.time.Timestamp": 1000n,
  "io.debezium.time.MicroTimestamp": 1_000_000n,
  "io.debezium.time.NanoTimestamp": 1_000_000_000n,
  "io.debezium.time.Time": 1000n,
  "io.debezium.time.MicroTime": 1_000_000n,
  "io.debezium.time.NanoTime": 1_000_000_000n,
};
const MS_PER_DAY = 86_400_000;

/** A number that is a date or a time by its schema, as columns of such and of text take it; else null. */
export function semanticText(
  value: number | bigint,
  schema: Schema | null,
  column: Column,
): string | null {
  const name = schema?.name ?? "";
  if (!name.startsWith("io.debezium.time.") || column.form === "number") return null;
  if (name === "io.debezium.time.Date") {
    return new Date(Number(value) * MS_PER_DAY).toISOString().slice(0, 10);
  }
  const perSecond = Object.hasOwn(PER_SECOND, name) ? PER_SECOND[name]! : null;
  if (perSecond === null) return null;
  const units = BigInt(value);
  const rest = ((units % perSecond) + perSecond) % perSecond;
  const seconds = (units - rest) / perSecond;
  const digits = String(perSecond).length - 1;
  // Databases know microseconds at most.
  const fraction = `.${String(rest).padStart(digits, "0").slice(0, 6)}`;
  const ms = Number(seconds) * 1000;
  if (name.endsWith("Time")) return `${new Date(ms).toISOString().slice(11, 19)}${fraction}`;
  // These have no zone: what they say is what clocks have shown.
  const text = new Date(ms).toISOString().slice(0, 19);
  if (column.form === "text" || column.form === "other") return `${text}${fraction}Z`;
  return `${text.replace("T", " ")}${fraction}`;
}
