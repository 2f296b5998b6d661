/**
 * What each HTTP request has: an id that the client sees and the log names, a line in the log (all at
 * debug, slow ones as warnings, from `kstream.slow.request.ms` on), and a span if it belongs to a trace.
 * A request is over when its answer begins: what streams is not slow because it streams.
 */
import type { Context, MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import { type Principal, principalName } from "../broker/authorizer.ts";
import type { Broker } from "../broker/broker.ts";
import { LineLimit } from "../broker/metrics/line-limit.ts";
import type { SpanAttributes } from "../broker/tracing/span.ts";
import type { OpenSpan, Tracing } from "../broker/tracing/tracing.ts";
import type { LogFields } from "../core/logger.ts";
import { parseTraceparent, traceparentOf } from "../core/trace-context.ts";
import type { AdminEnv } from "./app.ts";

export const REQUEST_ID_HEADER = "x-request-id";

/** What clients may call their requests; other names are replaced. */
const REQUEST_ID = /^[\w.:@/+=-]{1,128}$/;
const PREFIX_BYTES = 4;
const PATH_CHARS_MAX = 200;
const SERVER_ERROR = 500;

/** The middleware, to be the first one. */
export function requestScope({ io, logger, config, tracing }: Broker): MiddlewareHandler<AdminEnv> {
  const { clock, random } = io;
  const prefix = Buffer.from(random.bytes(PREFIX_BYTES)).toString("hex");
  const slowMs = config.get("kstream.slow.request.ms");
  const limit = new LineLimit(clock, logger, "more slow admin requests");
  let count = 0;
  return async (context, next) => {
    const startMs = clock.monotonicMs();
    const given = context.req.header(REQUEST_ID_HEADER) ?? "";
    const requestId = REQUEST_ID.test(given) ? given : `${prefix}-${++count}`;
    const span = tracing === null ? null : beginSpan(tracing, context);
    context.set("requestId", requestId);
    await next();
    context.header(REQUEST_ID_HEADER, requestId);
    if (tracing !== null && span !== null) endSpan(tracing, span, context);
    const tookMs = clock.monotonicMs() - startMs;
    const fields = fieldsOf(context, requestId, tookMs, span);
    if (slowMs <= 0 || tookMs < slowMs) logger.debug("an admin request", fields);
    else if (limit.allows()) logger.warn("a slow admin request", fields);
  };
}

function fieldsOf(
  context: Context<AdminEnv>,
  requestId: string,
  tookMs: number,
  span: OpenSpan | null,
): LogFields {
  const { req: { method, path }, res: { status } } = context;
  // Who is not let in has no principal.
  const principal: Principal | undefined = context.get("principal");
  return {
    requestId,
    method,
    path: path.slice(0, PATH_CHARS_MAX),
    status,
    tookMs: Math.round(tookMs),
    peer: context.env.peer.host,
    ...(principal !== undefined && { principal: principalName(principal) }),
    ...(span !== null && { traceId: span.parent.traceId }),
  };
}

/** The request goes on with this server's span as its parent: that is what its records get. */
function beginSpan(tracing: Tracing, { req }: Context<AdminEnv>): OpenSpan | null {
  const traceparent = req.header("traceparent");
  if (traceparent === undefined) return null;
  const parent = parseTraceparent(traceparent);
  const span = tracing.begin(parent, req.header("tracestate") ?? "");
  if (span === null) return null;
  const { spanId } = span;
  req.raw.headers.set("traceparent", traceparentOf({ ...span.parent, spanId }));
  return span;
}

/** Names as in OpenTelemetry's conventions for HTTP servers. */
function endSpan(tracing: Tracing, span: OpenSpan, context: Context<AdminEnv>): void {
  const { req, res: { status }, env: { peer } } = context;
  const url = new URL(req.url);
  const pattern = routePath(context, -1);
  const route = pattern.endsWith("*") ? null : pattern;
  const error = status >= SERVER_ERROR ? String(status) : null;
  const agent = req.header("user-agent");
  const attributes: SpanAttributes = {
    "http.request.method": req.method,
    "http.response.status_code": status,
    ...(route !== null && { "http.route": route }),
    "url.path": url.pathname.slice(0, PATH_CHARS_MAX),
    "url.scheme": url.protocol.slice(0, -1),
    "server.address": url.hostname,
    ...(url.port !== "" && { "server.port": Number(url.port) }),
    "client.address": peer.host,
    ...(agent !== undefined && { "user_agent.original": agent.slice(0, PATH_CHARS_MAX) }),
    ...(error !== null && { "error.type": error }),
  };
  const name = route === null ? req.method : `${req.method} ${route}`;
  tracing.end(span, { name, kind: "server", attributes, error });
}
