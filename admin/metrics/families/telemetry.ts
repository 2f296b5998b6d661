/** What is sent to an OpenTelemetry collector besides these metrics. */
import { metric, type MetricFamily } from "../family.ts";

export const telemetryFamilies: readonly MetricFamily[] = [
  metric.counter(
    "kstream_telemetry_pushes_exported",
    "Pushes of clients' metrics (KIP-714) that the collector has taken.",
    [],
    ({ broker: { telemetry: { queue } } }, sink) => {
      if (queue !== null) sink.value(queue.exported);
    },
  ),
  metric.counter(
    "kstream_telemetry_pushes_dropped",
    "Pushes that it has not taken: there was no room for more that wait (queue), or it refused them " +
      "(refused).",
    ["reason"],
    ({ broker: { telemetry: { queue } } }, sink) => {
      if (queue === null) return;
      sink.value(queue.dropped, "queue");
      sink.value(queue.refused, "refused");
    },
  ),
  metric.counter(
    "kstream_spans_exported",
    "Spans that the collector has taken.",
    [],
    ({ broker: { tracing } }, sink) => {
      if (tracing !== null) sink.value(tracing.exported);
    },
  ),
  metric.counter(
    "kstream_spans_dropped",
    "Spans that it has not taken: there was no room for more that wait (queue), or it refused them " +
      "(refused).",
    ["reason"],
    ({ broker: { tracing } }, sink) => {
      if (tracing === null) return;
      sink.value(tracing.dropped, "queue");
      sink.value(tracing.refused, "refused");
    },
  ),
  metric.gauge(
    "kstream_spans_waiting",
    "Spans that wait to be sent.",
    [],
    ({ broker: { tracing } }, sink) => {
      if (tracing !== null) sink.value(tracing.waitingCount);
    },
  ),
  metric.counter(
    "kstream_trace_batches_skipped",
    "Batches in which no traces were looked for, since that had taken too much time of late (busy) or " +
      "they are compressed and large (large), and those of which further records are not told of " +
      "(many).",
    ["reason"],
    ({ broker: { tracing } }, sink) => {
      if (tracing === null) return;
      for (const [reason, count] of Object.entries(tracing.skipped)) sink.value(count, reason);
    },
  ),
];
