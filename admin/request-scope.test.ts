/** What each HTTP request has: an id, a line in the log, a span of its trace. */
import { expect, test } from "bun:test";
import { BrokerConfig } from "../broker/config/broker-config.ts";
import { faultSpec } from "../broker/dev/fault-spec.ts";
import { createLogger, type LogLevel } from "../core/logger.ts";
import { ApiWorld, topic } from "./api.test-helper.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
/** Nothing is sent there: these tests look at what waits. */
const TRACED = { "kstream.otlp.endpoint": "http://127.0.0.1:9", "kstream.otlp.traces": "on" };

async function start(configs: Record<string, string>, level: LogLevel = "debug") {
  const lines: Record<string, unknown>[] = [];
  const world = await ApiWorld.start({
    dev: true,
    config: BrokerConfig.of(configs),
    topics: [topic("orders")],
    logger: createLogger({
      level,
      format: "json",
      wallMs: () => 0,
      write: (line) => lines.push(JSON.parse(line)),
    }),
  });
  const said = (what: string) => lines.filter(({ message }) => message === what);
  return { world, said };
}

test("the client sees the id that the log names", async () => {
  const { world, said } = await start({});
  const first = await world.ask("GET", "/v1/topics/orders");
  const second = await world.ask("GET", "/v1/nothing", undefined, { "x-request-id": "mine-7" });
  const third = await world.ask("GET", "/v1/topics", undefined, { "x-request-id": "no\tgood" });
  const ids = [first, second, third].map(({ headers }) => headers.get("x-request-id"));
  expect(ids[0]).toMatch(/^[0-9a-f]{8}-\d+$/);
  expect(ids[1]).toBe("mine-7");
  expect(ids[2]).toMatch(/^[0-9a-f]{8}-\d+$/);
  expect(said("an admin request")).toMatchObject([
    { requestId: ids[0], method: "GET", path: "/v1/topics/orders", status: 200 },
    { requestId: "mine-7", path: "/v1/nothing", status: 404, principal: "User:ANONYMOUS" },
    { requestId: ids[2], path: "/v1/topics", status: 200 },
  ]);
  // Who is refused has an id, too.
  const refused = await world.fetch("http://localhost/v1/topics", {
    headers: { "sec-fetch-site": "cross-site", "origin": "http://evil" },
  });
  expect(refused.status).toBe(403);
  expect(refused.headers.get("x-request-id")).not.toBeNull();
  await world.stop();
});

test("a slow request is a warning", async () => {
  const { world, said } = await start({ "kstream.slow.request.ms": "20" }, "warn");
  const { broker } = world.running;
  broker.dev?.faults.add(faultSpec({ api: "Produce", latencyMs: 40 }, broker.apis));
  const answer = await world.fetch("http://localhost/v1/topics/orders/records?format=lines", {
    method: "POST",
    body: "one\n",
  });
  expect(answer.status).toBe(200);
  const requestId = answer.headers.get("x-request-id");
  const [line] = said("a slow admin request");
  expect(line).toMatchObject({ requestId, method: "POST", status: 200 });
  expect(line!["tookMs"]).toBeGreaterThanOrEqual(39);
  await world.stop();
});

test("a request of a trace has a span, of which the appends of its records are children", async () => {
  const { world, said } = await start(TRACED);
  const tracing = world.running.broker.tracing!;
  const traceparent = `00-${TRACE}-${SPAN}-01`;
  await world.ask("GET", "/v1/topics");
  await world.ask("GET", "/v1/topics", undefined, { traceparent: `00-${TRACE}-${SPAN}-00` });
  expect(tracing.waitingCount).toBe(0);
  const answer = await world.fetch("http://localhost/v1/topics/orders/records?format=lines", {
    method: "POST",
    body: "one\ntwo\n",
    headers: { traceparent, "user-agent": "shop/1" },
  });
  expect(answer.status).toBe(200);
  const spans = tracing.take(10);
  const server = spans.find(({ kind }) => kind === "server");
  expect(server).toMatchObject({
    traceId: TRACE,
    parentSpanId: SPAN,
    name: "POST /v1/topics/:topic/records",
    error: null,
    attributes: {
      "http.request.method": "POST",
      "http.route": "/v1/topics/:topic/records",
      "http.response.status_code": 200,
      "url.path": "/v1/topics/orders/records",
      "url.scheme": "http",
      "client.address": "127.0.0.1",
      "user_agent.original": "shop/1",
    },
  });
  const appends = spans.filter(({ kind }) => kind === "internal");
  expect(appends.map(({ parentSpanId }) => parentSpanId)).toEqual(
    [server!.spanId, server!.spanId],
  );
  expect(appends.map(({ attributes }) => attributes["kafka.offset"])).toEqual([0, 1]);
  expect(said("an admin request").at(-1)).toMatchObject({ traceId: TRACE });
  // Consumers find the parent in the record.
  const read = await world.fetch("http://localhost/v1/topics/orders/records");
  expect(await read.text()).toContain(`00-${TRACE}-${server!.spanId}-01`);
  await world.stop();
});
