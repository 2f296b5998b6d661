/**
 * The admin API as a Hono app: what is no Kafka API, and the cluster for people, scripts and pages.
 * Errors are problem details (RFC 9457), bodies are JSON. A part of the API is a file in `routes/`; what
 * it describes is in `/openapi.json` (`openapi.ts`).
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { ANONYMOUS, type Principal } from "../broker/authorizer.ts";
import { bodyLimit } from "hono/body-limit";
import type { HttpExchange } from "../core/io/http.ts";
import type { HostPort } from "../core/io.ts";
import { stackOf } from "../core/stack-of.ts";
import { adminApi } from "./api.ts";
import type { Authentication } from "./authentication.ts";
import { clientProblem } from "./client-problem.ts";
import { etags } from "./etag.ts";
import { refusal } from "./guard.ts";
import { idempotency } from "./idempotency.ts";
import { forbidden } from "./permission.ts";
import { Problem } from "./problem.ts";
import { requestScope } from "./request-scope.ts";
import { connectRoutes } from "./routes/connect.ts";
import type { AdminServices } from "./services.ts";
import { BODY_BYTES_MAX, streamsBody } from "./streams.ts";
import { uiRoutes } from "./ui/server/routes.ts";

/** What a request comes with, and what the app adds before a route sees it. */
export interface AdminEnv {
  readonly Bindings: {
    readonly peer: HostPort;
    /** Left out: the request came over no connection. */
    readonly exchange?: HttpExchange;
  };
  readonly Variables: {
    /** What the client sees and the log names. */
    requestId: string;
    /** In whose name the cluster is asked. */
    principal: Principal;
  };
}

export type AdminApp = Hono<AdminEnv>;

export type { AdminServices } from "./services.ts";

/** What is answered also while the broker stops, and to everybody. */
const HEALTH_PATHS: readonly string[] = ["/live", "/ready"];

function tooLarge(): Response {
  const detail = `the body has more than ${BODY_BYTES_MAX} bytes`;
  return new Problem(413, "too large", detail).response();
}

/**
 * The app; `ownName` is the host that the server was told to bind. Without an authentication all may
 * do what the authorizer allows nobody in particular.
 */
export function adminApp(
  services: AdminServices,
  ownName: string,
  authentication: Authentication | null,
) {
  const app = new OpenAPIHono<AdminEnv>();
  const { broker } = services;
  const enter = async ({ req, env }: Context<AdminEnv>): Promise<Principal | Problem> => {
    const problem = refusal(req.raw, ownName);
    if (problem !== null) return problem;
    const isProbe = HEALTH_PATHS.includes(req.path);
    if (broker.stopping.aborted && !isProbe) {
      return new Problem(503, "stopping", "the broker is stopping");
    }
    const problemOfPath = unreadablePath(req.path);
    if (problemOfPath !== null) return problemOfPath;
    if (authentication === null || isProbe) return ANONYMOUS;
    const principal = await authentication.check(req.header("authorization") ?? null);
    if (principal instanceof Problem) return principal;
    return forbidden(broker.authorizer, principal, env.peer, req) ?? principal;
  };
  app.use(requestScope(broker));
  app.use(async (context, next) => {
    const principal = await enter(context);
    if (principal instanceof Problem) context.res = challenge(principal);
    else {
      context.set("principal", principal);
      await next();
    }
    if (!context.res.headers.has("cache-control")) context.header("cache-control", "no-store");
    context.header("x-content-type-options", "nosniff");
    // Says to clients that this is no other program's server.
    context.header("server", "kstream");
  });
  const bounded = bodyLimit({ maxSize: BODY_BYTES_MAX, onError: tooLarge });
  app.use(async (context, next) => {
    const { method, path } = context.req;
    return streamsBody(method, path) ? await next() : await bounded(context, next);
  });
  app.use("/v1/*", etags, idempotency(broker.io.clock));
  app.use("/openapi.json", etags);
  app.use("/kafka/*", etags, idempotency(broker.io.clock));
  app.route("/", adminApi(services, () => app));
  connectRoutes(app, services.connect);
  uiRoutes(app, services);
  app.notFound(({ req }) => {
    const what = `there is nothing at ${req.method} ${req.path.slice(0, 200)}`;
    return new Problem(404, "not found", what).response();
  });
  app.onError((error, context) => {
    const problem = problemOf(error);
    if (problem !== null) return problem.response();
    // Bodies that break off fail in many ways; nobody is there to hear of it, and it is no bug.
    if (context.req.raw.signal.aborted) return cutShort();
    const requestId = context.get("requestId");
    broker.logger.error("an admin request failed by an internal error", {
      requestId,
      stack: stackOf(error),
    });
    return new Problem(500, "internal error", "the broker's log says more: please report")
      .with({ requestId }).response();
  });
  return app;
}

/** Names in a path that are no UTF-8 would else be taken for what they look like, escapes and all. */
function unreadablePath(path: string): Problem | null {
  try {
    decodeURIComponent(path);
    return null;
  } catch {
    return new Problem(400, "bad request", "the path has a % that begins no escape of UTF-8");
  }
}

function cutShort(): Response {
  return new Problem(400, "cut short", "the request broke off before its end").response();
}

/** Browsers ask for name and password then. */
function challenge(problem: Problem): Response {
  const response = problem.response();
  if (problem.status === 401) {
    response.headers.set("www-authenticate", 'Basic realm="kstream", charset="UTF-8"');
  }
  if (problem.status === 429) response.headers.set("retry-after", "1");
  return response;
}

/** What an error says to who has asked; null: it is a bug. */
function problemOf(error: Error): Problem | null {
  // What Hono itself refuses: bodies that are no JSON.
  if (error instanceof HTTPException && error.status < 500) {
    return new Problem(
      error.status,
      "bad request body",
      `the request is refused: ${error.message}`,
    );
  }
  return clientProblem(error);
}
