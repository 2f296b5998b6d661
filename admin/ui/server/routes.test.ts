/** How the pages are served, without a browser: `tests/ui` looks at them with one. */
import { expect, test } from "bun:test";
import { Hono } from "hono";
import { brotliDecompressSync } from "node:zlib";
import type { AdminApp } from "../../app.ts";
import { refusal } from "../../guard.ts";
import { Problem } from "../../problem.ts";
import type { AdminServices } from "../../services.ts";
import { bunLoadPages } from "../../../core/io/bun/web-pages.ts";
import { uiRoutes } from "./routes.ts";

const COMPRESSED_BYTES_MAX = 200_000;

const app: AdminApp = new Hono();
app.onError((error) => {
  if (error instanceof Problem) return error.response();
  throw error;
});
uiRoutes(app, { loadPages: bunLoadPages } as AdminServices);

const ask = (path: string, headers: Record<string, string> = {}) =>
  Promise.resolve(app.request(path, { headers }));

test("the root leads to the pages", async () => {
  const answer = await ask("/");
  expect(answer.status).toBe(302);
  expect(answer.headers.get("location")).toBe("/ui/");
});

test("every path is the document, which may load from this server alone", async () => {
  for (const path of ["/ui/", "/ui/topics/a%2Fb/messages?from=-5", "/ui/no/such/page"]) {
    const answer = await ask(path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("no-cache");
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'self';");
    expect(await answer.text()).toContain('<div id="app">');
  }
});

test("what the document names is kept for ever, and comes as small as the browser takes it", async () => {
  const document = await (await ask("/ui/")).text();
  const named = [...document.matchAll(/\/ui\/assets\/[\w.-]+/g)].map(([path]) => path);
  expect(named.map((path) => path.split(".").at(-1)).sort()).toEqual(["css", "js", "svg"]);
  for (const path of named) {
    const plain = await (await ask(path)).text();
    const gzip = await ask(path, { "accept-encoding": "gzip, deflate" });
    const brotli = await ask(path, { "accept-encoding": "gzip, deflate, br, zstd" });
    expect(brotli.headers.get("cache-control")).toContain("immutable");
    expect([gzip, brotli].map((answer) => answer.headers.get("content-encoding")))
      .toEqual(["gzip", "br"]);
    expect(Buffer.from(Bun.gunzipSync(await gzip.arrayBuffer())).toString()).toBe(plain);
    expect(brotliDecompressSync(await brotli.arrayBuffer()).toString()).toBe(plain);
  }
  expect((await ask("/ui/assets/app-other.js")).status).toBe(404);
});

test("all of it is small", async () => {
  const files = [...(await bunLoadPages())?.values() ?? []];
  expect(files.length).toBeGreaterThan(3);
  for (const encoding of ["gzip", "brotli"] as const) {
    const bytes = files.reduce((sum, file) => sum + file[encoding].length, 0);
    console.log(`all files with ${encoding}: ${bytes} bytes`);
    expect(bytes).toBeLessThan(COMPRESSED_BYTES_MAX);
  }
});

test("a link elsewhere may open a page, and do nothing else", () => {
  const request = (path: string, headers: Record<string, string>) =>
    refusal(
      new Request(`http://127.0.0.1:8080${path}`, {
        headers: { host: "127.0.0.1:8080", "sec-fetch-site": "cross-site", ...headers },
      }),
      "127.0.0.1",
    )?.status ?? null;
  const click = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  expect(request("/", click)).toBe(null);
  expect(request("/ui/topics/a", click)).toBe(null);
  expect(request("/v1/clients", click)).toBe(403);
  expect(request("/uix", click)).toBe(403);
  expect(request("/ui/topics", { ...click, "sec-fetch-dest": "iframe" })).toBe(403);
  expect(request("/ui/topics", { "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" })).toBe(403);
});
