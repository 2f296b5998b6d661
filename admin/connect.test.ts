/** Requests for workers of connectors, as the admin server passes them on, and to whom. */
import { afterEach, expect, test } from "bun:test";
import { bunClock } from "../core/io/bun/clock.ts";
import { ApiWorld } from "./api.test-helper.ts";
import { ConnectByUrl } from "./connect-link.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A worker that answers with what it was asked. */
function echo(answer: (request: Request) => Response | Promise<Response>): URL {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  closers.push(() => server.stop(true));
  return new URL(server.url);
}

async function world(urls: readonly URL[] | null): Promise<ApiWorld> {
  const link = urls === null ? null : new ConnectByUrl(urls, bunClock);
  const made = await ApiWorld.start({}, link);
  closers.push(() => made.stop());
  return made;
}

const told = async (request: Request) => {
  const { pathname, search } = new URL(request.url);
  return Response.json({
    method: request.method,
    path: pathname + search,
    authorization: request.headers.get("authorization"),
    cookie: request.headers.get("cookie"),
    body: await request.text(),
  }, { headers: { location: `http://elsewhere:8083${pathname}`, "x-more": "1" } });
};

test("what is asked comes to the worker as it is, in the server's name", async () => {
  const url = echo(told);
  url.username = "ops";
  url.password = "a%20word";
  const { ask } = bound(await world([url]));
  const path = "/v1/connect/connectors/a%2Fb%20c/config?forward=true";
  const answer = await ask("PUT", path, { a: "b" }, {
    authorization: "Basic bWU6bWU=",
    cookie: "c",
  });
  expect(answer.body).toEqual({
    method: "PUT",
    path: "/connectors/a%2Fb%20c/config?forward=true",
    authorization: `Basic ${btoa("ops:a word")}`,
    cookie: null,
    body: '{"a":"b"}',
  });
  expect(answer.headers.get("location")).toBe("/v1/connect/connectors/a%2Fb%20c/config");
  expect(answer.headers.get("x-more")).toBeNull();
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect((await ask("GET", "/v1/connect")).body).toMatchObject({ path: "/", body: "" });
});

test("refusals of the worker are passed on, but none that a browser would ask a password for", async () => {
  let status = 409;
  const url = echo(() =>
    Response.json({ error_code: status, message: "no" }, {
      status,
      headers: { "www-authenticate": "Basic" },
    })
  );
  const { ask } = bound(await world([url]));
  expect(await ask("POST", "/v1/connect/connectors", {})).toMatchObject({
    status: 409,
    body: { error_code: 409, message: "no" },
  });
  status = 401;
  const refused = await ask("GET", "/v1/connect/connectors");
  expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([502, null]);
});

test("of several workers one that is there answers; where none is, that is said without a word of where", async () => {
  const gone = new URL("http://ops:hidden@127.0.0.1:1/");
  const here = echo(told);
  const { ask } = bound(await world([gone, here]));
  expect((await ask("GET", "/v1/connect/connectors")).status).toBe(200);
  const { ask: askGone } = bound(await world([gone]));
  const answer = await askGone("GET", "/v1/connect/connectors");
  expect(answer.status).toBe(502);
  expect(JSON.stringify(answer.body)).not.toContain("hidden");
  const { ask: askNone } = bound(await world(null));
  expect((await askNone("GET", "/v1/connect/connectors")).status).toBe(404);
});

test("pages of others cannot have anything changed, nor read anything", async () => {
  let asked = 0;
  const { fetch } = bound(
    await world([echo(() => {
      asked++;
      return Response.json({});
    })]),
  );
  const post = (headers: Record<string, string>) =>
    fetch("http://localhost/v1/connect/connectors", { method: "POST", headers, body: "{}" });
  expect((await post({ "content-type": "text/plain" })).status).toBe(415);
  const origin = { "content-type": "application/json", origin: "http://evil.example" };
  expect((await post(origin)).status).toBe(403);
  expect(asked).toBe(0);
});

function bound(made: ApiWorld) {
  return { ask: made.ask.bind(made), fetch: made.fetch.bind(made) };
}
