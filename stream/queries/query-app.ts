/** The HTTP API of queries. Its `fetch` never rejects. */
import { createHash, timingSafeEqual } from "node:crypto";
import { type Context, Hono } from "hono";
import { askingPage, namesThisServer } from "../../core/http-guard.ts";
import type { Logger } from "../../core/logger.ts";
import { type HostAnswer, TASKS_HEADER } from "./ask-host.ts";
import { LIVE_PATH, type LiveView } from "./live-view.ts";
import { QueryError } from "./query-error.ts";
import type { StoreQueries, StoreRequest } from "./store-queries.ts";

export interface QueryAppOptions {
  readonly queries: StoreQueries;
  readonly live: LiveView;
  readonly logger: Logger;
  /** The host that the server was told to bind. */
  readonly ownName: string;
  /** Who asks has to know it; null: everybody who reaches the server is answered. */
  readonly token: string | null;
}

/** Requests at a time. */
const UNDERWAY_MAX = 256;
const TASKS_MAX = 10_000;

/** See the head of the file. */
export function queryApp({ queries, live, logger, ownName, token }: QueryAppOptions): Hono {
  const app = new Hono({ strict: false });
  let underway = 0;
  app.use(async (context, next) => {
    requireAllowed(context.req.raw, ownName, token);
    if (!["GET", "HEAD"].includes(context.req.method)) {
      throw new QueryError(405, "stores are only read: GET");
    }
    if (underway >= UNDERWAY_MAX) throw new QueryError(503, "too many requests at once");
    underway++;
    try {
      await next();
    } finally {
      underway--;
    }
  });
  app.get(LIVE_PATH, async ({ req }) => {
    const isForwarded = req.header(TASKS_HEADER) !== undefined;
    return respond({ status: 200, body: await live.answer(isForwarded) });
  });
  app.get("/stores", () => respond({ status: 200, body: queries.list() }));
  app.get("/stores/:store", async (context) => respond(await queries.range(requestOf(context))));
  app.get("/stores/:store/:key", async (context) => {
    return respond(await queries.key(requestOf(context), context.req.param("key")));
  });
  app.notFound(() =>
    failure(new QueryError(404, "there are /topology, /stores, /stores/NAME and /stores/NAME/KEY"))
  );
  app.onError((error) => {
    if (error instanceof QueryError) return failure(error);
    logger.error("a query failed by an internal error", { stack: error.stack ?? error.message });
    return failure(new QueryError(500, "the query failed: see the log of this member"));
  });
  return app;
}

function requestOf(context: Context): StoreRequest {
  const { pathname, search, searchParams } = new URL(context.req.url);
  const tasks = context.req.header(TASKS_HEADER)?.split(",").slice(0, TASKS_MAX) ?? null;
  return {
    store: context.req.param("store") ?? "",
    search: searchParams,
    path: pathname + search,
    tasks,
  };
}

function requireAllowed(request: Request, ownName: string, token: string | null): void {
  if (token !== null) {
    const [, given = ""] =
      /^bearer (.{1,4096})$/i.exec(request.headers.get("authorization") ?? "") ??
        [];
    if (timingSafeEqual(hash(given), hash(token))) return;
    throw new QueryError(401, "say the token: Authorization: Bearer TOKEN");
  }
  if (!namesThisServer(request, ownName)) {
    throw new QueryError(421, "this server has another name: ask it by its address");
  }
  const { isForeign, isOthers } = askingPage(request);
  if (isForeign || isOthers) {
    throw new QueryError(403, "web pages of others may not ask this server: use a program");
  }
}

function hash(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function failure({ status, message, facts }: QueryError): Response {
  const answer = respond({ status, body: JSON.stringify({ error: message, ...facts }) });
  if (status === 503) answer.headers.set("retry-after", "1");
  if (status === 401) answer.headers.set("www-authenticate", 'Bearer realm="kstream"');
  return answer;
}

function respond({ status, body }: HostAnswer): Response {
  return new Response(`${body}\n`, {
    status,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}
