/** Why an application ends, in words, and what to do about it. */
import { asError } from "../../core/as-error.ts";
import { DiskError } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { TaskId } from "../assignor/index.ts";
import { type FailureKind, ProcessingError } from "../task/running-nodes.ts";
import type { StreamsConfig } from "./streams-config.ts";

/** What the disk refuses is for whoever runs the application to see to. */
export function inWords(error: Error, { stateDir }: StreamsConfig): Error {
  if (!(error instanceof DiskError)) return error;
  const whatToDo = "make room there, or set state.dir to a folder that can be written";
  return new OperatorError(`state cannot be kept in ${stateDir}`, error.message, whatToDo);
}

/** Of a task that does not begin again. */
export function lastFailure(id: TaskId, error: Error, config: StreamsConfig): Error {
  const isStep = error instanceof ProcessingError;
  const cause = asError(isStep ? error.cause : error);
  if (cause instanceof DiskError) return inWords(cause, config);
  const step = isStep ? ` in step "${error.node}"` : "";
  const { topic, partition, offset } = (isStep ? error.origin : null) ?? {};
  const at = topic === undefined ? "" : ` at ${topic}-${partition} offset ${offset}`;
  const kind = isStep ? error.kind : "processing";
  return new OperatorError(`task ${id} fails${step}${at}`, cause.message, remedy(kind));
}

function remedy(kind: FailureKind | null): string {
  if (kind === null) return "mend it, or what it reads";
  return `mend it, or leave such records out with --set ${kind}.exception.handler=continue (or dlq)`;
}
