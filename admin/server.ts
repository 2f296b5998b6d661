/** Serves the admin API: binds at once, and loads the app with the first request. */
import type { HttpListener, ServeHttp } from "../core/io/http.ts";
import type { HostPort } from "../core/io.ts";
import { OperatorError } from "../core/operator-error.ts";
import { formatAddress } from "../broker/listeners.ts";
import type { AdminServices } from "./app.ts";

/** Where the admin server listens unless it is told. */
export const DEFAULT_ADMIN: HostPort = { host: "127.0.0.1", port: 8080 };

const LIMITS = { bodyBytesMax: 1024 * 1024, idleSeconds: 60 };

/** What the admin server is started with. */
export interface AdminServerOptions {
  readonly serveHttp: ServeHttp;
  /** Where it was told to listen; null: at the default, or on any free port if that is taken. */
  readonly at: HostPort | null;
  readonly services: AdminServices;
}

/** Starts it. Throws an `OperatorError` if it cannot listen where it was told to. */
export function startAdminServer({ serveHttp, at, services }: AdminServerOptions): HttpListener {
  const host = (at ?? DEFAULT_ADMIN).host;
  let app: Promise<(request: Request) => Response | Promise<Response>> | null = null;
  // What the app is made of takes longer to load than the rest of the start takes.
  const load = async () => (await import("./app.ts")).adminApp(services, host).fetch;
  const handler = async (request: Request) => await (await (app ??= load()))(request);
  const listen = (address: HostPort) => serveHttp(address, LIMITS, handler);
  try {
    return listen(at ?? DEFAULT_ADMIN);
  } catch (error) {
    if (at === null && codeOf(error) === "EADDRINUSE") return listen({ host, port: 0 });
    throw bindError(at ?? DEFAULT_ADMIN, error);
  }
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
