/**
 * Sends all metrics to an OpenTelemetry collector now and then: OTLP over HTTP, protobuf's JSON. Values
 * are cumulative, so what one request misses the next one has: nothing is queued and nothing tried again.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Histogram } from "../../core/histogram.ts";
import { sleep } from "../../core/io.ts";
import { type MetricFamily, type MetricSink, sampleName } from "../metrics/family.ts";
import { METRICS } from "../metrics/registry.ts";
import { type Scrape, scraperOf } from "../metrics/scrape.ts";
import { Collector } from "./collector.ts";
import { attribute, brokerResource, nanos } from "./encoding.ts";

/** `AGGREGATION_TEMPORALITY_CUMULATIVE`. */
const CUMULATIVE = 2;

/** Sends until the broker stops; resolves then. Never rejects. */
export async function exportMetrics(broker: Broker, version: string): Promise<void> {
  const { io: { clock }, config, stopping } = broker;
  const intervalMs = config.get("kstream.otlp.interval.ms");
  const collector = new Collector(broker, "/v1/metrics", "metrics");
  const scraper = scraperOf(broker, version);
  while (!stopping.aborted) {
    await sleep(clock, intervalMs, stopping).catch(() => {});
    if (stopping.aborted) break;
    const request = otlpRequest(await scraper.scrape(), clock.wallMs());
    await collector.send(JSON.stringify(request), "application/json");
  }
}

/** One `ExportMetricsServiceRequest`. 64-bit integers are texts, as protobuf's JSON has them. */
export function otlpRequest(scrape: Scrape, nowMs: number): object {
  const sink = new OtlpSink(nanos(scrape.startedMs), nanos(nowMs));
  const metrics = METRICS.map((family) => sink.metric(family, scrape))
    .filter(({ hasPoints }) => hasPoints)
    .map(({ metric }) => metric);
  const { broker, version } = scrape;
  const scopeMetrics = [{ scope: { name: "kstream", version }, metrics }];
  return { resourceMetrics: [{ resource: brokerResource(broker, version), scopeMetrics }] };
}

const UNITS = { seconds: "s", bytes: "By" } as const;

class OtlpSink implements MetricSink {
  #labels: readonly string[] = [];
  #points: object[] = [];

  constructor(private readonly startNanos: string, private readonly nowNanos: string) {}

  metric(family: MetricFamily, scrape: Scrape): { metric: object; hasPoints: boolean } {
    this.#labels = family.labels;
    this.#points = [];
    family.collect(scrape, this);
    const metric = {
      name: sampleName(family),
      description: family.help,
      unit: family.unit === null ? "1" : UNITS[family.unit],
      ...this.#data(family),
    };
    return { metric, hasPoints: this.#points.length > 0 };
  }

  value(value: number, ...labels: readonly string[]): void {
    // JSON has no NaN; a value that is not known is no point.
    if (Number.isFinite(value)) this.#points.push({ ...this.#point(labels), asDouble: value });
  }

  summary(sum: number, count: number, ...labels: readonly string[]): void {
    this.#points.push({ ...this.#point(labels), count: String(count), sum, quantileValues: [] });
  }

  histogram(histogram: Histogram, factor: number, ...labels: readonly string[]): void {
    this.#points.push({
      ...this.#point(labels),
      count: String(histogram.count),
      sum: histogram.sum * factor,
      bucketCounts: Array.from(histogram.counts, String),
      explicitBounds: histogram.bounds.map((bound) => Number((bound * factor).toPrecision(9))),
    });
  }

  #data({ type }: MetricFamily): object {
    const dataPoints = this.#points;
    switch (type) {
      case "counter":
        return { sum: { dataPoints, aggregationTemporality: CUMULATIVE, isMonotonic: true } };
      case "histogram":
        return { histogram: { dataPoints, aggregationTemporality: CUMULATIVE } };
      case "summary":
        return { summary: { dataPoints } };
      case "gauge":
      case "info":
        return { gauge: { dataPoints } };
    }
  }

  #point(labels: readonly string[]) {
    return {
      attributes: this.#labels.map((label, index) => attribute(label, labels[index] ?? "")),
      startTimeUnixNano: this.startNanos,
      timeUnixNano: this.nowNanos,
    };
  }
}
