/** A whole broker in this process: what it is told at the start, listeners, restarts. */
import { expect, test } from "bun:test";
import { bunClock } from "../core/io/bun/clock.ts";
import { bunNetwork } from "../core/io/bun/network.ts";
import { inlineOffload } from "../core/io/inline-offload.ts";
import { bunRandom } from "../core/io/bun/random.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { noDatagrams } from "../core/io/no-datagrams.test-helper.ts";
import type { Io } from "../core/io.ts";
import { Errors } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import { metadata } from "../core/protocol/03-metadata.ts";
import { findCoordinator } from "../core/protocol/10-find-coordinator.ts";
import { apiVersions } from "../core/protocol/18-api-versions.ts";
import { describeCluster } from "../core/protocol/60-describe-cluster.ts";
import { RawClient } from "../tests/harness/raw-client.ts";
import { batch } from "./handlers/data-path.test-helper.ts";
import { handlers } from "./handlers/index.ts";
import { listenerSpecs } from "./listeners.ts";
import type { NewTopic } from "./plan-topics.ts";
import { type BrokerOptions, startBroker } from "./start-broker.ts";

function memoryIo(): Io {
  return {
    clock: bunClock,
    random: bunRandom,
    network: bunNetwork,
    datagrams: noDatagrams,
    offload: inlineOffload(),
    disk: new MemoryDisk({ wallMs: () => bunClock.wallMs(), maxBytes: 1 << 26 }),
  };
}

const start = (io: Io, options: Partial<BrokerOptions> = {}) =>
  startBroker({ io, logger: silentLogger, dataDir: "/data", ...options });

const topic = (name: string, configs: NewTopic["configs"] = []): NewTopic => ({
  name,
  numPartitions: 2,
  replicationFactor: -1,
  assignments: [],
  configs,
});

test("each connection is answered with the address of its own listener", async () => {
  const running = await start(memoryIo(), {
    listeners: listenerSpecs(
      ["IN=127.0.0.1:0", "OUT=127.0.0.1:0", "ALL=0.0.0.0:0", "SIX=[::1]:0"],
      ["OUT=broker.example.org:19092"],
    ),
  });
  const [inside, outside, all, six] = running.listeners;
  const cases: [string, number | undefined, string, number | undefined][] = [
    ["127.0.0.1", inside?.bound.port, "127.0.0.1", inside?.bound.port],
    ["127.0.0.1", outside?.bound.port, "broker.example.org", 19092],
    ["127.0.0.2", all?.bound.port, "127.0.0.2", all?.bound.port],
    ["::1", six?.bound.port, "::1", six?.bound.port],
  ];
  for (const [host, port, advertisedHost, advertisedPort] of cases) {
    const client = await RawClient.connect(port ?? 0, host);
    const expected = { host: advertisedHost, port: advertisedPort };
    expect((await client.request(metadata, 12, {})).brokers[0]).toMatchObject(expected);
    expect((await client.request(describeCluster, 0, {})).brokers[0]).toMatchObject(expected);
    const found = await client.request(findCoordinator, 4, { coordinatorKeys: ["g"] });
    expect(found.coordinators[0]).toMatchObject(expected);
    client.close();
  }
  await running.stop();
});

test("topics that are asked for are there before the first client, and once", async () => {
  const io = memoryIo();
  for (let round = 0; round < 2; round++) {
    const running = await start(io, { topics: [topic("a"), topic("b")] });
    const client = await RawClient.connect(running.port);
    const { topics } = await client.request(metadata, 12, { topics: null });
    expect(topics.map(({ name, partitions }) => [name, partitions.length]))
      .toEqual([["a", 2], ["b", 2]]);
    client.close();
    await running.stop();
  }
});

test("a start that fails leaves nothing behind", async () => {
  const io = memoryIo();
  const bad = topic("c", [{ name: "retention.mss", value: "1" }]);
  await expect(start(io, { topics: [bad] })).rejects.toThrow("cannot create the topic c");
  const first = await start(memoryIo());
  const taken = [{ name: "X", bind: { host: "127.0.0.1", port: first.port }, advertised: null }];
  await expect(start(io, { listeners: taken })).rejects.toThrow("the port is in use");
  await first.stop();
  // The directory is not locked any more.
  const running = await start(io);
  await running.stop();
});

test("a second broker on the same directory is refused", async () => {
  const io = memoryIo();
  const running = await start(io);
  await expect(start(io)).rejects.toThrow("another process has it open");
  await running.stop();
});

test("logs without the metadata that tell of them are kept, and refused", async () => {
  const io = memoryIo();
  const running = await start(io, { topics: [topic("orders")] });
  const partition = running.broker.partitions.find("orders", 0);
  if (typeof partition === "number") throw new Error(String(partition));
  expect(partition.append(batch(["kept"]), "client").ok).toBe(true);
  await running.stop();
  await io.disk.removeTree("/data/__cluster_metadata-0");
  const error = await start(io).then(() => null, (reason: unknown) => reason);
  expect(String(error)).toContain("cannot start as a cluster of one node");
  expect(io.disk.stat("/data/orders-0")?.isDirectory).toBe(true);
});

test("the identity of the cluster survives a restart", async () => {
  const io = memoryIo();
  const first = await start(io);
  const { clusterId } = first.broker;
  expect(clusterId).toMatch(/^[\w-]{22}$/);
  await first.stop();
  const second = await start(io);
  expect(second.broker.clusterId).toBe(clusterId);
  await second.stop();
});

test("ApiVersions lists every handler, and Produce from version 0 (KAFKA-18659)", async () => {
  const running = await start(memoryIo());
  const client = await RawClient.connect(running.port);
  const { apiKeys } = await client.request(apiVersions, 4, {
    clientSoftwareName: "raw",
    clientSoftwareVersion: "1",
  });
  expect(apiKeys.map(({ apiKey }) => apiKey))
    .toEqual(handlers.map(({ api }) => api.key).sort((a, b) => a - b));
  expect(apiKeys.find(({ apiKey }) => apiKey === 0)).toMatchObject({ minVersion: 0 });
  client.close();
  await running.stop();
});

test("one who may do nothing is denied by every API that answers for the whole request", async () => {
  const running = await start(memoryIo(), { authorizer: { authorize: () => false } });
  const client = await RawClient.connect(running.port);
  const denied = new Set<number>([
    Errors.CLUSTER_AUTHORIZATION_FAILED,
    Errors.GROUP_AUTHORIZATION_FAILED,
    Errors.TOPIC_AUTHORIZATION_FAILED,
    Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
  ]);
  for (const handler of handlers) {
    if (handler.authorize.kind !== "request") continue;
    if (!("errorCode" in handler.api.response.fields)) continue;
    const version = handler.maxVersion ?? handler.api.maxVersion;
    const response = await client.request(handler.api, version, {});
    const code = (response as { errorCode?: number }).errorCode ?? 0;
    expect([handler.api.name, denied.has(code)]).toEqual([handler.api.name, true]);
  }
  client.close();
  await running.stop();
});
