/** `kstream connect list` and `status`: what connectors there are and how they do. */
import { OperatorError } from "../../core/operator-error.ts";
import { formatFacts, formatTable, print, printJson } from "../output.ts";
import { expandedAnswer, statusAnswer, worstState } from "./answers.ts";
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

/** Connector and tasks, with what has failed. Exit code 1 where anything has. */
export async function connectorStatus(name: string, options: ShowOptions): Promise<void> {
  const path = pathOf(name, "/status");
  const status = read(statusAnswer, await askWorker(options, { method: "GET", path }), path);
  if (options.json) return await printJson(status);
  await print(formatFacts([
    ["connector", status.name],
    ["kind", status.type ?? ""],
    ["state", `${status.connector.state} at ${status.connector.worker_id}`],
    ...status.tasks.map(({ id, state, worker_id }): [string, string] => [
      `task ${id}`,
      `${state} at ${worker_id}`,
    ]),
  ]));
  const failed = [status.connector, ...status.tasks].flatMap(({ trace }) => trace ?? []);
  for (const trace of failed) await print(`\n${trace.trimEnd()}\n`);
  if (worstState(status) !== "FAILED") return;
  const hint = `when it is mended: kstream connect restart ${name} --tasks --only-failed`;
  throw new OperatorError(`connector "${name}" has failed`, "", hint);
}
