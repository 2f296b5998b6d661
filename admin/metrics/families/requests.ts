/** Requests by API, connections by listener. */
import { errorName } from "../../../core/errors.ts";
import { metric, type MetricFamily } from "../family.ts";
import { TIME_BOUNDS_MS } from "../../../core/histogram.ts";

const MS = 1 / 1000;
const API = ["api"];
const LISTENER = ["listener"];

export const requestFamilies: readonly MetricFamily[] = [
  metric.histogram(
    "kstream_request_duration_seconds",
    "From the last bytes of a request to its answer, long polls and waits for replicas included. " +
      `The smallest bucket is ${TIME_BOUNDS_MS[0]} ms.`,
    API,
    ({ broker }, sink) => {
      for (const { name, total } of broker.metrics.apis) sink.histogram(total, MS, name);
    },
  ),
  metric.summary(
    "kstream_request_queue_seconds",
    "Of that, the time before the request began: it waited for others of its connection or for a quota.",
    API,
    ({ broker }, sink) => {
      for (const { name, queueMs, finished } of broker.metrics.apis) {
        sink.summary(queueMs * MS, finished, name);
      }
    },
  ),
  metric.summary(
    "kstream_request_local_seconds",
    "Of that, the time until the handler was done or began to wait: of all requests that never wait, " +
      "and of one in 16 of the others.",
    API,
    ({ broker }, sink) => {
      for (const { name, localMs, localCount } of broker.metrics.apis) {
        sink.summary(localMs * MS, localCount, name);
      }
    },
  ),
  metric.counter(
    "kstream_request_errors",
    "Answers that had an error, by the first in them.",
    ["api", "error"],
    ({ broker }, sink) => {
      for (const { name, errors } of broker.metrics.apis) {
        for (const [code, count] of errors) sink.value(count, name, errorName(code));
      }
    },
  ),
  metric.gauge(
    "kstream_requests_in_flight",
    "Requests that have begun and are not answered: for Fetch those that wait for records, for " +
      "Produce those that wait for disks and replicas.",
    API,
    ({ broker }, sink) => {
      for (const { name, started, finished } of broker.metrics.apis) {
        sink.value(started - finished, name);
      }
    },
  ),
  metric.counter(
    "kstream_request_received_bytes",
    "Bytes of requests.",
    API,
    ({ broker }, sink) => {
      for (const { name, requestBytes } of broker.metrics.apis) sink.value(requestBytes, name);
    },
  ),
  metric.counter(
    "kstream_request_sent_bytes",
    "Bytes of answers.",
    API,
    ({ broker }, sink) => {
      for (const { name, responseBytes } of broker.metrics.apis) sink.value(responseBytes, name);
    },
  ),
];

export const networkFamilies: readonly MetricFamily[] = [
  metric.gauge(
    "kstream_connections",
    "Connections that are open.",
    LISTENER,
    ({ listeners }, sink) => {
      for (const { name, open } of listeners) sink.value(open, name);
    },
  ),
  metric.counter(
    "kstream_connections_accepted",
    "Connections that were taken.",
    LISTENER,
    ({ listeners }, sink) => {
      for (const { name, accepted } of listeners) sink.value(accepted, name);
    },
  ),
  metric.counter(
    "kstream_connections_refused",
    "Connections that were turned away at a limit.",
    LISTENER,
    ({ listeners }, sink) => {
      for (const { name, refused } of listeners) sink.value(refused, name);
    },
  ),
  metric.counter(
    "kstream_network_received_bytes",
    "Bytes that came from clients.",
    LISTENER,
    ({ listeners }, sink) => {
      for (const { name, bytesIn } of listeners) sink.value(bytesIn, name);
    },
  ),
  metric.counter(
    "kstream_network_sent_bytes",
    "Bytes that were given to sockets for clients.",
    LISTENER,
    ({ listeners }, sink) => {
      for (const { name, bytesOut } of listeners) sink.value(bytesOut, name);
    },
  ),
  metric.counter(
    "kstream_throttled_seconds",
    "For how long quotas had clients wait, added up over the connections.",
    LISTENER,
    ({ listeners }, sink) => {
      for (const { name, throttledMs } of listeners) sink.value(throttledMs * MS, name);
    },
  ),
  metric.gauge(
    "kstream_request_memory_used_bytes",
    "Bytes of requests that are held at the moment.",
    [],
    ({ broker }, sink) => {
      sink.value(sum(broker.metrics.network.servers, ({ memory }) => memory.usedBytes));
    },
  ),
  metric.gauge(
    "kstream_request_memory_limit_bytes",
    "Bytes of requests at which connections are not read any more.",
    [],
    ({ broker }, sink) => {
      sink.value(sum(broker.metrics.network.servers, ({ memory }) => memory.limitBytes));
    },
  ),
  metric.gauge(
    "kstream_request_buffers_kept_bytes",
    "Memory of large requests that is kept for later ones.",
    [],
    ({ broker }, sink) => {
      sink.value(sum(broker.metrics.network.servers, ({ buffers }) => buffers.keptBytes));
    },
  ),
  metric.gauge(
    "kstream_fetch_sessions",
    "Incremental fetch sessions (KIP-227).",
    [],
    ({ broker }, sink) => sink.value(broker.fetchSessions.size),
  ),
];

function sum<T>(list: Iterable<T>, value: (item: T) => number): number {
  let total = 0;
  for (const item of list) total += value(item);
  return total;
}
