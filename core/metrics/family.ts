/** What a metric is: its definition, and how its values are given to whoever prints or sends them. */
import type { Histogram } from "../histogram.ts";

/** Counters only grow; a summary is a sum and a count without quantiles; info is a gauge that is always 1. */
export type MetricType = "counter" | "gauge" | "histogram" | "summary" | "info";

/** Takes the values of a family, one call per combination of label values, given in the family's order. */
export interface MetricSink {
  /** Of a counter, a gauge or an info. */
  value(value: number, ...labels: readonly string[]): void;
  /** Of a summary, in the family's unit. */
  summary(sum: number, count: number, ...labels: readonly string[]): void;
  /** Of a histogram; times a factor that brings what was recorded into the family's unit. */
  histogram(histogram: Histogram, factor: number, ...labels: readonly string[]): void;
}

/** One metric with all its labels, whose values are read off an `S`. */
export interface MetricFamily<S> {
  /** With its unit, without the `_total` of counters and the `_info` of infos. */
  readonly name: string;
  readonly type: MetricType;
  /** The end of the name. */
  readonly unit: "seconds" | "bytes" | null;
  /** A sentence, for people and for OpenTelemetry. */
  readonly help: string;
  readonly labels: readonly string[];
  /** Gives all values. */
  collect(source: S, sink: MetricSink): void;
}

/** Defines a metric: name, sentence, labels, values. The unit is read off the name. */
export function defineMetric(type: MetricType) {
  return <S>(
    name: string,
    help: string,
    labels: readonly string[],
    collect: MetricFamily<S>["collect"],
  ): MetricFamily<S> => ({ name, type, unit: unitOf(name), help, labels, collect });
}

/** Families whose values are read off this source, whatever they are asked with. */
export function readOff<S>(
  families: readonly MetricFamily<S>[],
  source: S,
): MetricFamily<unknown>[] {
  return families.map((family) => ({
    ...family,
    collect: (_any, sink) => family.collect(source, sink),
  }));
}

function unitOf(name: string): MetricFamily<never>["unit"] {
  if (name.endsWith("_seconds")) return "seconds";
  return name.endsWith("_bytes") ? "bytes" : null;
}

/** The name under which values of the family are printed. */
export function sampleName({ name, type }: Pick<MetricFamily<never>, "name" | "type">): string {
  if (type === "counter") return `${name}_total`;
  return type === "info" ? `${name}_info` : name;
}
