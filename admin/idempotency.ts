/**
 * Writes with an `Idempotency-Key` are done once: who sends the same again, since the answer was lost,
 * gets the answer of the first time. Answers are remembered by user and key for ten minutes, in bounded
 * memory; a restart forgets them. Of failures of the server nothing is remembered: those may be tried again.
 */
import type { MiddlewareHandler } from "hono";
import { principalName } from "../broker/authorizer.ts";
import type { Clock } from "../core/io.ts";
import type { AdminEnv } from "./app.ts";
import { Problem } from "./problem.ts";
import { BODY_BYTES_MAX, isSafe, takesIdempotencyKey } from "./streams.ts";

const KEPT_MS = 600_000;
const KEPT_MAX = 1000;
/** A longer answer is given once and not remembered: then the key is, and the same again is refused. */
const ANSWER_CHARS_MAX = 64 * 1024;

interface Kept {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** Null: too long. */
  readonly body: string | null;
}

interface Entry {
  readonly request: string;
  readonly untilMs: number;
  /** Null: the request failed by the server's fault. */
  readonly answer: Promise<Kept | null>;
}

/** The middleware; what streams is refused, since nothing of it is kept. */
export function idempotency(clock: Clock): MiddlewareHandler<AdminEnv> {
  const entries = new Map<string, Entry>();
  return async (context, next) => {
    const key = context.req.header("idempotency-key");
    const { method, path } = context.req;
    if (key === undefined || isSafe(method)) return await next();
    if (!takesIdempotencyKey(method, path)) throw badKey("does not go with what streams");
    if (!/^[!-~]{1,200}$/.test(key)) throw badKey("has 1 to 200 characters of ASCII, no spaces");
    const { principal } = context.var;
    const id = `${principalName(principal)} ${key}`;
    const request = await fingerprint(context.req.raw);
    const nowMs = clock.monotonicMs();
    forget(entries, nowMs);
    const before = entries.get(id);
    if (before !== undefined) {
      if (before.request !== request) throw badKey("was used for another request");
      const answer = await before.answer;
      if (answer !== null) return replay(answer);
    }
    if (entries.size >= KEPT_MAX) {
      throw new Problem(429, "too much at once", "too many Idempotency-Keys within ten minutes");
    }
    let settle: (answer: Kept | null) => void = () => {};
    const answer = new Promise<Kept | null>((resolve) => settle = resolve);
    entries.set(id, { request, untilMs: nowMs + KEPT_MS, answer });
    try {
      await next();
      const { status } = context.res;
      const kept = status >= 500 ? null : await keep(context.res.clone());
      if (kept === null) entries.delete(id);
      settle(kept);
    } catch (error) {
      entries.delete(id);
      settle(null);
      throw error;
    }
    return undefined;
  };
}

function badKey(why: string): Problem {
  return new Problem(422, "bad idempotency key", `the Idempotency-Key is refused: it ${why}`);
}

/** What makes two requests the same. */
async function fingerprint(request: Request): Promise<string> {
  const body = new Uint8Array(await request.clone().arrayBuffer());
  if (body.length > BODY_BYTES_MAX) throw badKey("goes with bodies up to 1 MiB");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body)).toBase64();
  const { pathname, search } = new URL(request.url);
  return `${request.method} ${pathname}${search} ${digest}`;
}

async function keep(response: Response): Promise<Kept> {
  const body = await response.text();
  return {
    status: response.status,
    headers: [...response.headers],
    body: body.length > ANSWER_CHARS_MAX ? null : body,
  };
}

function replay({ status, headers, body }: Kept): Response {
  if (body === null) throw badKey("was used, and its answer was too long to be kept");
  const response = new Response(body === "" ? null : body, {
    status,
    headers: new Headers(headers.map(([name, value]): [string, string] => [name, value])),
  });
  response.headers.set("idempotent-replayed", "true");
  return response;
}

/** Entries are in the order in which they came, so the oldest come first. */
function forget(entries: Map<string, Entry>, nowMs: number): void {
  for (const [id, { untilMs }] of entries) {
    if (untilMs > nowMs) return;
    entries.delete(id);
  }
}
