/**
 * An application in several threads (`num.stream.threads`). Each imports it anew and is a member of its
 * group; the main thread processes nothing: it has signals, the lock of the state directory, the terminal
 * and the port for queries. When one of the threads can do no more, all end.
 */
import { deferred } from "../../../core/deferred.ts";
import type { Clock } from "../../../core/io.ts";
import { asError } from "../../../core/as-error.ts";
import type { Logger } from "../../../core/logger.ts";
import type { StreamsStatus } from "../../../stream/runtime/streams-app.ts";
import { mergedLists } from "../../../stream/queries/store-list.ts";
import { type PlainRequest, type PlainResponse, threadOf, type ThreadSetup } from "./messages.ts";
import { MemberThread } from "./member-thread.ts";

export interface AppThreadsOptions {
  readonly threads: number;
  readonly setup: Omit<ThreadSetup, "thread">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Writes a line of a thread's log. */
  readonly log: (line: string) => void;
}

/** A thread may be at a step for so long before a query of its stores is given up. */
const ANSWER_MS = 10_000;

/** See the head of the file. */
export class AppThreads {
  readonly #threads: readonly MemberThread[];
  readonly #failed = deferred<never>();
  #turn = 0;
  /** All take part, and are not to end. */
  #isRunning = false;

  constructor(private readonly options: AppThreadsOptions) {
    const events = {
      log: options.log,
      request: (thread: number, request: PlainRequest) => this.#ask(thread, request),
    };
    this.#threads = Array.from({ length: options.threads }, (_, i) => {
      return new MemberThread(i + 1, events);
    });
    this.#failed.promise.catch(() => {});
    for (const thread of this.#threads) {
      thread.failed.catch((error: unknown) => this.#fail(thread.number, asError(error)));
    }
  }

  /** Begins all of them. Rejects with what the first one fails by. */
  async start(): Promise<void> {
    const { setup } = this.options;
    await Promise.all(this.#threads.map((each) => each.begin({ ...setup, thread: each.number })));
    this.#isRunning = true;
  }

  /** Rejects when one of them can do no more; all are still to be closed. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Of all of them together. */
  status(): StreamsStatus {
    const all = this.#threads.flatMap(({ status }) => status === null ? [] : [status]);
    const sum = (name: "processed" | "sent" | "dropped" | "letters") =>
      all.reduce((total, each) => total + each[name], 0);
    return {
      running: all.flatMap(({ running }) => running),
      opening: all.flatMap(({ opening }) => opening),
      standby: all.flatMap(({ standby }) => standby),
      restoring: all.flatMap(({ restoring }) => restoring),
      processed: sum("processed"),
      sent: sum("sent"),
      dropped: sum("dropped"),
      letters: sum("letters"),
    };
  }

  /** Has a query answered by the thread that its path names, else by any, which asks the right one. */
  async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const named = threadOf(url.pathname);
    const isList = /^\/stores\/?$/.test(url.pathname) && request.method === "GET";
    if (named !== null) url.pathname = named.path;
    const plain = { url: url.href, method: request.method, headers: [...request.headers] };
    const endpoint = this.options.setup.queries?.endpoint;
    const { status, headers, body } = isList && endpoint !== undefined
      ? await this.#askAll(plain, (bodies) => `${mergedLists(bodies, endpoint)}\n`)
      : await this.#ask(named?.thread ?? this.#turn++ % this.#threads.length + 1, plain);
    const answer = new Response(body, { status });
    for (const [name, value] of headers) answer.headers.set(name, value);
    return answer;
  }

  /** All commit what is done and leave the group. */
  async close(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#threads.map((thread) => thread.stop()));
  }

  /** One answer of those of all threads; where one does not give any, that is it. */
  async #askAll(
    request: PlainRequest,
    merge: (bodies: readonly string[]) => string,
  ): Promise<PlainResponse> {
    const answers = await Promise.all(this.#threads.map(({ number }) => {
      return this.#ask(number, request);
    }));
    const refused = answers.find(({ status }) => status !== 200);
    return refused ?? { ...answers[0]!, body: merge(answers.map(({ body }) => body)) };
  }

  /** Never rejects. */
  async #ask(thread: number, request: PlainRequest): Promise<PlainResponse> {
    const asked = this.#threads[thread - 1];
    if (asked === undefined) return refusal(404, `there is no thread ${thread}`);
    const late = deferred<PlainResponse>();
    const timer = this.options.clock.setTimer(ANSWER_MS, () => {
      late.resolve(refusal(503, `thread ${thread} does not answer`));
    });
    try {
      return await Promise.race([asked.ask(request), late.promise]);
    } catch (error) {
      return refusal(503, asError(error).message);
    } finally {
      timer.cancel();
    }
  }

  #fail(thread: number, error: Error): void {
    this.#failed.reject(error);
    if (!this.#isRunning) return;
    this.#isRunning = false;
    // Told at once: others may take long to end.
    this.options.logger.error("a thread has ended: the application ends", {
      thread,
      error: error.message,
    });
  }
}

function refusal(status: number, error: string): PlainResponse {
  return {
    status,
    headers: [["content-type", "application/json"], ["cache-control", "no-store"]],
    body: `${JSON.stringify({ error })}\n`,
  };
}
