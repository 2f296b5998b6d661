/** Metrics on their way to a collector: a strict one of our own, that fails now and then. */
import { expect, test } from "bun:test";
import { bunIo } from "../../core/io/bun/index.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import type { Clock } from "../../core/io.ts";
import { createLogger } from "../../core/logger.ts";
import { deferred } from "../../core/deferred.ts";
import { apiVersions } from "../../core/protocol/18-api-versions.ts";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import { startBroker } from "../../broker/start-broker.ts";
import { RawClient } from "../../tests/harness/raw-client.ts";
import { exportMetrics } from "./metrics.ts";

interface Point {
  readonly attributes: readonly { readonly key: string; readonly value: { stringValue: string } }[];
  readonly startTimeUnixNano: string;
  readonly timeUnixNano: string;
  readonly asDouble?: number;
  readonly count?: string;
  readonly bucketCounts?: readonly string[];
  readonly explicitBounds?: readonly number[];
}

type Kind = "sum" | "gauge" | "histogram" | "summary";
type Metric =
  & { readonly name: string; readonly unit: string }
  & Partial<
    Record<
      Kind,
      { readonly dataPoints: readonly Point[]; readonly aggregationTemporality?: number }
    >
  >;

const KINDS: readonly Kind[] = ["sum", "gauge", "histogram", "summary"];

/** The metrics of a request by name, each checked against what the protocol demands. */
function metricsOf(body: string): Map<string, readonly Point[]> {
  const { resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] } = JSON.parse(body);
  expect(resource.attributes[0]).toEqual({
    key: "service.name",
    value: { stringValue: "kstream" },
  });
  const found = new Map<string, readonly Point[]>();
  for (const metric of metrics as Metric[]) {
    const kinds = KINDS.filter((kind) => metric[kind] !== undefined);
    expect([metric.name, kinds.length]).toEqual([metric.name, 1]);
    const data = metric[kinds[0]!]!;
    const isCumulative = data.aggregationTemporality === 2;
    expect(isCumulative).toBe(kinds[0] === "sum" || kinds[0] === "histogram");
    for (const point of data.dataPoints) {
      expect(point.timeUnixNano).toMatch(/^\d{19}$/);
      expect(BigInt(point.startTimeUnixNano)).toBeLessThanOrEqual(BigInt(point.timeUnixNano));
      if (point.bucketCounts === undefined) continue;
      expect(point.bucketCounts.length).toBe(point.explicitBounds!.length + 1);
      const sum = point.bucketCounts.reduce((total, count) => total + BigInt(count), 0n);
      expect(String(sum)).toBe(point.count!);
    }
    expect(found.has(metric.name)).toBe(false);
    found.set(metric.name, data.dataPoints);
  }
  return found;
}

/** A clock on which the interval is over at once. */
function hurried(clock: Clock): Clock {
  const setTimer: Clock["setTimer"] = (delayMs, callback) =>
    clock.setTimer(delayMs === 60_000 ? 1 : delayMs, callback);
  return { ...clock, setTimer };
}

test("a collector gets all metrics again and again, and one that fails is said once", async () => {
  const bodies: string[] = [];
  const enough = deferred<void>();
  let answers = 0;
  const collector = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      expect([request.method, new URL(request.url).pathname]).toEqual(["POST", "/v1/metrics"]);
      expect(request.headers.get("content-type")).toBe("application/json");
      const body = await request.text();
      if (++answers <= 2) return new Response("busy", { status: 503 });
      bodies.push(body);
      if (bodies.length === 2) enough.resolve();
      return Response.json({});
    },
  });
  const lines: string[] = [];
  const io = { ...bunIo(), disk: new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 26 }) };
  const logger = createLogger({
    level: "info",
    format: "text",
    wallMs: () => 0,
    write: (line) => lines.push(line),
  });
  const running = await startBroker({
    io: { ...io, clock: hurried(io.clock) },
    logger,
    dataDir: "/data",
    config: BrokerConfig.of({ "kstream.otlp.endpoint": `http://127.0.0.1:${collector.port}/` }),
  });
  const client = await RawClient.connect(running.port);
  await client.request(apiVersions, 3, {});
  const exporting = exportMetrics(running.broker, "1.2.3");
  await enough.promise;
  client.close();
  await running.stop();
  await exporting;
  await collector.stop(true);
  const points = metricsOf(bodies[1]!);
  expect(points.get("kstream_connections_accepted_total")?.[0]?.asDouble).toBe(1);
  expect(points.get("kstream_request_duration_seconds")?.[0]).toMatchObject({
    attributes: [{ key: "api", value: { stringValue: "ApiVersions" } }],
    count: "1",
  });
  expect(points.get("kstream_build_info")?.length).toBe(1);
  expect(lines.filter((line) => line.includes("do not reach")).length).toBe(1);
  expect(lines.filter((line) => line.includes("again")).length).toBe(2);
});
