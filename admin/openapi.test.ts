/** The document has every route, and the typed client knows those that stream, too. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ApiWorld, topic } from "./api.test-helper.ts";

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<Record<string, { readonly content?: object }>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

let world: ApiWorld;
let document: Document;
beforeAll(async () => {
  world = await ApiWorld.start({ topics: [topic("orders")] });
  document = JSON.parse(await (await world.fetch("http://localhost/openapi.json")).text());
});
afterAll(() => world.stop());

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

test("what the server routes is in the document, but the pages", () => {
  const served = world.routes
    .filter(({ method, path }) =>
      METHODS.includes(method) && !path.startsWith("/ui") && path !== "/"
    )
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, "{$1}")}`);
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
  );
  expect(served).toContain("GET /v1/topics/{topic}/records");
  expect([...new Set(served)].toSorted()).toEqual(described.toSorted());
});

test("operations have ids of their own, and references lead somewhere", () => {
  const ids = Object.values(document.paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId)
  );
  expect(new Set(ids).size).toBe(ids.length);
  const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g);
  for (const [, name = ""] of references) expect(document.components.schemas).toHaveProperty(name);
});

test("what streams says its types, and takes no Idempotency-Key", async () => {
  const at = document.paths["/v1/topics/{topic}/records"];
  expect(Object.keys(at?.["get"]?.responses["200"]?.content ?? {}))
    .toEqual(["application/x-ndjson", "text/event-stream", "text/csv"]);
  expect(Object.keys(at?.["post"]?.requestBody?.content ?? {})).toContain("text/plain");
  const names = (path: string) =>
    document.paths[path]?.["post"]?.parameters?.map(({ name }) => name) ?? [];
  expect(names("/v1/topics/{topic}/records")).toContain("key-delimiter");
  expect(names("/v1/topics/{topic}/records")).not.toContain("Idempotency-Key");
  expect(names("/v1/topics/{topic}/search")).not.toContain("Idempotency-Key");
  expect(names("/v1/topics")).toContain("Idempotency-Key");
  for (const [path, body] of [["records?format=lines", "a"], ["search", { text: "a" }]] as const) {
    const key = { "idempotency-key": "k" };
    expect((await world.ask("POST", `/v1/topics/orders/${path}`, body, key)).status).toBe(422);
  }
});

test("the typed client writes, reads and asks for metrics", async () => {
  const records = world.api.v1.topics[":topic"].records;
  const written = await records.$post({
    param: { topic: "orders" },
    query: { format: "lines", compression: "zstd", "header.from": "here" },
    header: {},
  }, { init: { body: "a\nb\n" } });
  expect(await written.json()).toMatchObject({ records: 2 });
  const read = await records.$get({
    param: { topic: "orders" },
    query: { limit: "1" },
    header: {},
  });
  expect(await read.text()).toContain('"value":"a","headers":[["from","here"]]');
  const missing = await world.api.v1.topics[":topic"].keys[":key{.*}"].$get({
    param: { topic: "orders", key: "k" },
    query: {},
  });
  expect(await missing.json()).toMatchObject({ records: [] });
  expect((await world.api.ready.$get()).status).toBe(200);
});
