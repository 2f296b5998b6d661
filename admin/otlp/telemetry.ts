/** All that a broker sends to an OpenTelemetry collector. */
import type { Broker } from "../../broker/broker.ts";
import { exportClientMetrics } from "./client-metrics.ts";
import { exportMetrics } from "./metrics.ts";
import { exportTraces } from "./traces.ts";

/** Sends until the broker stops; resolves then. The broker has a collector. Never rejects. */
export async function exportTelemetry(broker: Broker, version: string): Promise<void> {
  const { config, tracing, telemetry: { queue } } = broker;
  const endpoint = config.get("kstream.otlp.endpoint");
  const intervalMs = config.get("kstream.otlp.interval.ms");
  await Promise.all([
    exportMetrics(broker, { endpoint, intervalMs, version }),
    ...queue === null ? [] : [exportClientMetrics(broker, queue, endpoint)],
    ...tracing === null ? [] : [exportTraces(broker, tracing, { endpoint, version })],
  ]);
}
