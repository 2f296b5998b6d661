/**
 * Entity tags: each JSON answer to a GET has one, made of its body, and is 304 for who has it already.
 * Changes of what can be read under the same path may demand one by If-Match (RFC 9110).
 */
import type { MiddlewareHandler } from "hono";
import type { AdminEnv } from "./app.ts";
import { Problem } from "./problem.ts";

const DIGEST_BYTES = 15;

/** The tag of a body. */
export async function etagOf(body: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
  const short = new Uint8Array(digest, 0, DIGEST_BYTES);
  return `"${short.toBase64({ alphabet: "base64url", omitPadding: true })}"`;
}

/** Adds tags, and answers 304 for If-None-Match. Bodies that stream are no `application/json`. */
export const etags: MiddlewareHandler<AdminEnv> = async (context, next) => {
  await next();
  const { method } = context.req;
  const { status, headers } = context.res;
  const isWhole = headers.get("content-type")?.startsWith("application/json") === true;
  if ((method !== "GET" && method !== "HEAD") || status !== 200 || !isWhole) return;
  const body = await context.res.text();
  const etag = await etagOf(body);
  const known = listed(context.req.header("if-none-match"));
  context.res = known.includes(etag) || known.includes("*")
    ? new Response(null, { status: 304 })
    : new Response(body, { status, headers });
  context.header("etag", etag);
};

/**
 * Throws a `Problem` (412) where the request demands another state than there is. `read`: what a GET
 * answers now.
 */
export async function checkIfMatch(
  ifMatch: string | undefined,
  read: () => Promise<unknown>,
): Promise<void> {
  if (ifMatch === undefined || ifMatch.trim() === "*") return;
  const etag = await etagOf(JSON.stringify(await read()));
  if (listed(ifMatch).includes(etag)) return;
  throw new Problem(
    412,
    "changed meanwhile",
    "this is not as it was when you read it: read it again, then decide again",
    { headers: { etag } },
  );
}

function listed(header: string | undefined): string[] {
  return (header ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""))
    .filter((tag) => tag !== "");
}
