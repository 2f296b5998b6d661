/** The admin API over a real broker: who may ask, how errors look, who is connected. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { bunServeHttp } from "../core/io/bun/http.ts";
import { bunIo } from "../core/io/bun/index.ts";
import type { HttpListener } from "../core/io/http.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { silentLogger } from "../core/logger.ts";
import { fetch as fetchApi } from "../core/protocol/01-fetch.ts";
import { metadata } from "../core/protocol/03-metadata.ts";
import { apiVersions } from "../core/protocol/18-api-versions.ts";
import { type RunningBroker, startBroker } from "../broker/start-broker.ts";
import { RawClient } from "../tests/harness/raw-client.ts";
import { startAdminServer } from "./server.ts";

let running: RunningBroker;
let server: HttpListener;
let isStarted = true;
const logged: string[] = [];
const io = { ...bunIo(), disk: new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 26 }) };

beforeAll(async () => {
  const topics = [{
    name: "orders",
    numPartitions: 1,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  }];
  const logger = { ...silentLogger, error: (message: string) => void logged.push(message) };
  running = await startBroker({ io, logger, dataDir: "/data", topics });
  server = startAdminServer({
    serveHttp: bunServeHttp,
    at: { host: "127.0.0.1", port: 0 },
    running: () => isStarted ? running : null,
  });
});
afterAll(async () => {
  await server.close();
  await running.stop();
});

/** Status, type and body of an answer. */
async function ask(path: string, init: RequestInit = {}) {
  const answer = await fetch(`http://127.0.0.1:${server.address.port}${path}`, init);
  const body: unknown = await answer.json();
  return { status: answer.status, type: answer.headers.get("content-type"), body };
}

test("it is live and ready, and says who it is", async () => {
  expect((await ask("/live")).status).toBe(200);
  const { broker } = running;
  expect((await ask("/ready")).body)
    .toEqual({ ready: true, clusterId: broker.clusterId, nodeId: broker.nodeId });
});

test("as long as the broker starts it is live, and not ready", async () => {
  isStarted = false;
  expect(await ask("/live")).toMatchObject({ status: 200, body: { live: true } });
  const starting = { status: 503, body: { title: "not ready", detail: "the broker is starting" } };
  for (const path of ["/ready", "/v1/clients"]) expect(await ask(path)).toMatchObject(starting);
  expect((await ask("/live", { headers: { host: "evil.example" } })).status).toBe(421);
  isStarted = true;
});

test("a broker that is no member of a cluster has no list of members", async () => {
  const none = { status: 404, body: { title: "no member of a cluster" } };
  expect(await ask("/v1/members")).toMatchObject(none);
});

test("what is not there is a problem in RFC 9457's form", async () => {
  expect(await ask("/v1/nothing")).toEqual({
    status: 404,
    type: "application/problem+json",
    body: {
      type: "/problems/not-found",
      title: "not found",
      status: 404,
      detail: "there is nothing at GET /v1/nothing",
    },
  });
});

test("pages of others are refused: by name, by origin, and by what forms can send", async () => {
  const statusOf = async (headers: Record<string, string>, method = "GET") =>
    (await ask("/live", { headers, method })).status;
  expect(await statusOf({ host: "evil.example" })).toBe(421);
  expect(await statusOf({ host: "127.0.0.1.evil.example:8080" })).toBe(421);
  expect(await statusOf({ host: "localhost:8080" })).toBe(200);
  expect(await statusOf({ host: "[::1]:8080" })).toBe(200);
  expect(await statusOf({ origin: "https://evil.example" })).toBe(403);
  expect(await statusOf({ origin: "null" })).toBe(403);
  expect(await statusOf({ "sec-fetch-site": "cross-site" })).toBe(403);
  expect(await statusOf({ origin: `http://127.0.0.1:${server.address.port}` })).toBe(200);
  expect(await statusOf({ "content-type": "text/plain" }, "POST")).toBe(415);
  expect(await statusOf({ "content-type": "application/json" }, "POST")).toBe(404);
});

test("a body that is too large is refused, and the server goes on", async () => {
  const answer = await fetch(`http://127.0.0.1:${server.address.port}/v1/nothing`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "x".repeat(2 * 1024 * 1024),
  });
  await answer.text();
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect((await ask("/live")).status).toBe(200);
});

test("bodies that break off are no bugs, and paths that are no UTF-8 are refused", async () => {
  const { host, port } = server.address;
  const head = "HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  for (const path of ["/v1/topics", "/v1/topics/orders/records", "/v1/topics/orders/search"]) {
    const { promise, resolve } = Promise.withResolvers<void>();
    await Bun.connect({
      hostname: host,
      port,
      socket: {
        open: (socket) => {
          socket.write(
            `POST ${path} ${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{"nam\r\nZZ\r\n`,
          );
        },
        data: (socket) => void socket.end(),
        close: () => resolve(),
      },
    });
    await promise;
  }
  for (const key of ["%ff", "%zz", "100%"]) {
    expect(await ask(`/v1/topics/orders/keys/${key}`)).toMatchObject({
      status: 400,
      body: { detail: "the path has a % that begins no escape of UTF-8" },
    });
  }
  expect((await ask("/v1/topics/orders/keys/100%25")).status).toBe(200);
  expect(logged).toEqual([]);
});

test("clients are listed with what they are, what they touch, and their last error", async () => {
  const client = await RawClient.connect(running.port);
  await client.request(apiVersions, 4, {
    clientSoftwareName: "raw",
    clientSoftwareVersion: "1.2",
  });
  const { topics } = await client.request(metadata, 12, { topics: null });
  await client.request(fetchApi, 13, {
    maxWaitMs: 0,
    maxBytes: 1000,
    topics: [{
      topicId: topics[0]?.topicId ?? "",
      partitions: [{ partition: 7, fetchOffset: 0n, partitionMaxBytes: 1000 }],
    }],
  });
  const [listed, ...others] = running.clients();
  expect(others).toEqual([]);
  expect(listed).toMatchObject({
    software: "raw",
    softwareVersion: "1.2",
    principal: "User:ANONYMOUS",
    listener: "PLAINTEXT",
    topics: ["orders"],
    inFlight: 0,
    throttleMs: 0,
    lastApi: "Fetch",
    errors: 1,
    lastError: { api: "Fetch", error: "UNKNOWN_TOPIC_OR_PARTITION" },
  });
  expect(listed?.totals.requests).toBe(3);
  expect(listed?.totals.bytesIn).toBeGreaterThan(100);
  expect(listed?.rates.bytesOut).toBeGreaterThan(0);
  expect((await ask("/v1/clients")).body).toMatchObject({ clients: [{ software: "raw" }] });
  client.close();
});

test("a port that is taken is an error where it was asked for", () => {
  const at = server.address;
  expect(() => startAdminServer({ serveHttp: bunServeHttp, at, running: () => null }))
    .toThrow(/cannot listen on 127.0.0.1:\d+ for administration: the port is in use/);
});
