/** A controller that is no broker, and brokers that have it: real sockets, disks in memory. */
import { afterEach, expect, test } from "bun:test";
import { Admin, Consumer, Producer, stringSerde } from "../../client/index.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import type { HostPort, Io } from "../../core/io.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { silentLogger } from "../../core/logger.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import { brokerHeartbeat } from "../../core/protocol/63-broker-heartbeat.ts";
import { BrokerConfig } from "../config/broker-config.ts";
import { type RunningBroker, startBroker } from "../start-broker.ts";
import { type ControllerNode, startControllerNode } from "./controller-node.ts";

const SECRET = "a secret of this test's shards";
const CONTROLLER_ID = 1000;
const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Machines keep their disks. */
class Scene {
  readonly #disks = new Map<number, MemoryDisk>();
  readonly bugs: Error[] = [];

  async controller(): Promise<ControllerNode> {
    const node = await startControllerNode({
      io: this.#io(CONTROLLER_ID),
      logger: silentLogger,
      config: BrokerConfig.of({ "node.id": String(CONTROLLER_ID) }),
      dataDirs: ["/controller"],
      codecs: bunCodecs,
      bind: { host: "127.0.0.1", port: 0 },
      interBrokerListener: "PLAINTEXT",
      secrets: [SECRET],
      onBug: (error) => void this.bugs.push(error),
    });
    return node;
  }

  async broker(nodeId: number, node: ControllerNode): Promise<RunningBroker> {
    return await startBroker({
      io: this.#io(nodeId),
      logger: silentLogger,
      config: BrokerConfig.of({ "node.id": String(nodeId) }),
      dataDir: "/data",
      onBug: (error) => void this.bugs.push(error),
      cluster: {
        name: "shards",
        quorum: { kind: "fixed", clusterId: node.clusterId, controller: node.elected },
        host: "here",
        secrets: [SECRET],
        gossip: null,
      },
    });
  }

  #io(nodeId: number): Io {
    const options = { wallMs: () => Date.now(), maxBytes: 1 << 26 };
    const disk = this.#disks.get(nodeId) ?? new MemoryDisk(options);
    this.#disks.set(nodeId, disk);
    return { ...bunIo(), disk };
  }
}

const clientOptions = (brokers: readonly RunningBroker[]) => ({
  brokers: brokers.map(({ port }) => ({ host: "127.0.0.1", port })),
  clientId: "test",
  value: stringSerde,
});

const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => from + index);

async function produce(brokers: readonly RunningBroker[], values: readonly number[]) {
  const producer = new Producer<Uint8Array, string>(bunIo(), clientOptions(brokers));
  for (const value of values) {
    await producer.send({ topic: "orders", partition: value % 4, value: String(value) });
  }
  await producer.close();
}

async function consume(brokers: readonly RunningBroker[], count: number, groupId: string) {
  const options = { ...clientOptions(brokers), groupId };
  const consumer = new Consumer<Uint8Array, string>(bunIo(), options);
  consumer.subscribe(["orders"]);
  const seen: number[] = [];
  for await (const { value } of consumer.records()) {
    seen.push(Number(value));
    if (seen.length === count) break;
  }
  await consumer.close();
  return seen.sort((a, b) => a - b);
}

test(
  "brokers of a controller of its own are one cluster, and again after all have ended",
  async () => {
    const scene = new Scene();
    const first = await scene.controller();
    ends.push(() => first.close());
    const brokers = await Promise.all([1, 2].map((id) => scene.broker(id, first)));
    ends.push(...brokers.map((broker) => () => broker.stop({ handsOver: false })));
    const admin = new Admin(bunIo(), clientOptions(brokers));
    await admin.createTopics([{ name: "orders", partitions: 4, replicationFactor: 1 }]);
    const { brokers: nodes, controllerId } = await admin.describeCluster();
    expect(nodes.map(({ nodeId }) => nodeId)).toEqual([1, 2]);
    // What is no broker nobody could ask.
    expect([1, 2]).toContain(controllerId);
    const leaders = [...first.metadata.image.topics.get("orders")?.partitions ?? []]
      .map(({ leader }) => leader);
    expect(leaders.sort()).toEqual([1, 1, 2, 2]);
    await produce(brokers, range(0, 40));
    expect(await consume(brokers, 40, "readers")).toEqual(range(0, 40));
    await admin.close();
    for (const end of ends.splice(0).reverse()) await end();

    const second = await scene.controller();
    ends.push(() => second.close());
    expect(second.clusterId).toBe(first.clusterId);
    expect(second.elected.term).toBe(first.elected.term + 1);
    const again = await Promise.all([1, 2].map((id) => scene.broker(id, second)));
    ends.push(...again.map((broker) => () => broker.stop({ handsOver: false })));
    await produce(again, range(40, 60));
    expect(await consume(again, 60, "others")).toEqual(range(0, 60));
    expect(scene.bugs).toEqual([]);
  },
  60_000,
);

test("who does not know the secret gets nothing of brokers' work, and breaks nothing", async () => {
  const scene = new Scene();
  const node = await scene.controller();
  ends.push(() => node.close());
  const address: HostPort = node.elected.address;
  const stranger = await Connection.open(bunIo(), address, {
    clientId: "stranger",
    connectTimeoutMs: 5000,
    logger: silentLogger,
  });
  const beat = { brokerId: 1, brokerEpoch: 0n, currentMetadataOffset: 0n };
  const answered = await stranger.request(
    brokerHeartbeat,
    { ...beat, wantFence: false, wantShutDown: false },
    { timeoutMs: 5000 },
  );
  expect(answered.errorCode).toBe(Errors.CLUSTER_AUTHORIZATION_FAILED);
  // A fetch of records, which are not here.
  const nothing = await stranger.request(fetch, {
    maxWaitMs: 0,
    minBytes: 0,
    topics: [],
    forgottenTopicsData: [],
  }, { timeoutMs: 5000 });
  expect(nothing.errorCode).toBe(Errors.INVALID_REQUEST);
  stranger.close();
  expect(scene.bugs).toEqual([]);
}, 60_000);
