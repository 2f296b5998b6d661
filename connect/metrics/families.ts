/** What a worker tells Prometheus: Kafka Connect's metrics by their names in JMX, and ours besides. */
import { defineMetric, type MetricFamily, type MetricSink } from "../../core/metrics/family.ts";
import type { MeasuredTask, MeasuredWorker } from "../herder/measured.ts";

/** Tasks beyond so many are added up, as `other`: an answer stays small whatever there is. */
export const TASKS_MAX = 1000;
/** Gauges of a task's connector beyond so many are left out. */
const GAUGES_MAX = 20;

type Family = MetricFamily<MeasuredWorker>;
const counter = defineMetric("counter");
const gauge = defineMetric("gauge");
const info = defineMetric("info");

/** Which tasks have it. */
type Kind = "source" | "sink" | "any";

interface TaskFigure {
  /** Of the figure, as JMX has it. */
  readonly figure: string;
  readonly kind: Kind;
  /** The `type` of JMX, with `-metrics` behind it. */
  readonly group: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
}

function figures(
  group: string,
  kind: Kind,
  all: Readonly<Record<string, string>>,
): TaskFigure[] {
  return Object.entries(all).map(([figure, help]) => ({
    figure,
    kind,
    group,
    type: figure.endsWith("-total") ? "counter" : "gauge",
    help,
  }));
}

const TASK_FIGURES: readonly TaskFigure[] = [
  ...figures("source-task", "source", {
    "source-record-poll-total": "Records that the source has read.",
    "source-record-poll-rate": "Records a second that it reads, over 30 to 60 s.",
    "source-record-write-total": "Records that are in the topic.",
    "source-record-write-rate": "Records a second that come to be there, over 30 to 60 s.",
    "source-record-active-batches": "Batches that are read and not acknowledged yet.",
    "poll-batch-avg-time-ms": "How long the source took for a batch, waiting included.",
    "poll-batch-max-time-ms": "How long it took at most.",
    "transaction-total": "Transactions that were committed, with exactly-once.",
  }),
  ...figures("sink-task", "sink", {
    "sink-record-read-total": "Records that were read of the topics.",
    "sink-record-send-total": "Records that the sink has taken.",
    "sink-record-send-rate": "Records a second that it takes, over 30 to 60 s.",
    "sink-record-lag-max":
      "Records behind what was fetched last, of the partition that is furthest behind.",
    "sink-write-retries-total":
      "Batches that the sink was given again, as its target was not there.",
    "sink-write-blocked-ms":
      "How long its target has not taken what the sink was given, for it is tried again; 0: it does.",
    "partition-count": "Partitions that the task has.",
    "put-batch-avg-time-ms": "How long the sink took for a batch.",
    "put-batch-max-time-ms": "How long it took at most.",
    "flush-avg-time-ms": "How long it took to make safe what it had taken.",
    "flush-max-time-ms": "How long that took at most.",
    "offset-commit-completion-total": "Commits of offsets that were made.",
  }),
  ...figures("connector-task", "any", {
    "batch-size-avg": "Records of a batch.",
    "batch-size-max": "Records of the largest batch.",
    "offset-commit-avg-time-ms": "How long it took to store offsets.",
    "offset-commit-max-time-ms": "How long that took at most.",
  }),
  ...figures("task-error", "any", {
    "total-record-errors": "Records that could not go on.",
    "total-record-failures": "Of those, records that have failed the task.",
    "total-records-skipped": "Of those, records that were left out.",
    "total-retries": "Attempts with records that were made again.",
    "deadletterqueue-produce-requests": "Records that have gone to the dead letters.",
    "last-error-timestamp":
      "When a record could not go on last, milliseconds since 1970; 0: never.",
  }),
];

const KNOWN = new Set(TASK_FIGURES.map(({ figure }) => figure));

/** Figures of a task that are gauges of its connector. */
export function connectorGauges({ figures: all }: MeasuredTask): [name: string, value: number][] {
  return Object.entries(all).filter(([name]) => !KNOWN.has(name) && !/-(total|rate)$/.test(name))
    .slice(0, GAUGES_MAX);
}

function taskFamily({ figure, kind, group, type, help }: TaskFigure): Family {
  const base = `kafka_connect_${group}_metrics_${figure}`.replaceAll("-", "_");
  const define = type === "counter" ? counter : gauge;
  return define<MeasuredWorker>(
    base.replace(/_total$/, ""),
    help,
    ["connector", "task"],
    ({ tasks }, sink) => {
      const own = tasks.filter((task) => kind === "any" || task.type === kind);
      bounded(own, sink, ({ figures: all }) => all[figure] ?? null);
    },
  );
}

function bounded(
  tasks: readonly MeasuredTask[],
  sink: MetricSink,
  valueOf: (task: MeasuredTask) => number | null,
): void {
  let rest: number | null = null;
  for (const [at, task] of tasks.entries()) {
    const value = valueOf(task);
    if (value === null) continue;
    if (at < TASKS_MAX) sink.value(value, task.connector, String(task.task));
    else rest = (rest ?? 0) + value;
  }
  if (rest !== null) sink.value(rest, "other", "");
}

const workerFamilies: readonly Family[] = [
  gauge(
    "kafka_connect_worker_metrics_connector_count",
    "Connectors of this worker.",
    [],
    ({ connectors }, sink) => sink.value(connectors.length),
  ),
  gauge(
    "kafka_connect_worker_metrics_task_count",
    "Tasks of this worker.",
    [],
    ({ tasks }, sink) => sink.value(tasks.length),
  ),
  counter(
    "kafka_connect_worker_rebalance_metrics_completed_rebalances",
    "How often this worker was told what it has.",
    [],
    ({ counts }, sink) => sink.value(counts.rebalances),
  ),
  gauge(
    "kstream_connect_leader",
    "Whether this worker leads its group: 1 or 0.",
    [],
    ({ isLeader }, sink) => sink.value(isLeader ? 1 : 0),
  ),
  counter(
    "kstream_connect_failures",
    "How often a connector or a task of this worker has failed.",
    [],
    ({ counts }, sink) => sink.value(counts.failures),
  ),
  counter(
    "kstream_connect_restarts",
    "How often this worker has begun again what had failed.",
    [],
    ({ counts }, sink) => sink.value(counts.restarts),
  ),
];

const connectorFamilies: readonly Family[] = [
  info(
    "kafka_connect_connector_metrics",
    "Connectors of this worker: what they are, and their state.",
    ["connector", "connector_type", "connector_class", "connector_version", "status"],
    ({ connectors }, sink) => {
      for (const { name, type, className, version, state } of connectors.slice(0, TASKS_MAX)) {
        sink.value(1, name, type, className, version, state.toLowerCase());
      }
    },
  ),
  info(
    "kafka_connect_connector_task_metrics",
    "Tasks of this worker, and their state.",
    ["connector", "task", "status"],
    ({ tasks }, sink) => {
      for (const { connector, task, state } of tasks.slice(0, TASKS_MAX)) {
        sink.value(1, connector, String(task), state.toLowerCase());
      }
    },
  ),
  gauge(
    "kstream_connect_tasks",
    "Tasks of this worker by their state.",
    ["state"],
    ({ tasks }, sink) => {
      for (const state of ["RUNNING", "PAUSED", "FAILED", "UNASSIGNED", "RESTARTING"]) {
        const count = tasks.filter((task) => task.state === state).length;
        sink.value(count, state.toLowerCase());
      }
    },
  ),
];

const gaugeFamilies: readonly Family[] = [
  gauge(
    "kstream_connect_task_gauge",
    "What a connector measures itself, by its own name for it: connectors.md says what. " +
      `${GAUGES_MAX} of a task at most.`,
    ["connector", "task", "name"],
    ({ tasks }, sink) => {
      for (const task of tasks.slice(0, TASKS_MAX)) {
        for (const [name, value] of connectorGauges(task)) {
          sink.value(value, task.connector, String(task.task), name);
        }
      }
    },
  ),
];

/** Parts of what a worker tells, with what each is about. */
export const CONNECT_SECTIONS: readonly {
  readonly title: string;
  readonly families: readonly Family[];
}[] = [
  { title: "A worker", families: workerFamilies },
  { title: "Connectors and tasks", families: connectorFamilies },
  { title: "What tasks do", families: [...TASK_FIGURES.map(taskFamily), ...gaugeFamilies] },
];

/** All of them. */
export const CONNECT_METRICS: readonly Family[] = CONNECT_SECTIONS.flatMap((one) => one.families);
