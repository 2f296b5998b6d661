/** Kafka Connect's REST API over a herder: the endpoints, forms and status codes of Kafka 4.3. */
import { type Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Clock } from "../../core/io.ts";
import { askingPage, namesThisServer } from "../../core/http-guard.ts";
import type { Logger } from "../../core/logger.ts";
import { nullIfAborted } from "../../core/unless-aborted.ts";
import { KafkaError } from "../../client/errors.ts";
import { ConfigError } from "../config/parse.ts";
import type { SessionKey } from "../herder/config-records.ts";
import { ElsewhereError, HerderError } from "../herder/errors.ts";
import type { Herder } from "../herder/herder.ts";
import type { BasicUsers } from "./basic-users.ts";
import { connectorRoutes } from "./connector-routes.ts";
import { type AskHttp, askPeer, requireSignature } from "./http-peer.ts";
import { internalRoutes, isInternal } from "./internal-routes.ts";
import { loggerRoutes } from "./logger-routes.ts";
import { metricRoutes } from "./metric-routes.ts";
import { pluginRoutes } from "./plugin-routes.ts";
import { rootRoutes } from "./root-routes.ts";

export interface RestAppOptions {
  readonly herder: Herder;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of this program, as the root of the API tells it. */
  readonly version: string;
  readonly commit: string;
  /** The host that the server was told to bind. */
  readonly ownName: string;
  /** Who is let in; null: everybody who reaches the server. */
  readonly users: BasicUsers | null;
  readonly ask: AskHttp;
  /** Of the group, for requests of other workers. */
  readonly sessionKey: () => SessionKey | null;
}

export type RestApp = Hono;

/** Connect's. */
const KNOWN_WITHIN_MS = 90_000;

/** The app; its `fetch` never rejects. How long bodies may be the server says. */
export function restApp(options: RestAppOptions): RestApp {
  const { herder, ownName, users, sessionKey } = options;
  const app = new Hono({ strict: false });
  app.use(async (context, next) => {
    const request = context.req.raw;
    requireOwn(request, ownName);
    if (isInternal(request)) {
      requireSignature(sessionKey(), request, await context.req.text());
    } else if (users !== null && !await users.knows(context.req.header("authorization") ?? null)) {
      context.header("www-authenticate", 'Basic realm="kstream", charset="UTF-8"');
      return errorJson(context, 401, "User cannot access the resource.");
    }
    await next();
    context.header("x-content-type-options", "nosniff");
    context.header("cache-control", "no-store");
    return undefined;
  });
  app.use("/connectors/*", async (_context, next) => {
    await known(options);
    await next();
  });
  rootRoutes(app, options);
  internalRoutes(app, herder);
  connectorRoutes(app, herder);
  pluginRoutes(app, herder);
  loggerRoutes(app, herder);
  metricRoutes(app, options);
  app.notFound((context) => notServed(app, context));
  app.onError((error, context) => failed(options, error, context));
  return app;
}

/** As in Connect a request waits until the worker knows what there is, and then fails. */
async function known({ herder, clock }: RestAppOptions): Promise<void> {
  if (herder.waitsFor === null) return;
  const late = new AbortController();
  const timer = clock.setTimer(KNOWN_WITHIN_MS, () => late.abort());
  try {
    if (await nullIfAborted(herder.known.then(() => true), late.signal) !== null) return;
  } finally {
    timer.cancel();
  }
  const waitsFor = herder.waitsFor ?? "starting";
  throw new HerderError(500, `Request timed out. The worker is currently ${waitsFor}.`);
}

function requireOwn(request: Request, ownName: string): void {
  if (!namesThisServer(request, ownName)) {
    throw new HerderError(421, "this server has another name: ask it by its address");
  }
  const { isForeign, isOthers } = askingPage(request);
  if (isForeign || isOthers) {
    throw new HerderError(403, "web pages of others may not ask this server: use a program");
  }
}

/** Another method than a path has is 405, as Jersey answers it. */
function notServed(app: RestApp, context: Context): Response {
  const { path } = context.req;
  const isThere = app.routes.some(({ method, path: pattern }) => {
    return method !== "ALL" && matches(pattern, path);
  });
  return isThere
    ? errorJson(context, 405, "HTTP 405 Method Not Allowed")
    : errorJson(context, 404, "HTTP 404 Not Found");
}

function matches(pattern: string, path: string): boolean {
  const [wanted, given] = [pattern, path].map((text) => text.replace(/\/$/, "").split("/"));
  return wanted!.length === given!.length &&
    wanted!.every((part, at) => part.startsWith(":") || part === given![at]);
}

async function failed(options: RestAppOptions, error: Error, context: Context): Promise<Response> {
  if (error instanceof ElsewhereError) {
    try {
      return await forward(options, error, context);
    } catch (failure) {
      if (!(failure instanceof HerderError)) throw failure;
      return errorJson(context, failure.status, failure.message);
    }
  }
  if (error instanceof HerderError) return errorJson(context, error.status, error.message);
  if (error instanceof ConfigError) return errorJson(context, 400, error.message);
  if (!(error instanceof KafkaError)) {
    options.logger.error("a request failed by an internal error", {
      path: context.req.path,
      stack: error.stack ?? error.message,
    });
  }
  return errorJson(context, 500, error.message);
}

function errorJson(context: Context, status: number, message: string): Response {
  return context.json({ error_code: status, message }, status as ContentfulStatusCode);
}

/**
 * Asks the worker that can answer: two times at most (Connect's `HerderRequestHandler`): `forward` is
 * not there at first, then true, then false.
 */
async function forward(
  { clock, ask }: RestAppOptions,
  { url }: ElsewhereError,
  context: Context,
): Promise<Response> {
  const { req } = context;
  const forwarded = req.query("forward");
  if (forwarded === "false") {
    throw new HerderError(
      409,
      "Cannot complete request because of a conflicting operation (e.g. worker rebalance)",
    );
  }
  if (url === null || url === "") {
    throw new HerderError(
      409,
      "Cannot complete request momentarily due to no known leader URL, likely because a rebalance " +
        "was underway.",
    );
  }
  const target = new URL(req.url);
  const there = new URL(target.pathname + target.search, url);
  there.searchParams.set("forward", String(forwarded === undefined));
  const body = req.method === "GET" ? undefined : await req.text();
  const passed = ["authorization", "content-type", "x-connect-authorization"].concat(
    "x-connect-request-signature-algorithm",
  );
  const headers = passed.flatMap((name) => {
    const value = req.header(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const answer = await askPeer(clock, ask, there.href, {
    method: req.method,
    headers: Object.fromEntries(headers),
    ...(body !== undefined && body !== "" && { body }),
  });
  const { status } = answer;
  const isEmpty = status === 204 || status === 202 && answer.headers.get("content-length") === "0";
  const kept = ["content-type", "location"].flatMap((name) => {
    const value = answer.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  return new Response(isEmpty ? null : await answer.arrayBuffer(), {
    status,
    headers: Object.fromEntries(kept),
  });
}
