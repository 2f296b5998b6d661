/** Spans of records on their way to a collector, of a real broker and the client library. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import { type RunningBroker, startBroker } from "../../broker/start-broker.ts";
import { Producer } from "../../client/producer.ts";
import type { Tracing } from "../../broker/tracing/tracing.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import type { CompressionName } from "../../core/compression/codec.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { createLogger } from "../../core/logger.ts";
import { FakeCollector } from "./collector.test-helper.ts";
import { exportTelemetry } from "./telemetry.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const encoder = new TextEncoder();

let collector: FakeCollector;
let lines: string[];
beforeEach(() => {
  collector = new FakeCollector();
  lines = [];
});
afterEach(() => collector.stop());

interface World {
  readonly running: RunningBroker;
  send(headers: Record<string, string>, compression?: CompressionName): Promise<number>;
}

async function withBroker(
  body: (world: World) => Promise<void>,
  configs: Record<string, string> = {},
): Promise<void> {
  const io = { ...bunIo(), disk: new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 26 }) };
  const running = await startBroker({
    io,
    dataDir: "/data",
    logger: createLogger({
      level: "info",
      format: "text",
      wallMs: () => 0,
      write: (line) => lines.push(line),
    }),
    topics: [{
      name: "orders",
      numPartitions: 1,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    }],
    config: BrokerConfig.of({
      "kstream.otlp.endpoint": collector.endpoint,
      "kstream.otlp.traces": "on",
      ...configs,
    }),
  });
  const exporting = exportTelemetry(running.broker, "1.2.3");
  const send = async (headers: Record<string, string>, compression: CompressionName = "none") => {
    const producer = new Producer(io, {
      brokers: [{ host: "127.0.0.1", port: running.port }],
      clientId: "shop",
      codecs: bunCodecs,
      compression,
    });
    const sending = producer.send({
      topic: "orders",
      value: encoder.encode("hello"),
      headers: Object.entries(headers).map(([name, value]) => [name, encoder.encode(value)]),
    });
    const [{ offset }] = await Promise.all([sending, producer.flush()]);
    await producer.close();
    return Number(offset);
  };
  try {
    await body({ running, send });
  } finally {
    await running.stop();
    await exporting;
  }
}

const traceparent = (trace = TRACE, flags = "01") => `00-${trace}-${SPAN}-${flags}`;

describe("a record with a sampled traceparent", () => {
  test("has a span of its append, as a child of the context", async () => {
    await withBroker(async ({ send }) => {
      const beforeMs = Date.now();
      await send({ other: "x" });
      const offset = await send({ traceparent: traceparent(), tracestate: "shop=1" });
      const [span] = await collector.until(() => collector.spans().length > 0 && collector.spans());
      expect(span).toMatchObject({
        traceId: TRACE,
        parentSpanId: SPAN,
        traceState: "shop=1",
        name: "append orders",
        kind: 1,
        attributes: {
          "messaging.system.name": "kafka",
          "messaging.operation.name": "append",
          "messaging.destination.name": "orders",
          "messaging.destination.partition.id": "0",
          "messaging.client.id": "shop",
          "messaging.message.body.size": 5,
          "kafka.offset": offset,
          "kstream.api": "Produce",
          "kstream.acks": "all",
        },
      });
      expect(span!.spanId).not.toBe(SPAN);
      expect(span!.status).toBeUndefined();
      expect(span!.startMs).toBeGreaterThanOrEqual(beforeMs);
      expect(span!.endMs).toBeLessThanOrEqual(Date.now() + 1);
    });
    expect(collector.spans().length).toBe(1);
  });

  test.each(["gzip", "snappy", "lz4", "zstd"] as const)("compressed with %s", async (codec) => {
    await withBroker(async ({ send }) => {
      await send({ traceparent: traceparent() }, codec);
      await collector.until(() => collector.spans().length > 0);
    });
    expect(collector.spans().map(({ traceId }) => traceId)).toEqual([TRACE]);
  });

  test("of a share of the traces, if not of all; by their ids", async () => {
    const low = "0".repeat(31) + "1";
    const high = "f".repeat(32);
    await withBroker(async ({ send }) => {
      await send({ traceparent: traceparent(low) });
      await send({ traceparent: traceparent(high) });
    }, { "kstream.otlp.traces.ratio": "0.5" });
    // What is left is sent when the broker stops.
    expect(collector.spans().map(({ traceId }) => traceId)).toEqual([high]);
  });
});

test("others have none: not sampled, no context, traces off", async () => {
  await withBroker(async ({ send }) => {
    await send({ traceparent: traceparent(TRACE, "00") });
    await send({ traceparent: "00-nonsense-01" });
    await send({ traceparents: traceparent() });
  });
  await withBroker(async ({ running, send }) => {
    await send({ traceparent: traceparent() });
    expect(running.broker.tracing).toBeNull();
  }, { "kstream.otlp.traces": "off" });
  expect(collector.spans()).toEqual([]);
});

test("a collector that is busy gets the spans later, one that refuses them does not", async () => {
  let answers = 0;
  collector.answering = ({ path }) =>
    path === "/v1/traces" && ++answers === 1 ? new Response("busy", { status: 503 }) : null;
  let tracing: Tracing | null = null;
  await withBroker(async ({ running, send }) => {
    ({ tracing } = running.broker);
    await send({ traceparent: traceparent() });
    await collector.until(() => collector.spans().length > 0);
    expect(answers).toBe(2);
    collector.answering = () => new Response("no", { status: 400 });
    const before = collector.count;
    await send({ traceparent: traceparent() });
    await collector.until(() => collector.count > before);
    collector.answering = () => Response.json({ partialSuccess: { rejectedSpans: "1" } });
    await send({ traceparent: traceparent() });
    await collector.until(() => collector.count > before + 1);
  });
  expect(tracing).toMatchObject({ exported: 1, refused: 2, dropped: 0 });
  expect(collector.spans().length).toBe(1);
  expect(lines.filter((line) => line.includes("spans do not reach the collector")).length).toBe(2);
  expect(lines.filter((line) => line.includes("spans reach the collector again")).length).toBe(2);
});

test("a collector that never answers slows nobody, and what waits for it is bounded", async () => {
  const hanging = Promise.withResolvers<Response>();
  collector.answering = () => hanging.promise;
  await withBroker(async ({ running, send }) => {
    const tracing = running.broker.tracing!;
    await send({ traceparent: traceparent() });
    await collector.until(() => collector.count > 0);
    const parent = { traceId: TRACE, spanId: SPAN, isSampled: true };
    const told = { name: "x", kind: "internal", attributes: {}, error: null } as const;
    for (let count = 0; count < 10_000; count++) tracing.end(tracing.begin(parent, "")!, told);
    expect(tracing.waitingCount).toBe(8192);
    expect(tracing.dropped).toBe(10_000 - 8192);
    await send({ traceparent: traceparent() });
    expect(tracing.dropped).toBe(10_001 - 8192);
  });
  // It stops, although nobody answers: for the rest it waits two seconds.
  hanging.resolve(new Response(null, { status: 400 }));
});

test("traces without a collector, and a collector that is no URL, are refused", () => {
  const problems = (configs: Record<string, string>) => {
    const parsed = BrokerConfig.parse(new Map(Object.entries(configs)));
    return parsed.ok ? "" : parsed.problems.join();
  };
  expect(problems({ "kstream.otlp.traces": "on" })).toContain("set kstream.otlp.endpoint");
  expect(problems({ "kstream.otlp.endpoint": "collector:4318" })).toContain("no http or https URL");
});
