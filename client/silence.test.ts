/** Clients and brokers that keep silent: who is asked instead, and when a connection is given up. */
import { expect, test } from "bun:test";
import type { HostPort } from "../core/io.ts";
import { produce } from "../core/protocol/00-produce.ts";
import { fetch } from "../core/protocol/01-fetch.ts";
import { metadata } from "../core/protocol/03-metadata.ts";
import { findCoordinator } from "../core/protocol/10-find-coordinator.ts";
import { joinGroup } from "../core/protocol/11-join-group.ts";
import { heartbeat } from "../core/protocol/12-heartbeat.ts";
import { apiVersions } from "../core/protocol/18-api-versions.ts";
import { initProducerId } from "../core/protocol/22-init-producer-id.ts";
import { SimClock } from "../tests/sim/sim-clock.ts";
import { SimRandom } from "../tests/sim/sim-random.ts";
import { Cluster } from "./cluster.ts";
import { Consumer } from "./consumer.ts";
import { ConnectionError } from "./errors.ts";
import { FakeBroker } from "./fake-broker.test-helper.ts";
import { Producer } from "./producer.ts";

const TOPIC_ID = "topicAAAAAAAAAAAAAAAAA";
const value = new TextEncoder().encode("v");

/** Brokers 1 to 3 as a client sees them; what 1 is asked it answers as the test says. */
class World {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random = new SimRandom(1);
  readonly network = new FakeBroker(this.clock);
  readonly brokers = [1, 2, 3].map((nodeId) => ({ nodeId, host: `b${nodeId}`, port: 9092 }));
  listed = [1, 2, 3];
  leader = 1;
  leaderEpoch = 1;
  coordinator = 1;
  /** Which broker was asked for metadata, each time. */
  readonly asked: string[] = [];

  constructor() {
    this.network.on(metadata, (_request, _version, { host }) => {
      this.asked.push(host);
      return this.metadata(this.leader, this.leaderEpoch);
    });
    this.network.on(initProducerId, () => ({ producerId: 7n, producerEpoch: 0 }));
    this.network.on(findCoordinator, () => {
      const node = this.brokers[this.coordinator - 1]!;
      return { coordinators: [{ key: "g", ...node }] };
    });
  }

  metadata(leaderId: number, leaderEpoch: number) {
    const brokers = this.brokers.filter(({ nodeId }) => this.listed.includes(nodeId));
    const partition = { partitionIndex: 0, leaderId, leaderEpoch, replicaNodes: [1, 2, 3] };
    const topic = { name: "t", topicId: TOPIC_ID, partitions: [{ ...partition, isrNodes: [1] }] };
    return { brokers, controllerId: 2, topics: [topic] };
  }

  /** Broker 1 is silent to this API on the connections on which it is asked, the others answer. */
  silenceFirst(api: typeof produce): void {
    this.network.on(api, ({ topicData }, _version, { host }) =>
      host === "b1" ? "silence" : {
        responses: topicData.map(({ topicId, partitionData }) => ({
          topicId,
          partitionResponses: partitionData.map(({ index }) => ({ index, baseOffset: 5n })),
        })),
      });
  }

  get options() {
    return { brokers: this.brokers as readonly HostPort[] };
  }

  get io() {
    return { clock: this.clock, random: this.random, network: this.network };
  }

  /** How long it takes. */
  timeOf(work: Promise<unknown>): number {
    const startMs = this.clock.monotonicMs();
    this.clock.run(work, 600_000);
    return this.clock.monotonicMs() - startMs;
  }
}

test("a leader that keeps silent is left as soon as another one leads", () => {
  for (const isListed of [false, true]) {
    const world = new World();
    world.silenceFirst(produce);
    const producer = new Producer(world.io, world.options);
    world.clock.setTimer(9000, () => {
      world.leader = 2;
      world.leaderEpoch++;
      if (!isListed) world.listed = [2, 3];
    });
    const sending = producer.send({ topic: "t", value });
    const tookMs = world.timeOf(sending);
    expect(tookMs).toBeGreaterThan(9000);
    expect(tookMs).toBeLessThan(10_500);
    expect(world.clock.run(sending).offset).toBe(5n);
    world.clock.run(producer.close());
  }
});

test("a leader that is only slow is waited for; others are asked at most once a second", () => {
  const world = new World();
  world.silenceFirst(produce);
  const producer = new Producer(world.io, world.options);
  const sending = producer.send({ topic: "t", value }).catch(() => {});
  world.clock.advance(2000);
  const { connections } = world.network;
  const asked = world.asked.length;
  world.clock.advance(20_000);
  // To the other two brokers and no more.
  expect(world.network.connections - connections).toBeLessThanOrEqual(1);
  expect(world.asked.length - asked).toBeGreaterThan(15);
  expect(world.asked.length - asked).toBeLessThanOrEqual(20);
  expect(world.asked.slice(asked)).not.toContain("b1");
  producer.abort(new Error("enough"));
  world.clock.run(sending);
});

test("a consumer fetches from the new leader while the old one keeps silent", () => {
  const world = new World();
  const fetched: string[] = [];
  world.network.on(fetch, (_request, _version, { host }) => {
    fetched.push(host);
    return "silence";
  });
  const consumer = new Consumer(world.io, world.options);
  world.clock.run(consumer.assign([{ topic: "t", partition: 0, offset: 0n }]));
  const reading = consumer.records()[Symbol.asyncIterator]().next().catch(() => {});
  world.clock.advance(9000);
  expect(fetched).toEqual(["b1"]);
  world.leader = 2;
  world.leaderEpoch++;
  world.clock.advance(1500);
  expect(fetched).toEqual(["b1", "b2"]);
  world.clock.run(consumer.close());
  world.clock.run(reading);
});

test("who asks any broker does not wait for one that keeps silent", () => {
  const world = new World();
  world.network.on(apiVersions, (_request, _version, { host }) => {
    if (host === "b1") return "silence";
    return { apiKeys: [{ apiKey: metadata.key, minVersion: 0, maxVersion: 13 }] };
  });
  for (let seed = 0; seed < 6; seed++) {
    const io = { ...world.io, random: new SimRandom(seed) };
    const cluster = new Cluster(io, world.options);
    expect(world.timeOf(cluster.topic("t"))).toBeLessThan(1100);
    cluster.close();
  }
});

test("a broker that was deposed without knowing it does not lead clients back", () => {
  const world = new World();
  world.leader = 2;
  world.leaderEpoch = 2;
  const cluster = new Cluster(world.io, world.options);
  world.clock.run(cluster.topic("t"));
  world.network.on(metadata, () => world.metadata(1, 1));
  world.clock.run(cluster.refresh(["t"]));
  expect(cluster.cached("t")?.partitions[0]).toMatchObject({ leader: 2, leaderEpoch: 2 });
  world.network.on(metadata, () => world.metadata(3, 3));
  world.clock.run(cluster.refresh(["t"]));
  expect(cluster.cached("t")?.partitions[0]).toMatchObject({ leader: 3, leaderEpoch: 3 });
  cluster.close();
});

test("a coordinator that keeps silent is left once another one has taken over", () => {
  const world = new World();
  world.network.on(heartbeat, () => "silence");
  const cluster = new Cluster(world.io, world.options);
  const beat = async () => {
    const connection = await cluster.connect(
      await cluster.coordinator("group", "g"),
      "coordinator",
    );
    return await connection.request(heartbeat, { groupId: "g" });
  };
  world.clock.setTimer(9000, () => world.coordinator = 3);
  const beating = beat().catch((error) => error);
  expect(world.timeOf(beating)).toBeWithin(9000, 10_500);
  const failure: unknown = world.clock.run(beating);
  expect(failure).toBeInstanceOf(ConnectionError);
  expect(failure).toMatchObject({ retriable: true });
  expect(world.clock.run(cluster.coordinator("group", "g")).nodeId).toBe(3);
  cluster.close();
});

test("a join that takes long is waited for", () => {
  const world = new World();
  world.network.on(joinGroup, () => "silence");
  const cluster = new Cluster(world.io, world.options);
  const join = async () => {
    const connection = await cluster.connect(
      await cluster.coordinator("group", "g"),
      "coordinator",
    );
    const options = { timeoutMs: 300_000, mayWaitMs: 3000 };
    return await connection.request(joinGroup, { groupId: "g" }, options);
  };
  expect(world.timeOf(join().catch(() => {}))).toBeGreaterThanOrEqual(300_000);
  cluster.close();
});
