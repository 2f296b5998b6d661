/** Slow requests in the log: a real broker with a fault that slows it, and the bound on lines. */
import { expect, test } from "bun:test";
import { bunIo } from "../../core/io/bun/index.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { createLogger } from "../../core/logger.ts";
import { metadata } from "../../core/protocol/03-metadata.ts";
import { apiVersions } from "../../core/protocol/18-api-versions.ts";
import { RawClient } from "../../tests/harness/raw-client.ts";
import { BrokerConfig } from "../config/broker-config.ts";
import { faultSpec } from "../dev/fault-spec.ts";
import { HandClock } from "../hand-clock.test-helper.ts";
import { startBroker } from "../start-broker.ts";
import { type FinishedRequest, SlowRequests } from "./slow-requests.ts";

function logTo(lines: Record<string, unknown>[]) {
  return createLogger({
    level: "warn",
    format: "json",
    wallMs: () => 0,
    write: (line) => lines.push(JSON.parse(line)),
  });
}

const REQUEST: FinishedRequest = {
  api: "Produce",
  clientId: "writer",
  connection: 3,
  correlationId: 4,
  listener: "PLAINTEXT",
  peer: "127.0.0.1:5",
  totalMs: 150,
  queueMs: 0,
  localMs: -1,
  requestBytes: 10,
};

test("lines are bounded, and what was left out is counted", () => {
  const lines: Record<string, unknown>[] = [];
  const clock = new HandClock();
  const slow = new SlowRequests(clock, logTo(lines), 100);
  for (let count = 0; count < 50; count++) slow.note(REQUEST);
  expect(lines.length).toBe(20);
  expect(lines[0]).toMatchObject({
    api: "Produce",
    clientId: "writer",
    totalMs: 150,
    localMs: null,
  });
  clock.advance(10_000);
  slow.note(REQUEST);
  expect(lines.slice(20)).toMatchObject([{ leftOut: 30 }, { message: "a slow request" }]);
});

test("a long poll is not slow, but one that waited for its turn is", () => {
  const lines: Record<string, unknown>[] = [];
  const slow = new SlowRequests(new HandClock(), logTo(lines), 100);
  slow.note({ ...REQUEST, api: "Fetch" });
  expect(lines).toEqual([]);
  slow.note({ ...REQUEST, api: "Fetch", queueMs: 120 });
  slow.note({ ...REQUEST, api: "Fetch", localMs: 120 });
  expect(lines.length).toBe(2);
});

test("a broker logs what takes longer than kstream.slow.request.ms", async () => {
  const lines: Record<string, unknown>[] = [];
  const io = { ...bunIo(), disk: new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 26 }) };
  const running = await startBroker({
    io,
    logger: logTo(lines),
    dataDir: "/data",
    dev: true,
    config: BrokerConfig.of({ "kstream.slow.request.ms": "20" }),
  });
  const { broker } = running;
  broker.dev?.faults.add(faultSpec({ api: "Metadata", latencyMs: 40 }, broker.apis));
  const client = await RawClient.connect(running.port);
  await client.request(apiVersions, 3, {});
  await client.request(metadata, 12, { topics: null });
  const found = lines.filter(({ message }) => message === "a slow request");
  const where = { connection: expect.any(Number), correlationId: 2, listener: "PLAINTEXT" };
  expect(found).toMatchObject([{ api: "Metadata", clientId: "raw", queueMs: 0, ...where }]);
  expect(Number(found[0]?.["totalMs"])).toBeGreaterThanOrEqual(39);
  client.close();
  await running.stop();
});
