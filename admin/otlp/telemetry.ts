/** All that a broker sends to an OpenTelemetry collector. */
import type { Broker } from "../../broker/broker.ts";
import { exportClientMetrics } from "./client-metrics.ts";
import { exportMetrics } from "./metrics.ts";
import { exportTraces } from "./traces.ts";

/** Sends until the broker stops; resolves then. The broker has a collector. Never rejects. */
export async function exportTelemetry(broker: Broker, version: string): Promise<void> {
  const { tracing, telemetry: { queue } } = broker;
  await Promise.all([
    exportMetrics(broker, version),
    ...queue === null ? [] : [exportClientMetrics(broker, queue)],
    ...tracing === null ? [] : [exportTraces(broker, tracing, version)],
  ]);
}
