/** Pushes of clients on their way to a collector: in one request, alone where one is bad, again later. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { metricsData } from "../../broker/client-metrics/metrics-data.test-helper.ts";
import { readMetrics } from "../../broker/client-metrics/pushed-metrics.ts";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import { startBroker } from "../../broker/start-broker.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { silentLogger } from "../../core/logger.ts";
import { type Collected, FakeCollector } from "./collector.test-helper.ts";
import { exportTelemetry } from "./telemetry.ts";

let collector: FakeCollector;
beforeEach(() => {
  collector = new FakeCollector();
});
afterEach(() => collector.stop());

function namesIn({ body, contentType }: Collected): string[] {
  expect(contentType).toBe("application/x-protobuf");
  return readMetrics(body).map(({ name }) => name);
}

test("pushes go on together, a bad one alone is refused, and busy collectors get all later", async () => {
  const io = { ...bunIo(), disk: new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 26 }) };
  const config = BrokerConfig.of({ "kstream.otlp.endpoint": collector.endpoint });
  const running = await startBroker({ io, logger: silentLogger, dataDir: "/data", config });
  const { queue } = running.broker.telemetry;
  let isBusy = true;
  collector.answering = (request) => {
    if (isBusy) return new Response(null, { status: 503 });
    return namesIn(request).includes("bad") ? new Response(null, { status: 400 }) : null;
  };
  for (const name of ["one", "bad", "two"]) queue!.add(metricsData([{ name }]));
  const exporting = exportTelemetry(running.broker, "1");
  await collector.until(() => collector.count > 0);
  isBusy = false;
  await collector.until(() => collector.taken.length === 2);
  expect(collector.taken.map(namesIn)).toEqual([["one"], ["two"]]);
  queue!.add(metricsData([{ name: "three" }]));
  queue!.add(metricsData([{ name: "four" }]));
  // What is left goes when the broker stops.
  await running.stop();
  await exporting;
  expect(collector.taken.slice(2).map(namesIn)).toEqual([["three", "four"]]);
  expect(queue).toMatchObject({ exported: 4, refused: 1, dropped: 0 });
});
