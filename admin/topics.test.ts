/** `/v1/topics`, and what holds for all of the API: pages, tags, keys of idempotency, problems. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ApiWorld, topic } from "./api.test-helper.ts";

let world: ApiWorld;

beforeAll(async () => {
  world = await ApiWorld.start({
    topics: [topic("orders", 3), topic("payments"), topic("logs", 20)],
  });
});
afterAll(() => world.stop());

test("topics are listed in pages, by name and by expression", async () => {
  const first = await world.api.v1.topics.$get({ query: { limit: "2" } });
  const page = await first.json();
  expect(page.topics.map(({ name }) => name)).toEqual(["logs", "orders"]);
  expect(page.total).toBe(3);
  const next = await world.api.v1.topics.$get({
    query: { limit: "2", cursor: page.nextCursor ?? "" },
  });
  const rest = await next.json();
  expect(rest).toMatchObject({
    topics: [{
      name: "payments",
      partitions: 1,
      replicationFactor: 1,
      underReplicated: 0,
      leaderless: 0,
    }],
    nextCursor: null,
  });
  const names = async (query: string) => {
    const { body } = await world.ask("GET", `/v1/topics?${query}`);
    return (body as { topics: { name: string }[] }).topics.map(({ name }) => name);
  };
  expect(await names("filter=ORD")).toEqual(["orders"]);
  expect(await names("where=v.partitions%20%3E%203")).toEqual(["logs"]);
});

test("a topic is made, described, grown and deleted", async () => {
  const dry = await world.ask("POST", "/v1/topics?dryRun=true", { name: "new", partitions: 2 });
  expect([dry.status, dry.body]).toEqual([201, {
    name: "new",
    partitions: 2,
    replicationFactor: 1,
  }]);
  expect((await world.ask("GET", "/v1/topics/new")).status).toBe(404);
  const made = await world.ask("POST", "/v1/topics", { name: "new", partitions: 2 });
  expect(made.headers.get("location")).toBe("/v1/topics/new");
  const again = await world.ask("POST", "/v1/topics", { name: "new" });
  expect(again).toMatchObject({
    status: 409,
    body: { type: "/problems/conflict", error: "TOPIC_ALREADY_EXISTS" },
  });
  expect((await world.ask("POST", "/v1/topics/new/partitions", { count: 4 })).body)
    .toEqual({ partitions: 4 });
  const described = await world.api.v1.topics[":topic"].$get({ param: { topic: "new" } });
  expect(await described.json()).toMatchObject({
    name: "new",
    records: 0,
    partitions: [0, 1, 2, 3].map((partition) => ({
      partition,
      leader: world.running.broker.nodeId,
      startOffset: 0,
      endOffset: 0,
    })),
  });
  expect((await world.ask("DELETE", "/v1/topics/new")).body).toEqual({ deleted: "new" });
  expect(await world.ask("DELETE", "/v1/topics/new")).toMatchObject({
    status: 404,
    body: { error: "UNKNOWN_TOPIC_OR_PARTITION" },
  });
});

test("a request that is not as described is refused with the place", async () => {
  const bad = async (method: string, path: string, body?: unknown) => {
    const answer = await world.ask(method, path, body);
    const { errors } = answer.body as { errors?: { path: string }[] };
    return [answer.status, errors?.map(({ path }) => path)];
  };
  expect(await bad("POST", "/v1/topics", { name: "t", partitions: "two" })).toEqual([400, [
    "partitions",
  ]]);
  expect(await bad("POST", "/v1/topics", { nmae: "t" })).toEqual([400, ["name", ""]]);
  expect(await bad("GET", "/v1/topics?limit=0")).toEqual([400, ["?limit"]]);
  expect(await bad("GET", "/v1/topics?cursor=%21")).toEqual([400, ["?cursor"]]);
  expect(await bad("GET", "/v1/topics?where=v.")).toEqual([400, ["?where"]]);
  expect(await bad("GET", "/v1/topics/orders/partitions/x/producers")).toEqual([400, [
    "{partition}",
  ]]);
  const { status } = await world.fetch("http://localhost/v1/topics", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{",
  });
  expect(status).toBe(400);
});

test("what has not changed is not sent again", async () => {
  const first = await world.ask("GET", "/v1/topics/orders");
  const etag = first.headers.get("etag") ?? "";
  const same = await world.ask("GET", "/v1/topics/orders", undefined, { "if-none-match": etag });
  expect([same.status, same.body, same.headers.get("etag")]).toEqual([304, "", etag]);
  await world.ask("POST", "/v1/topics/orders/partitions", { count: 5 });
  const changed = await world.ask("GET", "/v1/topics/orders", undefined, { "if-none-match": etag });
  expect(changed.status).toBe(200);
});

test("a write with a key is done once", async () => {
  const key = { "idempotency-key": "k-1" };
  const write = () => world.ask("POST", "/v1/topics", { name: "once" }, key);
  const [first, second] = await Promise.all([write(), write()]);
  expect([first.status, second.status]).toEqual([201, 201]);
  const third = await write();
  expect([third.status, third.body]).toEqual([201, first.body]);
  expect(third.headers.get("idempotent-replayed")).toBe("true");
  const other = await world.ask("POST", "/v1/topics", { name: "twice" }, key);
  expect(other).toMatchObject({ status: 422, body: { type: "/problems/bad-idempotency-key" } });
  const refused = await world.ask("POST", "/v1/topics", { name: "once" }, {
    "idempotency-key": "k-2",
  });
  expect(refused.status).toBe(409);
});

test("the API describes itself, for programs and for people", async () => {
  const { body } = await world.ask("GET", "/openapi.json");
  expect(body).toMatchObject({
    openapi: "3.1.0",
    paths: {
      "/v1/topics": { get: { operationId: "listTopics" }, post: { operationId: "createTopic" } },
    },
  });
  const page = await world.ask("GET", "/docs");
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(page.body).toContain('id="createTopic"');
  expect(page.body).not.toMatch(/<script|src=|https?:\/\/(?!www\.apache)/);
});

test("the trash comes in pages, the latest first", async () => {
  for (const name of ["gone-1", "gone-2", "gone-3"]) {
    await world.ask("POST", "/v1/topics", { name });
    await world.ask("DELETE", `/v1/topics/${name}`, {});
  }
  const trashed = async (query: string) => {
    const { body } = await world.ask("GET", `/v1/trash?filter=gone-&${query}`);
    return body as { topics: { topic: string; deletedMs: number }[]; nextCursor: string | null };
  };
  const all = await trashed("");
  expect(all.topics.map(({ topic }) => topic).toSorted()).toEqual(["gone-1", "gone-2", "gone-3"]);
  const times = all.topics.map(({ deletedMs }) => deletedMs);
  expect(times).toEqual(times.toSorted((a, b) => b - a));
  const first = await trashed("limit=2");
  const rest = await trashed(`limit=2&cursor=${first.nextCursor}`);
  expect([...first.topics, ...rest.topics]).toEqual(all.topics);
  expect(rest.nextCursor).toBe(null);
});
