/**
 * Who may talk to the admin server. It has no passwords unless it is told to, and listens on
 * loopback; so it answers no page but its own (`core/http-guard.ts` says why and how). What changes
 * something has to be `application/json` besides, or have a header of our own: no form can send either.
 * Links from elsewhere may open our pages, which hold nothing before they have asked for it themselves.
 * Records have many types: but each POST of a form names its Origin (Fetch standard), and each PUT of a
 * page is asked for first.
 */
import { askingPage, namesThisServer } from "../core/http-guard.ts";
import { Problem } from "./problem.ts";
import { streamsBody } from "./streams.ts";

/** With any value: no form can send it, and no page of another site may. */
const REQUEST_HEADER = "X-Kstream-Request";
/** Methods that change nothing. */
const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** Why the request is refused, or null. `ownName` is the host that the server was told to bind. */
export function refusal(request: Request, ownName: string): Problem | null {
  if (!namesThisServer(request, ownName)) {
    const host = request.headers.get("host") ?? "";
    return new Problem(
      421,
      "wrong host",
      `this server is not "${host.slice(0, 100)}": ask it by its address, as in ` +
        "http://127.0.0.1:8080",
    );
  }
  const { isForeign, isOthers } = askingPage(request);
  if (isForeign || (isOthers && !opensPage(request))) {
    return new Problem(
      403,
      "cross-site request",
      "web pages of others may not ask this server: use a program, or a page of its own",
    );
  }
  if (SAFE_METHODS.includes(request.method)) return null;
  if (streamsBody(request.method, new URL(request.url).pathname)) return null;
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (type === "application/json" || request.headers.has(REQUEST_HEADER)) return null;
  return new Problem(
    415,
    "wrong content type",
    `what changes something is sent as application/json, or with a header ${REQUEST_HEADER}: 1`,
  );
}

/**
 * Whether somebody follows a link to a page of ours: the document has no data in it, and no page can
 * read or frame it.
 */
function opensPage(request: Request): boolean {
  const { pathname } = new URL(request.url);
  return request.method === "GET" && request.headers.get("sec-fetch-mode") === "navigate" &&
    request.headers.get("sec-fetch-dest") === "document" &&
    (pathname === "/" || pathname === "/ui" || pathname.startsWith("/ui/"));
}
