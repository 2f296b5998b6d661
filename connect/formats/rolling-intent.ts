/**
 * What a sink of objects commits before it makes a generation visible: where that ends, and what its
 * names are made of. Whoever has the partition next begins at its first record, ends it there and by
 * these names, so that it makes the same objects again, whatever its own settings are by then.
 */
import { FieldError } from "../index.ts";
import { rollingSettings } from "./rolling-settings.ts";
import type { RollingConfig, RollingSettings } from "./rolling-settings.ts";

/** Brokers take 4096 bytes with an offset. */
const TEXT_BYTES_MAX = 4000;
const NAMING = ["format", "compression", "path.format", "timestamp.field"] as const;

/** A generation that may be visible in part. */
export interface Intent {
  /** Offset behind its last record. */
  readonly until: bigint;
  /** By which it is made again. */
  readonly settings: RollingSettings;
  /** To be committed on and on until it is done. */
  readonly text: string;
}

/** What is committed before a generation that ends at `until`. */
export function intentText(config: RollingConfig, prefix: string, until: bigint): string {
  const naming = Object.fromEntries(NAMING.map((name) => [name, config[name]]));
  return JSON.stringify({ until: String(until), prefix, ...naming });
}

/** Whether brokers would take it with an offset. */
export function isTooLong(config: RollingConfig, prefix: string): boolean {
  const text = intentText(config, prefix, 2n ** 63n);
  return new TextEncoder().encode(text).length > TEXT_BYTES_MAX;
}

/** What somebody has committed, with the settings of `config` where it says nothing; null: it is none. */
export function parseIntent(text: string, config: RollingConfig): Intent | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof parsed !== "object" || parsed === null) return null;
  const said = new Map<string, unknown>(Object.entries(parsed));
  const [until, prefix] = [said.get("until"), said.get("prefix")];
  if (typeof until !== "string" || !/^\d{1,19}$/.test(until)) return null;
  if (typeof prefix !== "string") return null;
  const naming = namingOf(said);
  if (naming === null) return null;
  try {
    const settings = rollingSettings({ ...config, ...naming }, {
      closesWhenLeaving: false,
      prefix,
    });
    return { until: BigInt(until), settings, text };
  } catch (error) {
    if (error instanceof FieldError) return null;
    throw error;
  }
}

function namingOf(
  said: ReadonlyMap<string, unknown>,
): Pick<RollingConfig, typeof NAMING[number]> | null {
  const format = (["jsonl", "csv", "parquet", "lines"] as const)
    .find((each) => each === said.get("format"));
  const compression = (["none", "gzip", "zstd", "snappy"] as const)
    .find((each) => each === said.get("compression"));
  const [path, field] = [said.get("path.format"), said.get("timestamp.field")];
  if (format === undefined || compression === undefined || typeof path !== "string") return null;
  if (field !== null && typeof field !== "string") return null;
  return { format, compression, "path.format": path, "timestamp.field": field };
}
