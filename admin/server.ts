/**
 * Serves the admin API: binds at once, and loads the app with the first request after the broker has
 * started. Until then it answers that the process lives and is not ready: recovery may take long.
 */
import type { HttpHandler, HttpListener, ServeHttp } from "../core/io/http.ts";
import type { HostPort } from "../core/io.ts";
import { OperatorError } from "../core/operator-error.ts";
import { formatAddress } from "../broker/listeners.ts";
import type { AdminApp, AdminServices } from "./app.ts";
import { refusal } from "./guard.ts";
import { Problem } from "./problem.ts";

/** Where the admin server listens unless it is told. */
export const DEFAULT_ADMIN: HostPort = { host: "127.0.0.1", port: 8080 };

const LIMITS = { bodyBytesMax: 1024 * 1024, idleSeconds: 60 };

/** What the admin server is started with. */
export interface AdminServerOptions {
  readonly serveHttp: ServeHttp;
  /** Where it was told to listen; null: at the default, or on any free port if that is taken. */
  readonly at: HostPort | null;
  /** Null as long as the broker starts. */
  readonly services: () => AdminServices | null;
}

/** Starts it. Throws an `OperatorError` if it cannot listen where it was told to. */
export function startAdminServer({ serveHttp, at, services }: AdminServerOptions): HttpListener {
  const host = (at ?? DEFAULT_ADMIN).host;
  let app: Promise<AdminApp["fetch"]> | null = null;
  // What the app is made of takes longer to load than the rest of the start takes.
  const load = async (started: AdminServices) =>
    (await import("./app.ts")).adminApp(started, host).fetch;
  const handler: HttpHandler = async (request, peer) => {
    const started = services();
    if (started === null) return startingAnswer(request, host);
    return await (await (app ??= load(started)))(request, { peer });
  };
  const listen = (address: HostPort) => serveHttp(address, LIMITS, handler);
  try {
    return listen(at ?? DEFAULT_ADMIN);
  } catch (error) {
    if (at === null && codeOf(error) === "EADDRINUSE") return listen({ host, port: 0 });
    throw bindError(at ?? DEFAULT_ADMIN, error);
  }
}

function startingAnswer(request: Request, ownName: string): Response {
  const problem = refusal(request, ownName);
  const isLive = request.method === "GET" && new URL(request.url).pathname === "/live";
  const answer = problem?.response() ??
    (isLive
      ? Response.json({ live: true })
      : new Problem(503, "not ready", "the broker is starting").response());
  answer.headers.set("cache-control", "no-store");
  answer.headers.set("server", "kstream");
  return answer;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function bindError(at: HostPort, error: unknown): OperatorError {
  const code = codeOf(error);
  const why = code === "EADDRINUSE"
    ? "the port is in use"
    : error instanceof Error
    ? error.message
    : String(error);
  return new OperatorError(
    `cannot listen on ${formatAddress(at)} for administration`,
    why,
    "choose another address with --admin (port 0 takes any), or say --admin off",
  );
}
