/** Commands that change connectors: pause, resume, stop, restart, delete, offsets. */
import { readFile } from "node:fs/promises";
import { OperatorError } from "../../core/operator-error.ts";
import { throwFailures } from "../admin-command.ts";
import { count, print, printJson } from "../output.ts";
import { reasonOf } from "../reason.ts";
import { say } from "../terminal.ts";
import { messageAnswer, offsetsAnswer } from "./answers.ts";
import { askWorker, pathOf, read } from "./rest-client.ts";
import type { WorkerOptions, WorkerRequest } from "./rest-client.ts";

/** Does one thing to each; what fails does not keep the others from it. */
async function forEach(
  names: readonly string[],
  options: WorkerOptions,
  request: (name: string) => WorkerRequest,
  done: string,
): Promise<void> {
  const failures: unknown[] = [];
  for (const name of names) {
    try {
      await askWorker(options, request(name));
      say(`${name}: ${done}`);
    } catch (error) {
      if (!(error instanceof OperatorError) || error.exitCode === 3) throw error;
      failures.push(error);
    }
  }
  throwFailures(failures);
}

const PAST = { pause: "is to pause", resume: "is to run", stop: "is to stop" } as const;

/** Sets what connectors are to do. */
export function setState(
  verb: keyof typeof PAST,
  names: readonly string[],
  options: WorkerOptions,
): Promise<void> {
  const request = (name: string): WorkerRequest => ({
    method: "PUT",
    path: pathOf(name, `/${verb}`),
  });
  return forEach(names, options, request, PAST[verb]);
}

/** Begins connectors again, and their tasks if asked. */
export function restartConnectors(
  names: readonly string[],
  options: WorkerOptions & { readonly tasks?: true; readonly onlyFailed?: true },
): Promise<void> {
  const query = `includeTasks=${options.tasks === true}&onlyFailed=${options.onlyFailed === true}`;
  const request = (name: string): WorkerRequest => ({
    method: "POST",
    path: pathOf(name, `/restart?${query}`),
  });
  return forEach(names, options, request, "begins again");
}

/** Deletes connectors. Their offsets stay: `offsets reset` comes before. */
export function deleteConnectors(names: readonly string[], options: WorkerOptions): Promise<void> {
  const request = (name: string): WorkerRequest => ({ method: "DELETE", path: pathOf(name) });
  return forEach(names, options, request, "is deleted");
}

/** Where a connector has come to, as JSON that `offsets set` takes. */
export async function getOffsets(name: string, options: WorkerOptions): Promise<void> {
  const path = pathOf(name, "/offsets");
  await printJson(read(offsetsAnswer, await askWorker(options, { method: "GET", path }), path));
}

/** Sets offsets of a stopped connector from a file, or from standard input. */
export async function setOffsets(
  name: string,
  file: string,
  options: WorkerOptions,
): Promise<void> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(file === "-" ? await Bun.stdin.text() : await readFile(file, "utf8"));
  } catch (error) {
    throw new OperatorError(`cannot read offsets of ${file}`, reasonOf(error), "", 2);
  }
  const offsets = offsetsAnswer.safeParse(parsed);
  if (!offsets.success) {
    const form = 'write what "kstream connect offsets get" prints';
    throw new OperatorError(`${file} has no offsets`, "", form, 2);
  }
  const request: WorkerRequest = {
    method: "PATCH",
    path: pathOf(name, "/offsets"),
    body: offsets.data,
  };
  await tell(options, request);
  say(`${name}: ${count(offsets.data.offsets.length, "offset")} set`);
}

/** Forgets all offsets of a stopped connector. */
export async function resetOffsets(name: string, options: WorkerOptions): Promise<void> {
  await tell(options, { method: "DELETE", path: pathOf(name, "/offsets") });
}

async function tell(options: WorkerOptions, request: WorkerRequest): Promise<void> {
  const answer = await askWorker(options, request);
  const said = messageAnswer.safeParse(answer.json);
  if (said.success) await print(`${said.data.message}\n`);
}
