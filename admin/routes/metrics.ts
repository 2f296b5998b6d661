/**
 * `GET /metrics`: what the broker counts, for Prometheus, as text 0.0.4 or OpenMetrics by Accept;
 * `?aliases=1` adds the names of other exporters; with connectors in this process what they do as well. `GET /metrics/detail`: each partition, each partition
 * of each group. `GET /metrics/clients`: what clients push of themselves (KIP-714). `docs/metrics.md`
 * lists the names.
 */
import { type Clock, sleep } from "../../core/io.ts";
import { DETAIL_METRICS } from "../metrics/detail.ts";
import { ALIASES, DETAIL_ALIASES } from "../metrics/aliases.ts";
import { clientFamilies } from "../metrics/client-metrics.ts";
import { METRICS } from "../metrics/registry.ts";
import { scraperOf } from "../metrics/scrape.ts";
import { createRoute, newRoutes, streamed, z } from "../openapi.ts";
import type { AdminServices } from "../services.ts";
import { metricsText, TEXT_FORMATS, textFormatFor } from "../../core/metrics/text.ts";

/** Characters of text that are made in one turn of the event loop. */
const PIECE_CHARS = 64 * 1024;

const TEXT = streamed({
  "text/plain": z.string().describe("Prometheus' format 0.0.4"),
  "application/openmetrics-text": z.string().describe("OpenMetrics 1.0, by Accept"),
}, "The metrics");
// Scrapers may be set up to send more than this: that is theirs.
const QUERY = z.object({
  aliases: z.string().optional().describe("1: also under the names of other exporters"),
});
const tags = ["metrics"];
const METRICS_ROUTE = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "getMetrics",
  tags,
  summary: "What this broker counts, for Prometheus",
  request: { query: QUERY },
  responses: { 200: TEXT },
});
const DETAIL_ROUTE = createRoute({
  method: "get",
  path: "/metrics/detail",
  operationId: "getMetricsDetail",
  tags,
  summary: "Each partition, and each partition of each group",
  request: { query: QUERY },
  responses: { 200: TEXT },
});
const CLIENTS_ROUTE = createRoute({
  method: "get",
  path: "/metrics/clients",
  operationId: "getMetricsOfClients",
  tags,
  summary: "What clients push of themselves (KIP-714), the latest of each",
  responses: { 200: TEXT },
});

export function metricRoutes({ broker, version, connect }: AdminServices) {
  const scraper = scraperOf(broker, version);
  return newRoutes()
    .openapi(METRICS_ROUTE, async ({ req, body }) => {
      const format = textFormatFor(req.header("accept") ?? "");
      const aliases = req.valid("query").aliases === "1" ? ALIASES : [];
      const families = [...METRICS, ...aliases, ...connect?.metrics?.() ?? []];
      const text = [...metricsText(families, await scraper.scrape(), format)].join("");
      return body(text, 200, { "content-type": TEXT_FORMATS[format] });
    })
    .openapi(CLIENTS_ROUTE, async ({ req, body }) => {
      const format = textFormatFor(req.header("accept") ?? "");
      const pieces = metricsText(await clientFamilies(broker), undefined, format, PIECE_CHARS);
      return body(streamOf(pieces, broker.io.clock), 200, { "content-type": TEXT_FORMATS[format] });
    })
    .openapi(DETAIL_ROUTE, async ({ req, body }) => {
      const format = textFormatFor(req.header("accept") ?? "");
      const families = req.valid("query").aliases === "1"
        ? [...DETAIL_METRICS, ...DETAIL_ALIASES]
        : DETAIL_METRICS;
      const pieces = metricsText(families, await scraper.scrape(true), format, PIECE_CHARS);
      return body(streamOf(pieces, broker.io.clock), 200, { "content-type": TEXT_FORMATS[format] });
    });
}

/** One piece as the reader takes it. */
function streamOf(pieces: Iterator<string>, clock: Clock): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = pieces.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
      await sleep(clock, 0);
    },
  });
}
