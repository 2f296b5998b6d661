/** The process: who it is, what it takes, how late its event loop is. */
import { metric, type MetricFamily } from "../family.ts";
import type { ProcessState } from "../../../core/io/process-state.ts";

function own(value: (state: ProcessState) => number): MetricFamily["collect"] {
  return ({ process }, sink) => sink.value(value(process));
}

export const processFamilies: readonly MetricFamily[] = [
  metric.info(
    "kstream_build",
    "Who this is: version, runtime, cluster and node.",
    ["version", "bun", "cluster_id", "node_id"],
    ({ version, broker }, sink) => {
      const { clusterId, nodeId } = broker;
      sink.value(1, version, process.versions["bun"] ?? "", clusterId, String(nodeId));
    },
  ),
  metric.gauge(
    "process_start_time_seconds",
    "When the process was started, since 1970.",
    [],
    ({ startedMs }, sink) => sink.value(startedMs / 1000),
  ),
  metric.counter(
    "process_cpu_seconds",
    "Processor time of the process, all threads.",
    [],
    own(({ cpuUserSeconds, cpuSystemSeconds }) => cpuUserSeconds + cpuSystemSeconds),
  ),
  metric.counter(
    "kstream_process_cpu_mode_seconds",
    "Processor time of the process by mode.",
    ["mode"],
    ({ process: { cpuUserSeconds, cpuSystemSeconds } }, sink) => {
      sink.value(cpuUserSeconds, "user");
      sink.value(cpuSystemSeconds, "system");
    },
  ),
  metric.gauge(
    "process_resident_memory_bytes",
    "Memory of the process that is not swapped out.",
    [],
    own(({ residentBytes }) => residentBytes),
  ),
  metric.gauge(
    "process_open_fds",
    "Open files and sockets; −1 where the system does not tell.",
    [],
    own(({ openFiles }) => openFiles),
  ),
  metric.gauge(
    "kstream_heap_used_bytes",
    "JavaScript objects, those included that are garbage already.",
    [],
    own(({ heapUsedBytes }) => heapUsedBytes),
  ),
  metric.gauge(
    "kstream_heap_size_bytes",
    "Memory of JavaScript's heap.",
    [],
    own(({ heapTotalBytes }) => heapTotalBytes),
  ),
  metric.gauge(
    "kstream_external_memory_bytes",
    "Memory outside of the heap that objects in it hold, as buffers do.",
    [],
    own(({ externalBytes }) => externalBytes),
  ),
  metric.counter(
    "kstream_context_switches",
    "How often the process was switched to or away from, by itself or by the system.",
    [],
    own(({ contextSwitches }) => contextSwitches),
  ),
  metric.histogram(
    "kstream_event_loop_delay_seconds",
    "How late the event loop comes to a timer, twice a second: everything waits for so long, garbage " +
      "collections included.",
    [],
    ({ broker }, sink) => sink.histogram(broker.metrics.process.delays, 1 / 1000),
  ),
  metric.summary(
    "kstream_gc_seconds",
    "Garbage collections and how long they took: of young objects alone, and full ones, which go on " +
      "partly beside the event loop.",
    ["kind"],
    ({ broker }, sink) => {
      const { young, full } = broker.metrics.process.collections;
      sink.summary(young.seconds, young.count, "young");
      sink.summary(full.seconds, full.count, "full");
    },
  ),
  metric.summary(
    "kstream_scrape_seconds",
    "How long it took to gather the metrics, of the answers before this one.",
    [],
    ({ scrapes }, sink) => sink.summary(scrapes.totalMs / 1000, scrapes.count),
  ),
];
