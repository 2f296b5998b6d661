/**
 * The way of the admin server to workers of connectors, which speak Connect's REST API: over HTTP, or
 * straight to one in this process. Who may ask is for the admin server to say; what workers want to
 * know of who asks is kept here, and never comes to the browser.
 */

import type { Clock } from "../core/io.ts";
import type { MetricFamily } from "../core/metrics/family.ts";

/** A request as Connect's API has it. */
export interface ConnectRequest {
  readonly method: string;
  /** With its query: `/connectors?expand=status`. */
  readonly path: string;
  readonly body: string | null;
  readonly contentType: string | null;
  readonly accept: string | null;
  readonly signal: AbortSignal;
}

export interface ConnectLink {
  /** The worker's answer, whatever it says. Rejects if there is none. */
  ask(request: ConnectRequest): Promise<Response>;
  /** What a worker in this process measures, now; left out: it is in another one. */
  metrics?(): readonly MetricFamily<unknown>[];
}

/** A worker's validation asks its target, which may take so long and more. */
const TIMEOUT_MS = 55_000;

/** Workers of one group by their URLs, `http(s)://[user:password@]host:port`: one that answers is kept. */
export class ConnectByUrl implements ConnectLink {
  readonly #urls: readonly URL[];
  #current = 0;

  constructor(urls: readonly URL[], private readonly clock: Clock) {
    this.#urls = urls;
  }

  async ask(request: ConnectRequest): Promise<Response> {
    let failure: unknown = new Error("there are no workers");
    for (let tries = 0; tries < this.#urls.length; tries++) {
      const url = this.#urls[this.#current]!;
      try {
        return await this.#send(url, request);
      } catch (error) {
        failure = error;
        // What was on its way may have been done: another worker must not do it again.
        if (request.signal.aborted || !isUnreachable(error)) break;
        this.#current = (this.#current + 1) % this.#urls.length;
      }
    }
    throw failure;
  }

  async #send(url: URL, request: ConnectRequest): Promise<Response> {
    const { method, path, body, contentType, accept, signal } = request;
    const headers: Record<string, string> = {
      accept: accept ?? "application/json",
      ...(contentType !== null && { "content-type": contentType }),
      ...(url.username !== "" && { authorization: basic(url) }),
    };
    const late = new AbortController();
    const timer = this.clock.setTimer(TIMEOUT_MS, () => late.abort(new Error("no answer in time")));
    try {
      return await fetch(`${url.origin}${url.pathname.replace(/\/$/, "")}${path}`, {
        method,
        headers,
        redirect: "manual",
        signal: AbortSignal.any([signal, late.signal]),
        ...(body !== null && { body }),
      });
    } finally {
      timer.cancel();
    }
  }
}

function basic({ username, password }: URL): string {
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}

/** Whether nothing of the request has come to the worker. */
function isUnreachable(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return ["ConnectionRefused", "ECONNREFUSED", "FailedToOpenSocket", "ENOTFOUND"].includes(code);
}
