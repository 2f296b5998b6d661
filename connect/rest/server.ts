/** Serves the REST API of a worker. */
import type { HttpListener, HttpTls, ServeHttp } from "../../core/io/http.ts";
import { isLoopback } from "../../core/ip-address.ts";
import type { HostPort } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { restApp, type RestAppOptions } from "./app.ts";

export interface RestServerOptions extends Omit<RestAppOptions, "ownName"> {
  readonly serveHttp: ServeHttp;
  readonly at: HostPort;
  readonly tls: HttpTls | null;
}

const LIMITS = {
  bodyBytesMax: 16 * 1024 * 1024,
  // A request may wait for a connector's target, or for another worker.
  idleSeconds: 120,
  frameBytesMax: 64 * 1024,
};

/** Throws an `OperatorError` if it cannot listen there, or must not. */
export function startRestServer(options: RestServerOptions): HttpListener {
  const { serveHttp, at, tls, users } = options;
  requireGuarded(at.host, users !== null);
  const app = restApp({ ...options, ownName: at.host });
  try {
    return serveHttp(at, LIMITS, (request) => Promise.resolve(app.fetch(request)), tls);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    throw new OperatorError(
      `cannot listen on ${at.host}:${at.port} for the REST API`,
      code === "EADDRINUSE" ? "the port is in use" : String(error),
      "choose another address with --rest (port 0 takes any)",
    );
  }
}

/** Whoever reaches the API can read and write what connectors can. */
export function requireGuarded(host: string, hasUsers: boolean): void {
  if (isLoopback(host) || hasUsers) return;
  throw new OperatorError(
    `the REST API would be open to other hosts on ${host}`,
    "whoever reaches it can have connectors read and write whatever this worker can",
    "say who may ask with --rest-users FILE, or listen on 127.0.0.1",
    2,
  );
}
