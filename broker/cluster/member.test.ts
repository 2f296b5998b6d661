/** Three whole brokers in this process are one cluster: real sockets, a simulated etcd. */
import { afterEach, expect, test } from "bun:test";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { createLogger, silentLogger } from "../../core/logger.ts";
import { Admin, Consumer, Producer, stringSerde } from "../../client/index.ts";
import { SimEtcd, SimEtcdClient } from "../../tests/sim/sim-etcd.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { type RunningBroker, startBroker } from "../start-broker.ts";
import { BrokerConfig } from "../config/broker-config.ts";

const running: RunningBroker[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((broker) => broker.stop()));
});

const logger = process.env["LOG"] === undefined ? silentLogger : createLogger({
  level: "debug",
  format: "text",
  wallMs: () => Date.now(),
  write: (line) => void process.stderr.write(`${line}\n`),
});

async function startMember(etcd: SimEtcd, nodeId: number): Promise<RunningBroker> {
  const io = bunIo();
  const parsed = BrokerConfig.parse(new Map([["node.id", String(nodeId)]]));
  if (!parsed.ok) throw new Error(parsed.problems.join());
  const broker = await startBroker({
    io: { ...io, disk: new MemoryDisk({ wallMs: () => Date.now(), maxBytes: 1 << 26 }) },
    logger,
    config: parsed.config,
    dataDir: "/data",
    onBug: (error) => console.error(error),
    cluster: {
      name: "test",
      quorum: { kind: "etcd", store: new SimEtcdClient(bunClock, new SimRandom(nodeId), etcd) },
      host: `host-${nodeId}`,
      secrets: ["a secret of this test's cluster"],
      gossip: null,
    },
  });
  running.push(broker);
  return broker;
}

test(
  "brokers that share an etcd are one cluster: topics, records, and one that leaves",
  async () => {
    const etcd = new SimEtcd(bunClock);
    const brokers = await Promise.all([1, 2, 3].map((nodeId) => startMember(etcd, nodeId)));
    const options = {
      brokers: brokers.map(({ port }) => ({ host: "127.0.0.1", port })),
      clientId: "test",
      value: stringSerde,
    };
    const admin = new Admin(bunIo(), options);
    const configs = { "min.insync.replicas": "2" };
    await admin.createTopics([{ name: "orders", partitions: 6, replicationFactor: 3, configs }]);
    expect((await admin.describeCluster()).brokers.map(({ nodeId }) => nodeId)).toEqual([1, 2, 3]);
    const producer = new Producer<Uint8Array, string>(bunIo(), options);
    const send = (value: number) =>
      producer.send({ topic: "orders", partition: value % 6, value: String(value) });
    for (let value = 0; value < 60; value++) await send(value);
    const leaving = running.shift();
    const left = leaving?.stop();
    for (let value = 60; value < 120; value++) await send(value);
    await left;
    for (let value = 120; value < 180; value++) await send(value);
    await producer.close();
    const consumer = new Consumer<Uint8Array, string>(bunIo(), { ...options, groupId: "readers" });
    consumer.subscribe(["orders"]);
    const seen: number[] = [];
    for await (const { value } of consumer.records()) {
      seen.push(Number(value));
      if (seen.length === 180) break;
    }
    await consumer.close();
    await admin.close();
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 180 }, (_, value) => value));
  },
  60_000,
);
