/**
 * Serves the admin API: binds at once, and loads the app with the first request after the broker has
 * started. Until then it answers that the process lives and is not ready: recovery may take long.
 */
import type { HttpHandler, HttpListener, HttpTls, ServeHttp } from "../core/io/http.ts";
import type { LoadPages } from "../core/io/web-pages.ts";
import type { HostPort } from "../core/io.ts";
import { OperatorError } from "../core/operator-error.ts";
import { formatAddress } from "../broker/listeners.ts";
import type { AdminApp } from "./app.ts";
import type { Authentication } from "./authentication.ts";
import { refusal } from "./guard.ts";
import { Problem } from "./problem.ts";
import type { AdminServices, AdminSource } from "./services.ts";

/** Where the admin server listens unless it is told. */
export const DEFAULT_ADMIN: HostPort = { host: "127.0.0.1", port: 8080 };

/** Records come in bodies of any length; other bodies are bounded by the app. */
const LIMITS = {
  bodyBytesMax: Number.MAX_SAFE_INTEGER,
  idleSeconds: 60,
  frameBytesMax: 4 * 1024 * 1024,
};

/** What the admin server is started with. */
export interface AdminServerOptions {
  readonly serveHttp: ServeHttp;
  /** Where it was told to listen; null: at the default, or on any free port if that is taken. */
  readonly at: HostPort | null;
  /** Null: it speaks plain HTTP. Default null. */
  readonly tls?: HttpTls | null;
  /** Whether it lets in only users of the cluster. Default false. */
  readonly authenticates?: boolean;
  /** Null as long as the broker starts. */
  readonly running: () => AdminSource | null;
  /** Default: there are no web pages. */
  readonly loadPages?: LoadPages;
  /** Of this program, for those who ask. */
  readonly version?: string;
  /** How the other shards are. Default: there are none. */
  readonly siblings?: AdminServices["siblings"];
  /** The workers of connectors that it passes requests on to. Default: there are none. */
  readonly connect?: AdminServices["connect"];
  /** How applications of streams are known and asked. Default: by their groups alone. */
  readonly streams?: AdminServices["streams"];
}

/** Starts it. Throws an `OperatorError` if it cannot listen where it was told to. */
export function startAdminServer(options: AdminServerOptions): HttpListener {
  const { at, running, loadPages = () => Promise.resolve(null), version = "" } = options;
  const host = (at ?? DEFAULT_ADMIN).host;
  let app: Promise<AdminApp["fetch"]> | null = null;
  let services: AdminServices | null = null;
  // What the app is made of takes longer to load than the rest of the start takes.
  const load = async (started: AdminSource) => {
    const [{ adminApp }, { adminServices }] = await Promise.all([
      import("./app.ts"),
      import("./services.ts"),
    ]);
    const { siblings, connect, streams } = options;
    services = adminServices(started, loadPages, version, siblings, connect, streams);
    const isOpen = options.authenticates !== true;
    return adminApp(services, host, isOpen ? null : await authentication(started)).fetch;
  };
  const handler: HttpHandler = async (request, peer, exchange) => {
    const started = running();
    if (started === null) return startingAnswer(request, host);
    return await (await (app ??= load(started)))(request, { peer, exchange });
  };
  const listener = listen(options, handler);
  return {
    address: listener.address,
    close: async () => {
      await listener.close();
      services?.close();
    },
  };
}

async function authentication({ broker }: AdminSource): Promise<Authentication> {
  const { Authentication } = await import("./authentication.ts");
  return new Authentication(broker.io.clock, () => broker.metadata.image);
}

function listen(
  { serveHttp, at, tls = null }: AdminServerOptions,
  handler: HttpHandler,
): HttpListener {
  try {
    return serveHttp(at ?? DEFAULT_ADMIN, LIMITS, handler, tls);
  } catch (error) {
    if (at === null && codeOf(error) === "EADDRINUSE") {
      return serveHttp({ host: DEFAULT_ADMIN.host, port: 0 }, LIMITS, handler, tls);
    }
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
