/**
 * Runs tasks in worker threads. A worker starts with the first session and ends when there has been
 * none for a while, so that a broker at rest has neither its memory nor its start-up time to pay.
 *
 *     pool ── {kind: "open", session, task} ─────▶ worker: makes the session's state
 *          ── {kind: "call", session, input} ────▶         runs it
 *          ◀── {session, output} or {session, error} ──
 *          ── {kind: "end", session} ────────────▶         forgets it
 *
 * Sessions share workers: each new one goes where there are fewest. Each has at most one call under
 * way, so nothing queues up beyond the number of sessions.
 */
import { assert } from "../../assert.ts";
import {
  type Offload,
  OffloadError,
  type OffloadMessage,
  type OffloadSession,
  type OffloadTask,
} from "../../io.ts";

/** What the pool says to a worker. */
type ToWorker =
  | { readonly kind: "open"; readonly session: number; readonly task: string }
  | { readonly kind: "call"; readonly session: number; readonly input: OffloadMessage }
  | { readonly kind: "end"; readonly session: number };

/** What a worker says. `output` has the type that the session's task gives. */
type FromWorker =
  | { readonly session: number; readonly output: OffloadMessage; readonly error?: undefined }
  | { readonly session: number; readonly error: string };

/** Bounds of a pool. */
export interface OffloadPoolOptions {
  /** The script that calls `serveOffload`: a path or a URL. */
  readonly script: string;
  readonly workersMax: number;
  /** A worker without a session ends after so long. */
  readonly idleMs: number;
}

interface Waiting {
  resolve(output: OffloadMessage): void;
  reject(error: Error): void;
}

/** One thread and the sessions in it. */
class PoolWorker {
  readonly sessions = new Map<number, Waiting | null>();
  isGone = false;
  private readonly worker: Worker;
  private idleTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly options: OffloadPoolOptions, private readonly onGone: () => void) {
    this.worker = new Worker(options.script);
    this.worker.addEventListener(
      "message",
      (event: MessageEvent<FromWorker>) => this.take(event.data),
    );
    this.worker.addEventListener("error", (event) => this.die(event.message));
    this.worker.addEventListener("close", () => this.die("the worker has ended"));
  }

  open(session: number, task: string): void {
    if (this.idleTimer !== null) clearTimeout(this.idleTimer);
    this.idleTimer = null;
    this.sessions.set(session, null);
    this.send({ kind: "open", session, task });
  }

  call(session: number, input: OffloadMessage): Promise<OffloadMessage> {
    if (this.isGone) return Promise.reject(new OffloadError("the worker of a task is gone"));
    assert(this.sessions.get(session) === null, "a session has one call under way at a time");
    return new Promise((resolve, reject) => {
      this.sessions.set(session, { resolve, reject });
      this.send({ kind: "call", session, input }, transferable(input));
    });
  }

  end(session: number): void {
    if (this.isGone) return;
    assert(this.sessions.delete(session), "a session ends once");
    this.send({ kind: "end", session });
    if (this.sessions.size > 0) return;
    this.idleTimer = setTimeout(() => this.die("the worker was idle"), this.options.idleMs);
    this.idleTimer.unref();
  }

  private send(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  private take(message: FromWorker): void {
    const waiting = this.sessions.get(message.session);
    // What was under way when its session ended.
    if (waiting === undefined || waiting === null) return;
    this.sessions.set(message.session, null);
    if (message.error === undefined) waiting.resolve(message.output);
    else waiting.reject(new OffloadError(message.error));
  }

  private die(reason: string): void {
    if (this.isGone) return;
    this.isGone = true;
    if (this.idleTimer !== null) clearTimeout(this.idleTimer);
    this.worker.terminate();
    const left = [...this.sessions.values()];
    this.sessions.clear();
    this.onGone();
    for (const waiting of left) waiting?.reject(new OffloadError(reason));
  }
}

/** See the head of this file. */
export class OffloadPool implements Offload {
  private readonly workers = new Set<PoolWorker>();
  private lastSession = 0;

  constructor(private readonly options: OffloadPoolOptions) {
    assert(options.workersMax > 0, "a pool has at least one worker");
  }

  /** How many threads there are now. */
  get workerCount(): number {
    return this.workers.size;
  }

  open<I extends OffloadMessage, O extends OffloadMessage>(
    task: OffloadTask<I, O>,
  ): OffloadSession<I, O> {
    const session = ++this.lastSession;
    const worker = this.choose();
    worker.open(session, task.name);
    return {
      // The script registers this very task, so what comes back is what it gives.
      call: async (input) => await worker.call(session, input) as O,
      end: () => worker.end(session),
    };
  }

  private choose(): PoolWorker {
    const [best] = [...this.workers].sort((a, b) => a.sessions.size - b.sessions.size);
    const isFree = best !== undefined && best.sessions.size === 0;
    if (best !== undefined && (isFree || this.workers.size >= this.options.workersMax)) return best;
    const worker: PoolWorker = new PoolWorker(
      this.options,
      () => void this.workers.delete(worker),
    );
    this.workers.add(worker);
    return worker;
  }
}

/** The other side: called once by the worker's script with all tasks that the program knows. */
export function serveOffload(tasks: readonly OffloadTask<never, OffloadMessage>[]): void {
  const sessions = new Map<number, (input: never) => OffloadMessage>();
  const answer = (message: FromWorker, transfer: ArrayBuffer[] = []) =>
    void globalThis.postMessage(message, { transfer });
  globalThis.addEventListener("message", (event: MessageEvent<ToWorker>) => {
    const message = event.data;
    const { session } = message;
    try {
      switch (message.kind) {
        case "open": {
          const task = tasks.find(({ name }) => name === message.task);
          assert(task !== undefined, `no offload task is registered as ${message.task}`);
          sessions.set(session, task.start());
          return;
        }
        case "call": {
          const run = sessions.get(session);
          assert(run !== undefined, "a session is called between its start and its end");
          // The pool pairs a session with the input of its task.
          const output = run(message.input as never);
          return answer({ session, output }, transferable(output));
        }
        case "end":
          sessions.delete(session);
      }
    } catch (error) {
      answer({ session, error: error instanceof Error ? error.stack ?? error.message : "?" });
    }
  });
}

function transferable({ bytes }: OffloadMessage): ArrayBuffer[] {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength > 0 ? [buffer] : [];
}
