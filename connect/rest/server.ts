/** Listens for the REST API of a worker. */
import type { HttpListener, HttpTls, ServeHttp } from "../../core/io/http.ts";
import { isLoopback } from "../../core/ip-address.ts";
import type { HostPort } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";

export interface RestServerOptions {
  readonly serveHttp: ServeHttp;
  /** Port 0 takes any. */
  readonly at: HostPort;
  /** Null: plain HTTP. */
  readonly tls: HttpTls | null;
  /** Whether requests have to say who asks. */
  readonly hasUsers: boolean;
  /** Null as long as the worker begins. */
  readonly app: () => { fetch(request: Request): Promise<Response> | Response } | null;
}

const LIMITS = {
  bodyBytesMax: 16 * 1024 * 1024,
  // A request may wait for a connector's target, or for another worker.
  idleSeconds: 120,
  frameBytesMax: 64 * 1024,
};

/** Throws an `OperatorError` if it cannot listen there, or must not. */
export function startRestServer(options: RestServerOptions): HttpListener {
  const { serveHttp, at, tls, hasUsers, app } = options;
  requireGuarded(at.host, hasUsers);
  const answer = async (request: Request) => await app()?.fetch(request) ?? starting();
  try {
    return serveHttp(at, LIMITS, answer, tls);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    throw new OperatorError(
      `cannot listen on ${at.host}:${at.port} for the REST API`,
      code === "EADDRINUSE" ? "the port is in use" : String(error),
      "choose another address with --rest (port 0 takes any)",
    );
  }
}

function starting(): Response {
  return Response.json({ error_code: 503, message: "the worker is starting" }, { status: 503 });
}

/** Whoever reaches the API can have connectors read and write what this worker can. */
function requireGuarded(host: string, hasUsers: boolean): void {
  if (isLoopback(host) || hasUsers) return;
  throw new OperatorError(
    `the REST API would be open to other hosts on ${host}`,
    "whoever reaches it can have connectors read and write whatever this worker can",
    "say who may ask with --rest-users FILE, or listen on 127.0.0.1",
    2,
  );
}
