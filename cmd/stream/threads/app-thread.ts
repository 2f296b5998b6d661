/** The script of a thread of an application: one member of its group, told by the main thread. */
import { type Deferred, deferred } from "../../../core/deferred.ts";
import { createLogger } from "../../../core/logger.ts";
import type { OperatorError } from "../../../core/operator-error.ts";
import { stackOf } from "../../../core/stack-of.ts";
import type { StreamsApp } from "../../../stream/runtime/streams-app.ts";
import { parseStreamsConfig } from "../../../stream/runtime/streams-config.ts";
import { clientIo, toOperatorError } from "../../client.ts";
import { appError } from "../app-error.ts";
import { MemoryKeeper } from "../memory-keeper.ts";
import { openMember } from "../open-member.ts";
import { openStateBeside } from "../open-state.ts";
import {
  type FromThread,
  type PlainError,
  type PlainRequest,
  type PlainResponse,
  threadEndpoint,
  type ThreadSetup,
  type ToThread,
} from "./messages.ts";
import { answersOf } from "./thread-queries.ts";
import { loadSource } from "./thread-source.ts";

const STATUS_EVERY_MS = 500;
const EXIT_FAILED = 1;

const say = (message: FromThread) => void globalThis.postMessage(message);

/** What was asked of other threads. */
const asked = new Map<number, Deferred<PlainResponse>>();
let lastId = 0;
let app: StreamsApp | null = null;
let answer: ((request: PlainRequest) => Promise<PlainResponse>) | null = null;

async function begin(setup: ThreadSetup): Promise<void> {
  const { source, options, thread, processId, isKept, queries } = setup;
  const logger = createLogger({
    level: options.logLevel,
    format: options.logFormat,
    wallMs: () => clientIo.clock.wallMs(),
    write: (line) => say({ kind: "log", line }),
  }).with({ thread });
  try {
    const loaded = await loadSource(source);
    const config = parseStreamsConfig(loaded.config);
    const directory = isKept ? openStateBeside(config, logger) : null;
    const endpoint = queries === null ? null : threadEndpoint(queries.endpoint, thread);
    app = openMember({
      ...{ topology: loaded.topology, config, options, logger },
      ...{ directory, processId, thread, endpoint },
    });
    // Each thread has a heap of its own.
    new MemoryKeeper(clientIo.clock).start();
    if (queries !== null) answer = answersOf(app, queries, askThread, logger);
    app.failed.catch((error: unknown) => fail(error, app));
    await app.start();
    say({ kind: "started" });
    tellStatus(app);
  } catch (error) {
    fail(error, app);
  }
}

function tellStatus(of: StreamsApp): void {
  say({ kind: "status", status: of.status() });
  clientIo.clock.setTimer(STATUS_EVERY_MS, () => tellStatus(of));
}

/** `app`: null where it could not be loaded. */
function fail(error: unknown, app: Pick<StreamsApp, "topology" | "applicationId"> | null): void {
  const told = app === null
    ? toOperatorError(error)
    : appError(error, app.topology, app.applicationId);
  say({ kind: "failed", error: told === null ? { stack: stackOf(error) } : plainError(told) });
}

function plainError({ what, why, whatToDo, exitCode, excerpt }: OperatorError): PlainError {
  return { what, why, whatToDo, exitCode, excerpt };
}

async function stop(): Promise<void> {
  await app?.close();
  say({ kind: "stopped" });
}

function askThread(thread: number, request: PlainRequest): Promise<PlainResponse> {
  const id = ++lastId;
  const response = deferred<PlainResponse>();
  asked.set(id, response);
  say({ kind: "request", id, thread, request });
  return response.promise;
}

function die(error: unknown): void {
  say({ kind: "lastWords", why: stackOf(error) });
  process.exit(EXIT_FAILED);
}

async function answerTo(id: number, request: PlainRequest): Promise<void> {
  const starting = { error: "the application is starting" };
  const response = await answer?.(request) ??
    { status: 503, headers: [], body: `${JSON.stringify(starting)}\n` };
  say({ kind: "answer", id, response });
}

function take(message: ToThread): void {
  switch (message.kind) {
    case "begin":
      return void begin(message.setup);
    case "stop":
      return void stop().catch(die);
    case "request":
      return void answerTo(message.id, message.request).catch(die);
    case "answer":
      asked.get(message.id)?.resolve(message.response);
      asked.delete(message.id);
  }
}

process.on("uncaughtException", die);
process.on("unhandledRejection", die);
globalThis.addEventListener("message", (event: MessageEvent<ToThread>) => take(event.data));
