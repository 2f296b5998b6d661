/** `kstream connect list` and `status`: what connectors there are and how they do. */
import type { z } from "zod";
import { OperatorError } from "../../core/operator-error.ts";
import { formatFacts, formatTable, print, printJson } from "../output.ts";
import { expandedAnswer, figuresAnswer, statusAnswer, worstState } from "./answers.ts";
import { askWorker, pathOf, read } from "./rest-client.ts";
import type { WorkerOptions } from "./rest-client.ts";

interface ShowOptions extends WorkerOptions {
  readonly json?: true;
}

/** One line for each connector. */
export async function listConnectors(options: ShowOptions): Promise<void> {
  const path = "/connectors?expand=status&expand=info";
  const all = read(expandedAnswer, await askWorker(options, { method: "GET", path }), path);
  if (options.json) return await printJson(all);
  const rows = Object.entries(all).flatMap(([name, { status, info }]) =>
    status === undefined ? [] : [{ name, status, info }]
  ).sort((a, b) => a.name < b.name ? -1 : 1);
  await print(formatTable(rows, [
    { title: "CONNECTOR", cell: ({ name }) => name },
    { title: "STATE", cell: ({ status }) => worstState(status) },
    { title: "TASKS", cell: ({ status }) => tasksOf(status) },
    { title: "KIND", cell: ({ status }) => status.type ?? "" },
    { title: "CLASS", cell: ({ info }) => info?.config["connector.class"] ?? "" },
  ]));
}

/** `2/3`: so many of them run. */
function tasksOf({ tasks }: { tasks: readonly { state: string }[] }): string {
  return `${tasks.filter(({ state }) => state === "RUNNING").length}/${tasks.length}`;
}

type TaskFigures = z.infer<typeof figuresAnswer>["tasks"][number];

/** Of its tasks on all workers; of a worker that is not ours none. */
async function figuresOf(name: string, options: ShowOptions): Promise<readonly TaskFigures[]> {
  const path = `/admin/figures?scope=cluster&connector=${encodeURIComponent(name)}`;
  const answer = await askWorker(options, { method: "GET", path }, [404, 405]);
  return figuresAnswer.safeParse(answer.json).data?.tasks ?? [];
}

/** What a task does: `120.5 records/s, 30 behind, 2 left out`, and gauges of its connector. */
function doings(task: TaskFigures | undefined): string[] {
  if (task === undefined) return [];
  const { figures, gauges } = task;
  const rate = figures["source-record-write-rate"] ?? figures["sink-record-send-rate"];
  const behind = figures["sink-record-lag-max"];
  const blockedMs = figures["sink-write-blocked-ms"] ?? 0;
  const skipped = figures["total-records-skipped"] ?? 0;
  return [
    ...(rate === undefined ? [] : [`${short(rate)} records/s`]),
    ...(behind === undefined ? [] : [`${behind} behind`]),
    ...(blockedMs === 0 ? [] : [`its target takes nothing for ${short(blockedMs / 1000)} s`]),
    ...(skipped === 0 ? [] : [`${skipped} left out`]),
    ...Object.entries(gauges).map(([gauge, value]) => `${gauge} ${short(value)}`),
  ];
}

function short(value: number): string {
  return String(Number(value.toFixed(1)));
}

/** Connector and tasks, with what has failed. Exit code 1 where anything has. */
export async function connectorStatus(name: string, options: ShowOptions): Promise<void> {
  const path = pathOf(name, "/status");
  const status = read(statusAnswer, await askWorker(options, { method: "GET", path }), path);
  const figures = await figuresOf(name, options);
  if (options.json) return await printJson({ ...status, figures });
  await print(formatFacts([
    ["connector", status.name],
    ["kind", status.type ?? ""],
    ["state", `${status.connector.state} at ${status.connector.worker_id}`],
    ...status.tasks.map(({ id, state, worker_id }): [string, string] => [
      `task ${id}`,
      [`${state} at ${worker_id}`, ...doings(figures.find((one) => one.id === id))].join(", "),
    ]),
  ]));
  const failed = [status.connector, ...status.tasks].flatMap(({ trace }) => trace ?? []);
  for (const trace of failed) await print(`\n${trace.trimEnd()}\n`);
  if (worstState(status) !== "FAILED") return;
  const hint = `when it is mended: kstream connect restart ${name} --tasks --only-failed`;
  throw new OperatorError(`connector "${name}" has failed`, "", hint);
}
