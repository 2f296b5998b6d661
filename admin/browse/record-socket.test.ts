/** WebSockets of topics over a real port: records both ways, credit, ends. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { bunServeHttp } from "../../core/io/bun/http.ts";
import type { HttpListener } from "../../core/io/http.ts";
import { startTestApp, type TestApp } from "../records.test-helper.ts";

let app: TestApp;
let server: HttpListener;

beforeAll(async () => {
  app = await startTestApp({ orders: 1, tail: 1 });
  const limits = { bodyBytesMax: 1 << 20, idleSeconds: 60, frameBytesMax: 1 << 20 };
  server = bunServeHttp({ host: "127.0.0.1", port: 0 }, limits, (request, peer, exchange) => {
    return app.fetch(request, { peer, exchange });
  }, null);
});
afterAll(async () => {
  await server.close();
  await app.stop();
});

/** An open socket with what came, one by one. */
async function connect(topic: string) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.address.port}/v1/topics/${topic}/ws`);
  const came: Record<string, unknown>[] = [];
  let tell = () => {};
  socket.onmessage = ({ data }) => {
    came.push(JSON.parse(String(data)));
    tell();
  };
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("no WebSocket"));
  });
  return {
    socket,
    came,
    say: (message: unknown) => socket.send(JSON.stringify(message)),
    next: async () => {
      while (came.length === 0) await new Promise<void>((resolve) => tell = resolve);
      return came.shift();
    },
  };
}

test("records are written with ids and acknowledged, or refused", async () => {
  const { socket, say, next } = await connect("orders");
  say({ produce: { id: 1, records: [{ value: "a" }, { key: "k", value: null }] } });
  expect(await next()).toEqual({
    acknowledged: {
      id: 1,
      records: [{ partition: 0, offset: 0 }, { partition: 0, offset: 1 }],
    },
  });
  say({ produce: { id: "x", records: [{}] } });
  expect(await next()).toMatchObject({ refused: { id: "x", acknowledged: 0 } });
  say({ produce: { id: "y", records: Array(10_001).fill({ value: "v" }) } });
  expect(await next()).toMatchObject({ refused: { id: "y", acknowledged: 0 } });
  say({ nothing: 1 });
  expect(await next()).toMatchObject({ error: {} });
  socket.send("{");
  expect(await next()).toMatchObject({ error: { detail: "that is no JSON" } });
  socket.close();
});

test("records are sent as far as there is credit, to the end or as they come", async () => {
  const writer = await connect("tail");
  const records = Array.from({ length: 5 }, (_, n) => ({ value: String(n) }));
  writer.say({ produce: { id: 1, records } });
  await writer.next();
  const reader = await connect("tail");
  reader.say({ consume: { from: "start", follow: true, credit: 2 } });
  expect(await reader.next()).toMatchObject({ record: { value: "0", offset: 0 }, next: "0:1" });
  expect(await reader.next()).toMatchObject({ record: { value: "1" }, next: "0:2" });
  // Without credit nothing comes, though there are records: the answer to this is the next message.
  reader.say({ nothing: 1 });
  expect(await reader.next()).toMatchObject({ error: {} });
  reader.say({ credit: 100 });
  for (const value of ["2", "3", "4"]) {
    expect(await reader.next()).toMatchObject({ record: { value } });
  }
  writer.say({ produce: { id: 2, records: [{ value: "new" }] } });
  expect(await reader.next()).toMatchObject({ record: { value: "new" }, next: "0:6" });
  reader.say({ stop: true });
  expect(await reader.next()).toEqual({ end: { reason: "stopped", next: "0:6" } });
  reader.say({ consume: { from: "4", where: 'v === "new"' } });
  expect(await reader.next()).toMatchObject({ record: { value: "new" } });
  expect(await reader.next()).toEqual({ end: { reason: "end", next: "0:6" } });
  reader.say({ consume: { from: "nonsense" } });
  expect(await reader.next()).toMatchObject({ end: { reason: "error" } });
  writer.socket.close();
  reader.socket.close();
});

test("a request that asks for no upgrade, and a page of others, get none", async () => {
  const url = `http://127.0.0.1:${server.address.port}/v1/topics/orders/ws`;
  expect((await fetch(url)).status).toBe(426);
  expect((await fetch(url, { headers: { origin: "https://evil.example" } })).status).toBe(403);
});
