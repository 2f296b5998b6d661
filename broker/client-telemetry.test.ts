import { describe, expect, test } from "bun:test";
import { bunCodecs } from "../core/compression/bun.ts";
import { errorName } from "../core/errors.ts";
import { ZERO_UUID } from "../core/protocol/schema.ts";
import { SimRandom } from "../tests/sim/sim-random.ts";
import { metricsData } from "./client-metrics/metrics-data.test-helper.ts";
import { PushQueue } from "./client-metrics/push-queue.ts";
import { readMetrics } from "./client-metrics/pushed-metrics.ts";
import { ClientTelemetry, type Push, type TelemetryClient } from "./client-telemetry.ts";
import { ManualClock } from "./coordinator/coordinator.test-helper.ts";
import { incrementalAlterConfigsHandler } from "./handlers/44-incremental-alter-configs.ts";
import { metadataBroker } from "./metadata-broker.test-helper.ts";

const CLIENT_METRICS = 16;
const PUSH = metricsData([{ name: "a", value: 1 }]);

/** A store with these subscriptions, on a clock that the test moves. */
async function start(subscriptions: Record<string, Record<string, string>> = {}) {
  const subject = await metadataBroker({ "telemetry.max.bytes": "1000" });
  const clock = new ManualClock();
  const queue = new PushQueue();
  const telemetry = new ClientTelemetry(clock, new SimRandom(1), subject.broker.metadata, {
    nodeId: 7,
    codecs: bunCodecs,
    queue,
  });
  const set = async (name: string, configs: Record<string, string>) => {
    await subject.call(incrementalAlterConfigsHandler, 1, {
      resources: [{
        resourceType: CLIENT_METRICS,
        resourceName: name,
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      }],
    });
  };
  for (const [name, configs] of Object.entries(subscriptions)) await set(name, configs);
  const closing = new AbortController();
  const client: TelemetryClient = {
    clientId: "app-1",
    clientSoftware: { name: "apache-kafka-java", version: "4.3.1" },
    principal: { type: "User", name: "alice" },
    peerAddress: { host: "::ffff:10.0.0.1", port: 5000 },
    signal: closing.signal,
    connection: { id: 1 },
  };
  const subscribe = (id = ZERO_UUID, as = client) => {
    const outcome = telemetry.subscribe(id, as);
    if (!outcome.ok) throw new Error(errorName(outcome.error));
    return outcome.value;
  };
  const push = (change: Partial<Push> & Pick<Push, "clientInstanceId">, as = client) =>
    errorName(telemetry.push({
      subscriptionId: 0,
      terminating: false,
      compressionType: 0,
      metrics: PUSH,
      ...change,
    }, as));
  return {
    telemetry,
    queue,
    clock,
    client,
    set,
    subscribe,
    push,
    disconnect: () => closing.abort(),
  };
}

describe("subscriptions", () => {
  test("ask for what all that match want together, as often as the most eager", async () => {
    const { subscribe, client } = await start({
      all: { "metrics": "a,b", "interval.ms": "60000" },
      java: { "metrics": "b,c", "interval.ms": "1000", "match": "client_software_name=.*-java" },
      other: { "metrics": "*", "match": "client_id=other" },
      both: { "metrics": "d", "match": "client_source_address=10\\.0\\.0\\.1,client_id=no" },
    });
    const first = subscribe();
    expect(first.requestedMetrics).toEqual(["a", "b", "c"]);
    expect(first.pushIntervalMs).toBe(1000);
    expect(first.clientInstanceId).not.toBe(ZERO_UUID);
    const everything = subscribe(ZERO_UUID, { ...client, clientId: "other" });
    expect(everything.requestedMetrics).toEqual(["*"]);
    expect(everything.clientInstanceId).not.toBe(first.clientInstanceId);
  });

  test("without any, nothing is asked for, every five minutes", async () => {
    const { subscribe } = await start();
    expect(subscribe()).toMatchObject({ requestedMetrics: [], pushIntervalMs: 300_000 });
  });

  test("are throttled, but not when they have changed", async () => {
    const { subscribe, clock, set } = await start({ s: { "interval.ms": "1000" } });
    const { clientInstanceId: id, subscriptionId } = subscribe();
    expect(() => subscribe(id)).toThrow("THROTTLING_QUOTA_EXCEEDED");
    await clock.advance(1000);
    expect(subscribe(id).subscriptionId).toBe(subscriptionId);
    await set("s", { "metrics": "new" });
    const changed = subscribe(id);
    expect(changed.requestedMetrics).toEqual(["new"]);
    expect(changed.subscriptionId).not.toBe(subscriptionId);
  });
});

describe("pushes", () => {
  test("are taken in time and kept, the latest of each client", async () => {
    const { subscribe, push, clock, telemetry, queue } = await start({
      s: { "interval.ms": "1000" },
    });
    const { clientInstanceId, subscriptionId } = subscribe();
    const ids = { clientInstanceId, subscriptionId };
    expect(push(ids)).toBe("NONE");
    expect(push(ids)).toBe("THROTTLING_QUOTA_EXCEEDED");
    await clock.advance(1000);
    const packed = bunCodecs.zstd!.compress(PUSH);
    expect(push({ ...ids, metrics: packed, compressionType: 4 })).toBe("NONE");
    expect([...telemetry.latestPushes()]).toMatchObject([{
      clientInstanceId,
      clientId: "app-1",
      compressionType: 4,
      metrics: packed,
    }]);
    // All go on, unpacked and with what the broker knows of the client.
    const sent = queue.take(1 << 20);
    expect(sent.length).toBe(2);
    expect(readMetrics(sent[1]!)[0]).toMatchObject({
      name: "a",
      resource: new Map([
        ["client_instance_id", clientInstanceId],
        ["client_id", "app-1"],
        ["client_software_name", "apache-kafka-java"],
        ["client_software_version", "4.3.1"],
        ["client_source_address", "10.0.0.1"],
        ["client_source_port", "5000"],
        ["principal", "User:alice"],
        ["node_id", "7"],
        ["service.name", "app-1"],
        ["service.instance.id", clientInstanceId],
      ]),
    });
    expect(push({ ...ids, terminating: true })).toBe("NONE");
    await clock.advance(1000);
    expect(push(ids)).toBe("INVALID_REQUEST");
  });

  test("are refused where they are wrong", async () => {
    const { subscribe, push, telemetry } = await start({ s: { "interval.ms": "1000" } });
    const fresh = (change: Partial<Push> = {}) => {
      const { clientInstanceId, subscriptionId } = subscribe();
      return push({ clientInstanceId, subscriptionId, ...change });
    };
    expect(fresh({ clientInstanceId: ZERO_UUID })).toBe("INVALID_REQUEST");
    expect(fresh({ subscriptionId: 1 })).toBe("UNKNOWN_SUBSCRIPTION_ID");
    expect(fresh({ compressionType: 9 })).toBe("UNSUPPORTED_COMPRESSION_TYPE");
    expect(fresh({ metrics: new Uint8Array(1001) })).toBe("TELEMETRY_TOO_LARGE");
    expect(fresh({ metrics: new Uint8Array([1, 2, 3]) })).toBe("INVALID_RECORD");
    expect(fresh({ metrics: new Uint8Array([1, 2, 3]), compressionType: 1 })).toBe(
      "INVALID_RECORD",
    );
    const bomb = bunCodecs.zstd!.compress(new Uint8Array(5_000_000));
    expect(fresh({ metrics: bomb, compressionType: 4 })).toBe("TELEMETRY_TOO_LARGE");
    expect(telemetry.malformedCount).toBe(3);
    expect([...telemetry.latestPushes()]).toEqual([]);
    // Who was told that its subscription is old may ask for the new one at once.
    const { clientInstanceId } = subscribe();
    push({ clientInstanceId, subscriptionId: 1 });
    expect(subscribe(clientInstanceId).clientInstanceId).toBe(clientInstanceId);
  });
});

test("clients are forgotten with their connection, when they are silent, and when too many", async () => {
  const { subscribe, clock, disconnect, telemetry, client } = await start();
  subscribe();
  subscribe(ZERO_UUID, { ...client, signal: new AbortController().signal, connection: { id: 2 } });
  expect(telemetry.clientCount).toBe(2);
  disconnect();
  expect(telemetry.clientCount).toBe(1);
  await clock.advance(3 * 300_000);
  subscribe(ZERO_UUID, { ...client, signal: new AbortController().signal });
  expect(telemetry.clientCount).toBe(1);
  for (let count = 0; count < 20_000; count++) subscribe();
  expect(telemetry.clientCount).toBe(16_384);
});
