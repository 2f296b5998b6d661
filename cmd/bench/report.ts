/** What a measurement came to. */
import { count, formatBytes, formatFacts, print, printJson } from "../output.ts";
import type { Histogram } from "./histogram.ts";

/** A measurement. */
export interface Measured {
  readonly records: number;
  readonly bytes: number;
  readonly elapsedMs: number;
  readonly latency: Histogram | null;
  /** Records that were given up. */
  readonly failed: number;
}

/** Prints it. */
export async function report(measured: Measured, json: boolean): Promise<void> {
  const { records, bytes, elapsedMs, latency, failed } = measured;
  const seconds = Math.max(elapsedMs, 0.001) / 1000;
  const rates = { recordsPerSecond: records / seconds, bytesPerSecond: bytes / seconds };
  const summary = latency?.summary() ?? null;
  if (json) {
    return await printJson({ records, bytes, failed, elapsedMs, ...rates, latency: summary });
  }
  const ms = (value: number) => `${value < 10 ? value.toFixed(2) : value.toFixed(1)} ms`;
  await print(formatFacts([
    ["records", `${count(records, "record")} in ${seconds.toFixed(2)} s`],
    ["rate", `${Math.round(rates.recordsPerSecond).toLocaleString("en")} records/s`],
    ["bytes", `${formatBytes(rates.bytesPerSecond)}/s`],
    ...failed > 0 ? [["failed", String(failed)] as const] : [],
    ...summary === null ? [] : [
      ["latency", `mean ${ms(summary.meanMs)}, max ${ms(summary.maxMs)}`] as const,
      ["", `50 % ${ms(summary.p50Ms)}, 90 % ${ms(summary.p90Ms)}`] as const,
      ["", `99 % ${ms(summary.p99Ms)}, 99.9 % ${ms(summary.p999Ms)}`] as const,
    ],
  ]));
}
