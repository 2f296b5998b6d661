/** Listens for queries. */
import type { Clock, HostPort } from "../../core/io.ts";
import type { HttpListener, HttpTls, ServeHttp } from "../../core/io/http.ts";
import { isLoopback } from "../../core/ip-address.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { type AskHttp, HostLink } from "./ask-host.ts";
import { LiveView } from "./live-view.ts";
import type { QueriedApp } from "./queried-app.ts";
import { queryApp } from "./query-app.ts";
import { StoreQueries } from "./store-queries.ts";

export interface QueryServerOptions {
  readonly serveHttp: ServeHttp;
  readonly ask: AskHttp;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Port 0 takes any. */
  readonly at: HostPort;
  /** What who asks has to know, other members included; null: nothing. */
  readonly token: string | null;
  /** Null: it speaks plain HTTP, as other members do. */
  readonly tls: HttpTls | null;
}

const LIMITS = { bodyBytesMax: 64 * 1024, idleSeconds: 60, frameBytesMax: 1024 };

/** See the head of the file. It answers 503 until it has an application. */
export class QueryServer {
  readonly #listener: HttpListener;
  #app: { fetch(request: Request): Promise<Response> | Response } | null = null;

  /** Throws an `OperatorError` if it cannot listen there, or must not. */
  constructor(private readonly options: QueryServerOptions) {
    const { at, token, tls, serveHttp } = options;
    requireGuarded(at.host, token !== null);
    try {
      this.#listener = serveHttp(at, LIMITS, async (request) => {
        return await this.#app?.fetch(request) ?? starting();
      }, tls);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      throw new OperatorError(
        `cannot listen on ${at.host}:${at.port} for queries`,
        code === "EADDRINUSE" ? "the port is in use" : String(error),
        "choose another address with --queries (port 0 takes any)",
      );
    }
  }

  /** `HOST:PORT`. */
  get address(): string {
    const { port } = this.#listener.address;
    const { host } = this.options.at;
    return `${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  answerFor(app: QueriedApp): void {
    const { clock, ask, token, tls, logger, at } = this.options;
    const link = new HostLink(clock, ask, { token, isTls: tls !== null });
    const queries = new StoreQueries(app, link, clock);
    const live = new LiveView(app, link);
    this.#app = queryApp({ queries, live, logger, ownName: at.host, token });
  }

  /** What answers is elsewhere, and guards itself. */
  answerBy(answer: (request: Request) => Promise<Response>): void {
    this.#app = { fetch: answer };
  }

  async close(): Promise<void> {
    this.#app = null;
    await this.#listener.close();
  }
}

function starting(): Response {
  return Response.json({ error: "the application is starting" }, { status: 503 });
}

function requireGuarded(host: string, hasToken: boolean): void {
  if (isLoopback(host) || hasToken) return;
  throw new OperatorError(
    `the stores would be open to other hosts on ${host}`,
    "whoever reaches the server can read all that they hold",
    "say who may ask with --queries-token FILE, or listen on 127.0.0.1",
    2,
  );
}
