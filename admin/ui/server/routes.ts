/**
 * The web pages: `/ui/…`. Scripts and styles have their contents in their names, so browsers keep
 * them for ever; every other path below `/ui/` is the one document, which shows the page of that path.
 * The policy lets it load and ask nothing but this server.
 */
import type { Context } from "hono";
import { gunzipSync } from "node:zlib";
import type { AdminApp, AdminServices } from "../../app.ts";
import { Problem } from "../../problem.ts";
import type { PageFile } from "../../../core/io/web-pages.ts";

const POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'; object-src 'none'";

export function uiRoutes(app: AdminApp, { loadPages }: AdminServices): void {
  let files: ReturnType<typeof loadPages> | null = null;
  const find = async (path: string): Promise<PageFile | undefined> => {
    const known = await (files ??= loadPages());
    if (known !== null) return known.get(path);
    files = null;
    throw new Problem(503, "not built", "the pages were not built: run make build");
  };
  app.get("/", (context) => context.redirect("/ui/"));
  app.get("/ui", (context) => context.redirect("/ui/"));
  app.get("/ui/assets/:name", async (context) => {
    const file = await find(`assets/${context.req.param("name")}`);
    if (file === undefined) throw new Problem(404, "not found", "there is no such file");
    return answer(context, file, { "cache-control": "public, max-age=31536000, immutable" });
  });
  app.get("/ui/*", async (context) => {
    const file = await find("index.html");
    if (file === undefined) throw new Problem(503, "not built", "the pages lack their document");
    return answer(context, file, {
      "cache-control": "no-cache",
      "content-security-policy": POLICY,
      "cross-origin-opener-policy": "same-origin",
      "referrer-policy": "no-referrer",
    });
  });
}

function answer(context: Context, file: PageFile, headers: Record<string, string>): Response {
  const accepted = (context.req.header("accept-encoding") ?? "").toLowerCase();
  const encoding = /\bbr\b/.test(accepted) ? "br" : /\bgzip\b/.test(accepted) ? "gzip" : null;
  const body = encoding === "br"
    ? file.brotli
    : encoding === "gzip"
    ? file.gzip
    : new Uint8Array(gunzipSync(file.gzip));
  return context.body(body, 200, {
    ...headers,
    "content-type": file.type,
    vary: "accept-encoding",
    ...(encoding === null ? {} : { "content-encoding": encoding }),
  });
}
