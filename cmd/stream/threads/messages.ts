/** What the main thread and the threads of an application say to one another. */
import type { OperatorError } from "../../../core/operator-error.ts";
import type { StreamsStatus } from "../../../stream/runtime/streams-app.ts";
import type { PipeOptions } from "../../../stream/pipe/pipe-topology.ts";
import type { AppConfig } from "../load-app.ts";
import type { RunOptions } from "../run.ts";

/** What each thread makes its topology of: functions cannot be sent. */
export type ThreadSource =
  | { readonly kind: "module"; readonly path: string; readonly given: AppConfig }
  | { readonly kind: "sql"; readonly sql: string; readonly config: AppConfig }
  | { readonly kind: "pipe"; readonly pipe: Omit<PipeOptions, "look">; readonly config: AppConfig };

/** What a thread is to be. */
export interface ThreadSetup {
  readonly source: ThreadSource;
  /** With the brokers that hold. */
  readonly options: RunOptions;
  /** From 1 on. */
  readonly thread: number;
  readonly processId: string;
  /** Whether stores are on disk; the main thread has the state directory open then. */
  readonly isKept: boolean;
  /** Null: stores are not to be asked. */
  readonly queries: ThreadQueries | null;
}

/** How queries come to a thread. */
export interface ThreadQueries {
  /** Of the process: `HOST:PORT`. */
  readonly endpoint: string;
  /** See `QueryAppOptions`. */
  readonly ownName: string;
  readonly token: string | null;
  readonly isTls: boolean;
  /** Who signs the certificates of other members, in PEM; null: those that the system knows. */
  readonly ca: string | null;
}

/** An HTTP request without a body. */
export interface PlainRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface PlainResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** An error as it is sent: what an `OperatorError` has, or the stack of a bug. */
export type PlainError =
  | Pick<OperatorError, "what" | "why" | "whatToDo" | "exitCode" | "excerpt">
  | { readonly stack: string };

export type ToThread =
  | { readonly kind: "begin"; readonly setup: ThreadSetup }
  | { readonly kind: "stop" }
  | { readonly kind: "request"; readonly id: number; readonly request: PlainRequest }
  | { readonly kind: "answer"; readonly id: number; readonly response: PlainResponse };

export type FromThread =
  | { readonly kind: "started" }
  | { readonly kind: "log"; readonly line: string }
  | { readonly kind: "status"; readonly status: StreamsStatus }
  /** It does nothing more, and waits to be stopped. */
  | { readonly kind: "failed"; readonly error: PlainError }
  /** It has ended in good order. */
  | { readonly kind: "stopped" }
  /** It ends at once, by a bug or by what the application has not caught. */
  | { readonly kind: "lastWords"; readonly why: string }
  | { readonly kind: "answer"; readonly id: number; readonly response: PlainResponse }
  /** For another thread. */
  | {
    readonly kind: "request";
    readonly id: number;
    readonly thread: number;
    readonly request: PlainRequest;
  };

/** Where a thread is asked: the process passes what comes there on to it. */
export function threadEndpoint(endpoint: string, thread: number): string {
  return `${endpoint}/threads/${thread}`;
}

/** The thread that a path is for, and what it asks of it; null: any. */
export function threadOf(pathname: string): { thread: number; path: string } | null {
  const [, thread, path] = /^\/threads\/(\d{1,4})(\/.*)$/.exec(pathname) ?? [];
  return thread === undefined || path === undefined ? null : { thread: Number(thread), path };
}
