/** Answers in the forms of Connect's REST API. */
import type { ConnectorInfo, ConnectorStatus, StateView, TaskStateView } from "../herder/herder.ts";
import type { PluginEntry } from "../herder/plugin-catalog.ts";

export function infoJson({ name, config, tasks, type }: ConnectorInfo) {
  return { name, config, tasks, type };
}

/** What is not there is left out, as Jackson does it. */
function stateJson({ state, workerId, trace, version }: StateView) {
  return {
    state,
    worker_id: workerId,
    ...(version !== null && { version }),
    ...(trace !== null && { trace }),
  };
}

export function taskStateJson(view: TaskStateView) {
  return { id: view.task, ...stateJson(view) };
}

export function statusJson({ name, connector, tasks, type }: ConnectorStatus) {
  return { name, connector: stateJson(connector), tasks: tasks.map(taskStateJson), type };
}

export function pluginJson({ name, type, version }: PluginEntry) {
  return { class: name, type, version };
}
