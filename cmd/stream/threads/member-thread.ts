/** A thread of an application, as the main thread has it. */
import { type Deferred, deferred } from "../../../core/deferred.ts";
import { OperatorError } from "../../../core/operator-error.ts";
import type { StreamsStatus } from "../../../stream/runtime/streams-app.ts";
import type {
  FromThread,
  PlainError,
  PlainRequest,
  PlainResponse,
  ThreadSetup,
  ToThread,
} from "./messages.ts";

/** What the main thread hears of it. */
export interface ThreadEvents {
  log(line: string): void;
  /** For another thread. */
  request(thread: number, request: PlainRequest): Promise<PlainResponse>;
}

/** Where `app-thread.ts` is: in the binary it goes by its path in the sources. */
const SCRIPT = /[\\/](\$bunfs|~BUN)[\\/]/.test(import.meta.path)
  ? "./cmd/stream/threads/app-thread.ts"
  : new URL("./app-thread.ts", import.meta.url).href;

/** Queries that it has not answered: it may be at one step for long. */
const ASKED_MAX = 512;

/** See the head of the file. It is told once to begin, and once to stop. */
export class MemberThread {
  readonly #worker: Worker;
  readonly #started = deferred<void>();
  readonly #failed = deferred<never>();
  readonly #ended = deferred<void>();
  readonly #asked = new Map<number, Deferred<PlainResponse>>();
  #lastId = 0;
  #why: string | null = null;
  #isGone = false;
  /** The last one that it has told. */
  status: StreamsStatus | null = null;

  constructor(readonly number: number, private readonly events: ThreadEvents) {
    const worker = this.#worker = new Worker(SCRIPT);
    this.#failed.promise.catch(() => {});
    worker.addEventListener("message", ({ data }: MessageEvent<FromThread>) => this.#take(data));
    // What its script could not be begun by.
    worker.addEventListener("error", ({ message }) => void (this.#why ??= message));
    worker.addEventListener("close", (event) => {
      this.#gone(event instanceof CloseEvent ? `exit code ${event.code}` : "it is gone");
    });
  }

  /** When it takes part. */
  begin(setup: ThreadSetup): Promise<void> {
    this.#say({ kind: "begin", setup });
    return Promise.race([this.#started.promise, this.failed]);
  }

  /** Rejects when it can do no more. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Commits what is done and ends. */
  async stop(): Promise<void> {
    this.#say({ kind: "stop" });
    await this.#ended.promise;
    this.#worker.terminate();
  }

  /** Rejects when it is gone, or has too much to answer already. */
  ask(request: PlainRequest): Promise<PlainResponse> {
    if (this.#isGone) return Promise.reject(new Error(`thread ${this.number} is gone`));
    if (this.#asked.size >= ASKED_MAX) {
      return Promise.reject(new Error(`thread ${this.number} is asked too much at once`));
    }
    const id = ++this.#lastId;
    const response = deferred<PlainResponse>();
    this.#asked.set(id, response);
    this.#say({ kind: "request", id, request });
    return response.promise;
  }

  #say(message: ToThread): void {
    if (!this.#isGone) this.#worker.postMessage(message);
  }

  #take(message: FromThread): void {
    switch (message.kind) {
      case "started":
        return this.#started.resolve();
      case "log":
        return this.events.log(message.line);
      case "status":
        this.status = message.status;
        return;
      case "failed":
        return this.#failed.reject(errorOf(this.number, message.error));
      case "stopped":
        return this.#ended.resolve();
      case "lastWords":
        this.#why ??= message.why;
        return;
      case "answer":
        this.#asked.get(message.id)?.resolve(message.response);
        this.#asked.delete(message.id);
        return;
      case "request":
        return void this.#passOn(message.id, message.thread, message.request);
    }
  }

  async #passOn(id: number, thread: number, request: PlainRequest): Promise<void> {
    this.#say({ kind: "answer", id, response: await this.events.request(thread, request) });
  }

  #gone(how: string): void {
    this.#isGone = true;
    const why = this.#why ?? how;
    this.#failed.reject(new OperatorError(`thread ${this.number} has ended`, why, ""));
    for (const each of this.#asked.values()) {
      each.reject(new Error(`thread ${this.number} is gone`));
    }
    this.#asked.clear();
    this.#ended.resolve();
  }
}

function errorOf(thread: number, error: PlainError): Error {
  if ("what" in error) {
    const { what, why, whatToDo, exitCode, excerpt } = error;
    return new OperatorError(what, why, whatToDo, exitCode, excerpt);
  }
  const bug = new Error(`thread ${thread} has failed`);
  bug.stack = error.stack;
  return bug;
}
