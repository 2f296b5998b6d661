/**
 * Sends all metrics to an OpenTelemetry collector now and then: OTLP over HTTP, protobuf's JSON. Values
 * are cumulative, so what one request misses the next one has: nothing is queued and nothing tried again.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Histogram } from "../../core/histogram.ts";
import { type Clock, sleep } from "../../core/io.ts";
import { type MetricFamily, type MetricSink, sampleName } from "./family.ts";
import { METRICS } from "./registry.ts";
import { type Scrape, Scraper } from "./scrape.ts";

/** `AGGREGATION_TEMPORALITY_CUMULATIVE`. */
const CUMULATIVE = 2;
/** How long the collector has to answer. */
const TIMEOUT_MS = 10_000;

/** Where metrics go, and how often. */
export interface OtlpOptions {
  /** The collector's base URL, as in OTEL_EXPORTER_OTLP_ENDPOINT: `/v1/metrics` is added. */
  readonly endpoint: string;
  readonly intervalMs: number;
  readonly version: string;
}

/** Sends until the broker stops; resolves then. Never rejects. */
export async function exportMetrics(broker: Broker, options: OtlpOptions): Promise<void> {
  const { io: { clock }, logger, stopping } = broker;
  const url = `${options.endpoint.replace(/\/+$/, "")}/v1/metrics`;
  const scraper = new Scraper(broker, options.version);
  let isFailing = false;
  while (!stopping.aborted) {
    await sleep(clock, options.intervalMs, stopping).catch(() => {});
    if (stopping.aborted) break;
    const problem = await send(clock, url, otlpRequest(await scraper.scrape(), clock.wallMs()));
    if (problem !== null && !isFailing) {
      logger.warn("metrics do not reach the collector; it is tried again", { url, problem });
    } else if (problem === null && isFailing) {
      logger.info("metrics reach the collector again", { url });
    }
    isFailing = problem !== null;
  }
  scraper.close();
}

/** Why it failed, or null. */
async function send(clock: Clock, url: string, body: object): Promise<string | null> {
  const abort = new AbortController();
  const timer = clock.setTimer(TIMEOUT_MS, () => abort.abort(new Error("no answer in time")));
  try {
    const headers = { "content-type": "application/json" };
    const { signal } = abort;
    const answer = await fetch(url, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      signal,
    });
    await answer.body?.cancel();
    return answer.ok ? null : `it answered ${answer.status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    timer.cancel();
  }
}

/** One `ExportMetricsServiceRequest`. 64-bit integers are texts, as protobuf's JSON has them. */
export function otlpRequest(scrape: Scrape, nowMs: number): object {
  const sink = new OtlpSink(nanos(scrape.startedMs), nanos(nowMs));
  const metrics = METRICS.map((family) => sink.metric(family, scrape))
    .filter(({ hasPoints }) => hasPoints)
    .map(({ metric }) => metric);
  const { broker: { clusterId, nodeId }, version } = scrape;
  const attributes = [
    attribute("service.name", "kstream"),
    attribute("service.version", version),
    attribute("service.namespace", clusterId),
    attribute("service.instance.id", String(nodeId)),
  ];
  const scopeMetrics = [{ scope: { name: "kstream", version }, metrics }];
  return { resourceMetrics: [{ resource: { attributes }, scopeMetrics }] };
}

/** Milliseconds as the text of nanoseconds, which no number holds exactly. */
function nanos(ms: number): string {
  return `${BigInt(Math.round(ms * 1000))}000`;
}

function attribute(key: string, value: string) {
  return { key, value: { stringValue: value } };
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
