/** Figures of tasks that run against a whole broker, and what a worker tells Prometheus of them. */
import { expect, test } from "bun:test";
import { metricsText } from "../../core/metrics/text.ts";
import { int, string } from "../config/fields.ts";
import { defineSink, defineSource } from "../connector.ts";
import type { MeasuredTask, MeasuredWorker } from "../herder/measured.ts";
import { WorkerScene } from "../worker/worker.test-helper.ts";
import { CONNECT_METRICS, TASKS_MAX } from "./families.ts";

const counter = defineSource({
  name: "counter",
  version: "1",
  doc: "Counts.",
  config: { topic: string(), to: int() },
  async *read({ config, gauge, clock, signal }) {
    for (let n = 0; n < config.to; n += 10) {
      gauge("distance", config.to - n);
      await clock.sleep(100, signal);
      yield Array.from({ length: 10 }, (_, i) => ({
        topic: config.topic,
        value: n + i === 5 ? "poison" : `${n + i}`,
        sourcePartition: { counter: "only" },
        sourceOffset: { n: n + i + 1 },
      }));
    }
    while (!signal.aborted) await clock.sleep(1000, signal);
  },
});

function worker(tasks: readonly MeasuredTask[]): MeasuredWorker {
  return {
    workerId: "here:8083",
    isLeader: true,
    counts: { rebalances: 2, failures: 1, restarts: 1 },
    connectors: [{
      name: 'odd "name"',
      className: "counter",
      version: "1",
      type: "source",
      state: "RUNNING",
    }],
    tasks,
  };
}

function textOf(measured: MeasuredWorker): string[] {
  return [...metricsText(CONNECT_METRICS, measured, "prometheus")].join("").split("\n");
}

test("a source's and a sink's figures have the names of Connect, and are right", () => {
  let taken = 0;
  const slow = defineSink({
    name: "slow",
    version: "1",
    doc: "Takes its time.",
    config: {},
    open: ({ clock, signal }) => ({
      write: async (records) => {
        await clock.sleep(50, signal);
        taken += records.length;
      },
    }),
  });
  const scene = new WorkerScene({ numbers: 1 }, [counter, slow]);
  scene.run(async () => {
    const common = { topic: "numbers", topics: "numbers", "errors.tolerance": "all" };
    scene.start({ ...common, name: "counts", "connector.class": "counter", to: "1000" });
    scene.start({ ...common, name: "slow", "connector.class": "slow" });
    await scene.until(() => taken === 999);
    const figuresOf = (connector: string) => scene.worker.figures({ connector, task: 0 });
    await scene.until(() => (figuresOf("counts")["offset-commit-max-time-ms"] ?? -1) >= 0);
    const source = figuresOf("counts");
    expect(source).toMatchObject({
      "source-record-poll-total": 1000,
      "source-record-write-total": 999,
      "batch-size-avg": 10,
      "batch-size-max": 10,
      "total-record-errors": 1,
      "total-records-skipped": 1,
      "total-record-failures": 0,
      distance: 10,
    });
    expect(source["poll-batch-avg-time-ms"]).toBeWithin(100, 110);
    expect(source["source-record-poll-rate"]).toBeWithin(50, 101);
    const sink = figuresOf("slow");
    expect(sink).toMatchObject({
      "sink-record-read-total": 999,
      "sink-record-send-total": 999,
      "sink-record-lag-max": 0,
      "partition-count": 1,
    });
    expect(sink["put-batch-avg-time-ms"]).toBeWithin(50, 51);
    const lines = textOf(worker([
      { connector: "counts", task: 0, type: "source", state: "RUNNING", figures: source },
      { connector: "slow", task: 0, type: "sink", state: "RUNNING", figures: sink },
    ]));
    const counts = '{connector="counts",task="0"}';
    for (
      const line of [
        `kafka_connect_source_task_metrics_source_record_poll_total${counts} 1000`,
        `kafka_connect_source_task_metrics_source_record_write_total${counts} 999`,
        `kafka_connect_task_error_metrics_total_records_skipped${counts} 1`,
        'kafka_connect_sink_task_metrics_sink_record_send_total{connector="slow",task="0"} 999',
        'kstream_connect_task_gauge{connector="counts",task="0",name="distance"} 10',
        'kstream_connect_tasks{state="running"} 2',
        "kafka_connect_worker_rebalance_metrics_completed_rebalances_total 2",
        'kafka_connect_connector_metrics_info{connector="odd \\"name\\"",connector_type="source",' +
        'connector_class="counter",connector_version="1",status="running"} 1',
      ]
    ) {
      expect(lines).toContain(line);
    }
    expect(lines.filter((line) => line.includes("NaN") || line.includes("undefined"))).toEqual([]);
  });
});

test("rates forget what is long ago", () => {
  const scene = new WorkerScene({ numbers: 1 }, [counter]);
  scene.run(async () => {
    scene.start({ name: "counts", "connector.class": "counter", topic: "numbers", to: "100" });
    const rate = () =>
      scene.worker.figures({ connector: "counts", task: 0 })["source-record-poll-rate"] ?? 0;
    await scene.until(() => rate() > 50);
    await scene.until(() => rate() === 0);
  });
});

test("however many tasks there are, those told of by name are bounded", () => {
  const tasks = Array.from({ length: TASKS_MAX + 50 }, (_, task): MeasuredTask => ({
    connector: "many",
    task,
    type: "source",
    state: "RUNNING",
    figures: {
      "source-record-poll-total": 2,
      ...Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`gauge-${i}`, i])),
    },
  }));
  const lines = textOf(worker(tasks));
  const polled = lines.filter((line) =>
    line.startsWith("kafka_connect_source_task_metrics_source_record_poll_total{")
  );
  expect(polled.length).toBe(TASKS_MAX + 1);
  expect(polled.at(-1)).toEndWith('{connector="other",task=""} 100');
  expect(lines.filter((line) => line.startsWith("kstream_connect_task_gauge{")).length)
    .toBe(20 * TASKS_MAX);
});
