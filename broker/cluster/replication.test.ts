/** What brokers of a cluster make of each other's partitions: whole brokers on hosts of the simulator. */
import { afterEach, expect, test } from "bun:test";
import { NO_CODECS } from "../../core/compression/codec.ts";
import { Connection } from "../../core/connection.ts";
import { errorName, Errors } from "../../core/errors.ts";
import { silentLogger } from "../../core/logger.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import { createTopics } from "../../core/protocol/19-create-topics.ts";
import { deleteRecords } from "../../core/protocol/21-delete-records.ts";
import { incrementalAlterConfigs } from "../../core/protocol/44-incremental-alter-configs.ts";
import { alterPartitionReassignments } from "../../core/protocol/45-alter-partition-reassignments.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { forEachBatch } from "../../core/records/batch-header.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import { ClusterNode } from "../../tests/sim/cluster-node.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { NO_ETCD_FAULTS, SimEtcd } from "../../tests/sim/sim-etcd.ts";
import { SimHosts } from "../../tests/sim/sim-hosts.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
// What a broker loads when it is a member has to be there: nothing is loaded on virtual time.
import "../handlers/cluster-handlers.ts";
import "./member.ts";
import type { BrokerConfigName } from "../config/broker-configs.ts";
import type { Partition } from "../partition.ts";

type Configs = Readonly<Partial<Record<BrokerConfigName, string>>>;

const RACK_AWARE = "org.apache.kafka.common.replica.RackAwareReplicaSelector";

class Cluster {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random = new SimRandom(5);
  readonly hosts = new SimHosts(this.clock, this.random);
  readonly nodes = new Map<number, ClusterNode>();
  readonly #network = this.hosts.host("10.1.0.1").start().network;
  readonly #connections = new Map<number, Promise<Connection>>();
  readonly #failures: unknown[] = [];

  constructor(configs: Configs = {}) {
    const etcd = new SimEtcd(this.clock);
    const witness = {
      note: () => {},
      started: () => {},
      failed: (error: unknown) => void this.#failures.push(error),
    };
    for (const id of [1, 2, 3]) {
      const node = new ClusterNode({
        id,
        host: this.hosts.host(`10.0.0.${id}`),
        etcd,
        etcdFaults: NO_ETCD_FAULTS,
        random: this.random,
        logger: silentLogger,
        configs: { "broker.rack": `rack-${id}`, "kstream.durability": "fsync", ...configs },
        leaseTtlMs: 3000,
        restartMs: 500,
      }, witness);
      this.nodes.set(id, node);
      node.start();
    }
    this.until("all brokers are up", () => [...this.nodes.values()].every(isUp));
  }

  until(what: string, holds: () => boolean, limitMs = 60_000): void {
    const endMs = this.clock.monotonicMs() + limitMs;
    while (!holds()) {
      if (this.clock.monotonicMs() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`);
      this.advance(20);
    }
  }

  advance(byMs: number): void {
    this.clock.advance(byMs);
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  wait<T>(promise: Promise<T>): T {
    let outcome: { readonly value: T } | { readonly error: unknown } | null = null;
    promise.then((value) => outcome = { value }, (error: unknown) => outcome = { error });
    this.until("an answer", () => outcome !== null);
    const settled = outcome as { readonly value: T } | { readonly error: unknown } | null;
    if (settled === null || "error" in settled) throw settled?.error;
    return settled.value;
  }

  node(id: number): ClusterNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`there is no broker ${id}`);
    return node;
  }

  ask<A extends Api>(id: number, api: A, request: EncodableRequest<A>): Promise<ResponseOf<A>> {
    const { clock } = this;
    let connection = this.#connections.get(id);
    if (connection === undefined) {
      const io = { clock, network: this.#network };
      connection = Connection.open(io, this.node(id).address, { clientId: "test" });
      this.#connections.set(id, connection);
    }
    return connection.then((open) => open.request(api, request));
  }

  /** The connections to the broker are gone. */
  forget(id: number): void {
    this.#connections.delete(id);
  }

  /** The broker is gone until `node.start`. */
  takeDown(id: number): void {
    const node = this.node(id);
    node.isHeldDown = true;
    node.kill();
    this.#connections.delete(id);
  }

  bringUp(id: number): void {
    const node = this.node(id);
    node.isHeldDown = false;
    node.start();
    this.until(`broker ${id} is up`, () => isUp(node));
  }

  /** Gives its id. */
  createTopic(replicas: readonly number[], name = "t"): string {
    const { topics } = this.wait(this.ask(1, createTopics, {
      timeoutMs: 10_000,
      topics: [{
        name,
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [{ partitionIndex: 0, brokerIds: replicas }],
        configs: [],
      }],
    }));
    expect(errorName(topics[0]!.errorCode)).toBe("NONE");
    this.until("the leader leads", () => this.find(replicas[0]!, name)?.isLeader === true);
    return topics[0]!.topicId;
  }

  find(id: number, topic = "t"): Partition | null {
    const found = this.node(id).running?.broker.partitions.find(topic, 0);
    return found === undefined || typeof found === "number" ? null : found;
  }

  partition(id: number): Partition {
    const found = this.find(id);
    if (found === null) throw new Error(`broker ${id} has no such partition`);
    return found;
  }

  get topicId(): string {
    return this.partition(this.leader).topicId;
  }

  /** As one of the brokers that are up knows it. */
  get leader(): number {
    const up = [...this.nodes.values()].find(isUp);
    return up?.running?.broker.metadata.topic("t")?.partitions[0]?.leader ?? -1;
  }

  /** One record of its own batch, acknowledged by all. */
  write(value: string, to = this.leader, acks = -1, topicId = this.topicId) {
    const builder = new BatchBuilder({ sizeHintBytes: 100 });
    builder.append(0, null, new TextEncoder().encode(value));
    const records = builder.build();
    const response = this.wait(this.ask(to, produce, {
      acks,
      timeoutMs: 20_000,
      topicData: [{ topicId, name: "t", partitionData: [{ index: 0, records }] }],
    }));
    return { ...response, ...response.responses[0]!.partitionResponses[0]! };
  }

  /** As a consumer. */
  read(from: number, options: { rackId?: string; offset?: number; epoch?: number } = {}) {
    const { offset = 0, rackId = "", epoch = -1 } = options;
    const response = this.wait(this.ask(from, fetch, {
      maxWaitMs: 100,
      minBytes: 1,
      rackId,
      topics: [{
        topicId: this.topicId,
        topic: "t",
        partitions: [{
          partition: 0,
          fetchOffset: BigInt(offset),
          currentLeaderEpoch: epoch,
          partitionMaxBytes: 1 << 20,
        }],
      }],
      forgottenTopicsData: [],
    }));
    const answer = response.responses[0]!.partitions[0]!;
    const bytes = answer.records ?? new Uint8Array(0);
    return { ...response, ...answer, errorCode: answer.errorCode, values: valuesOf(bytes) };
  }

  /** Of a broker (type 4) or a topic (2); null: as if never set. */
  configure(resourceType: number, resourceName: string, name: string, value: string | null) {
    const { responses } = this.wait(this.ask(1, incrementalAlterConfigs, {
      validateOnly: false,
      resources: [{
        resourceType,
        resourceName,
        configs: [{ name, configOperation: value === null ? 1 : 0, value }],
      }],
    }));
    const [answer] = responses;
    return answer === undefined ? "" : errorName(answer.errorCode);
  }

  deleteBefore(offset: number, timeoutMs = 30_000) {
    return this.ask(this.leader, deleteRecords, {
      timeoutMs,
      topics: [{ name: "t", partitions: [{ partitionIndex: 0, offset: BigInt(offset) }] }],
    }).then(({ topics }) => topics[0]!.partitions[0]!);
  }

  /** Values in a replica's log, whoever may see them. */
  log(id: number): string[] {
    const partition = this.partition(id);
    const read = this.wait(partition.read(partition.logStartOffset, 1 << 20, "log_end"));
    if (!read.ok) throw new Error(errorName(read.error));
    return valuesOf(read.records);
  }

  isr(): readonly number[] {
    return this.partition(this.leader).isr.toSorted();
  }
}

const isUp = ({ state }: ClusterNode) => state === "up";

function valuesOf(records: Uint8Array): string[] {
  const values: string[] = [];
  forEachBatch(records, (position) => {
    const cursor = new RecordCursor(records, position, NO_CODECS);
    while (cursor.next()) values.push(new TextDecoder().decode(cursor.value() ?? undefined));
  });
  return values;
}

const clusters: Cluster[] = [];
const start = (configs?: Configs) => {
  const cluster = new Cluster(configs);
  clusters.push(cluster);
  return cluster;
};

afterEach(() => {
  for (const cluster of clusters.splice(0)) for (const id of [1, 2, 3]) cluster.takeDown(id);
});

test("what is followed anew does not wait for a fetch that waits at the leader", () => {
  const cluster = start();
  const topics = ["idle", "a", "b", "c", "d"];
  const tookMs = topics.map((name) => {
    const topicId = cluster.createTopic([1, 2, 3], name);
    const beganMs = cluster.clock.monotonicMs();
    expect(cluster.write("x", 1, -1, topicId).errorCode).toBe(Errors.NONE);
    const endedMs = cluster.clock.monotonicMs();
    cluster.advance(130);
    return endedMs - beganMs;
  });
  // Far less than `replica.fetch.wait.max.ms`.
  expect(Math.max(...tookMs)).toBeLessThan(150);
});

test("a broker of whose log the leader has nothing left begins it anew, and is in sync again", () => {
  const cluster = start();
  cluster.createTopic([1, 2, 3]);
  for (const value of ["a", "b", "c"]) cluster.write(value);
  cluster.takeDown(3);
  cluster.until("it is out of the ISR", () => cluster.isr().join() === "1,2");
  for (const value of ["d", "e", "f"]) cluster.write(value);
  const deleted = cluster.wait(cluster.deleteBefore(5));
  expect([errorName(deleted.errorCode), deleted.lowWatermark]).toEqual(["NONE", 5n]);
  cluster.bringUp(3);
  cluster.until("it is in the ISR", () => cluster.isr().join() === "1,2,3");
  expect(cluster.log(3)).toEqual(["f"]);
  expect([cluster.partition(3).logStartOffset, cluster.partition(3).logEndOffset]).toEqual([5, 6]);
  cluster.write("g");
  cluster.until("it has what is new", () => cluster.partition(3).logEndOffset === 7);
  expect(cluster.log(3)).toEqual(["f", "g"]);
});

test("a log that starts within a batch is copied from there, too", () => {
  const cluster = start();
  cluster.createTopic([1, 2]);
  cluster.takeDown(2);
  cluster.until("it is out of the ISR", () => cluster.isr().join() === "1");
  const builder = new BatchBuilder({ sizeHintBytes: 100 });
  for (const value of ["a", "b", "c"]) builder.append(0, null, new TextEncoder().encode(value));
  cluster.wait(cluster.ask(1, produce, {
    acks: -1,
    timeoutMs: 1000,
    topicData: [{
      topicId: cluster.topicId,
      name: "t",
      partitionData: [{ index: 0, records: builder.build() }],
    }],
  }));
  expect(errorName(cluster.wait(cluster.deleteBefore(2)).errorCode)).toBe("NONE");
  cluster.bringUp(2);
  cluster.until("it is in the ISR", () => cluster.isr().join() === "1,2");
  cluster.until("it starts where the leader does", () => cluster.partition(2).logStartOffset === 2);
  expect(cluster.partition(2).logEndOffset).toBe(3);
});

test("records are deleted when they are on all brokers that are alive", () => {
  const cluster = start();
  cluster.createTopic([1, 2, 3]);
  for (const value of ["a", "b", "c"]) cluster.write(value);
  expect(cluster.wait(cluster.deleteBefore(2))).toMatchObject({ lowWatermark: 2n });
  for (const id of [1, 2, 3]) expect(cluster.partition(id).logStartOffset).toBe(2);
  // Nobody knows yet that it is gone.
  cluster.node(3).host.stop();
  const late = cluster.wait(cluster.deleteBefore(3, 1000));
  expect([errorName(late.errorCode), late.lowWatermark]).toEqual(["REQUEST_TIMED_OUT", 2n]);
  const waits = cluster.deleteBefore(3, 60_000);
  expect(cluster.wait(waits)).toMatchObject({ errorCode: Errors.NONE, lowWatermark: 3n });
});

test("who asks another broker is told the leader and its address", () => {
  const cluster = start();
  cluster.createTopic([1, 2]);
  const currentLeader = { leaderId: 1, leaderEpoch: cluster.partition(1).leaderEpoch };
  const nodeEndpoints = [{ nodeId: 1, host: "10.0.0.1", port: 9092, rack: "rack-1" }];
  for (const other of [2, 3]) {
    const written = cluster.write("a", other);
    expect(errorName(written.errorCode)).toBe("NOT_LEADER_OR_FOLLOWER");
    expect(written).toMatchObject({ currentLeader, nodeEndpoints });
  }
  const read = cluster.read(3);
  expect(errorName(read.errorCode)).toBe("NOT_LEADER_OR_FOLLOWER");
  expect(read).toMatchObject({ currentLeader, nodeEndpoints });
});

test("a consumer is sent to a replica in its rack, which serves what is committed", () => {
  const cluster = start({ "replica.selector.class": RACK_AWARE });
  cluster.createTopic([1, 2]);
  cluster.write("a");
  const sent = cluster.read(1, { rackId: "rack-2" });
  expect([sent.preferredReadReplica, sent.values]).toEqual([2, []]);
  // The follower has heard how far it is committed.
  cluster.advance(1000);
  expect(cluster.read(2, { rackId: "rack-2" })).toMatchObject({ values: ["a"] });
  for (const rackId of ["rack-1", "rack-3", ""]) {
    expect(cluster.read(1, { rackId })).toMatchObject({ preferredReadReplica: -1, values: ["a"] });
  }
  cluster.takeDown(2);
  cluster.until("it is out of the ISR", () => cluster.isr().join() === "1");
  expect(cluster.read(1, { rackId: "rack-2" })).toMatchObject({ values: ["a"] });
});

test("a broker knows after a restart how far its partitions were committed", () => {
  const cluster = start();
  cluster.createTopic([1, 2, 3]);
  for (const value of ["a", "b"]) cluster.write(value);
  cluster.advance(11_000);
  cluster.takeDown(1);
  cluster.until("another leads", () => cluster.leader > 1);
  cluster.node(1).isHeldDown = false;
  cluster.node(1).start();
  cluster.until("it hosts the partition", () => cluster.find(1) !== null);
  expect(cluster.partition(1).highWatermark).toBe(2);
});

test("a log is cut below what was committed only where the leader was elected uncleanly", () => {
  const cluster = start({ "unclean.leader.election.enable": "true", "min.insync.replicas": "1" });
  cluster.createTopic([1, 2]);
  cluster.write("a");
  cluster.takeDown(2);
  cluster.until("it is out of the ISR", () => cluster.isr().join() === "1");
  for (const value of ["b", "c"]) cluster.write(value);
  expect(cluster.partition(1).highWatermark).toBe(3);
  cluster.advance(6000);
  cluster.takeDown(1);
  cluster.bringUp(2);
  cluster.until("the other leads", () => cluster.find(2)?.isLeader === true);
  cluster.write("d", 2, 1);
  cluster.bringUp(1);
  cluster.until("they agree", () => cluster.isr().join() === "1,2");
  expect([cluster.log(1), cluster.log(2)]).toEqual([["a", "d"], ["a", "d"]]);
  cluster.until("it is committed", () => cluster.partition(1).highWatermark === 2);
});

test("a replica that catches up is held to the rate of leader or follower, and goes on without", () => {
  for (const [role, brokerId] of [["leader", 1], ["follower", 2]] as const) {
    const cluster = start({ "replica.fetch.max.bytes": "2000" });
    cluster.createTopic([1, 2]);
    cluster.takeDown(2);
    cluster.until("it is out of the ISR", () => cluster.isr().join() === "1");
    for (let count = 0; count < 30; count++) cluster.write("x".repeat(1000));
    const rate = `${role}.replication.throttled.rate`;
    expect(cluster.configure(4, String(brokerId), rate, "much")).toBe("INVALID_REQUEST");
    expect(cluster.configure(4, String(brokerId), rate, "500")).toBe("NONE");
    expect(cluster.configure(2, "t", `${role}.replication.throttled.replicas`, `0:${brokerId}`))
      .toBe("NONE");
    cluster.bringUp(2);
    cluster.advance(15_000);
    // Ten seconds' worth may come at once.
    expect(cluster.partition(2).logEndOffset).toBeLessThan(20);
    expect(cluster.partition(2).logEndOffset).toBeGreaterThan(3);
    expect(cluster.configure(4, String(brokerId), rate, null)).toBe("NONE");
    cluster.until("it is in the ISR", () => cluster.isr().join() === "1,2", 5000);
  }
});

test("a damaged batch is mended with what another replica has", () => {
  const cluster = start();
  cluster.createTopic([1, 2, 3]);
  for (const value of ["a", "b", "c", "d"]) cluster.write(value);
  const node = cluster.node(1);
  node.isHeldDown = true;
  node.stop();
  cluster.until("it is down", () => node.state === "down");
  cluster.forget(1);
  for (const [path, inode] of node.disk.files()) {
    if (!path.startsWith("/data/t-0/") || !path.endsWith(".log")) continue;
    const bytes = inode.cache.slice();
    const at = Math.floor(bytes.length * 0.4);
    bytes[at] = bytes[at]! ^ 4;
    inode.cache = bytes;
    inode.durable = bytes;
  }
  cluster.bringUp(1);
  cluster.until("it is in the ISR", () => cluster.isr().join() === "1,2,3");
  expect(cluster.read(1).values).toEqual(["a"]);
  expect(errorName(cluster.read(1, { offset: 1 }).errorCode)).toBe("CORRUPT_MESSAGE");
  cluster.until("it is mended", () => cluster.read(1, { offset: 1 }).errorCode === Errors.NONE);
  expect(cluster.log(1)).toEqual(["a", "b", "c", "d"]);
});

test("a replica that is elsewhere leaves no files", () => {
  const cluster = start();
  cluster.createTopic([1, 2]);
  cluster.write("a");
  const { responses } = cluster.wait(cluster.ask(1, alterPartitionReassignments, {
    timeoutMs: 10_000,
    topics: [{ name: "t", partitions: [{ partitionIndex: 0, replicas: [2, 3] }] }],
  }));
  expect(errorName(responses[0]!.partitions[0]!.errorCode)).toBe("NONE");
  cluster.until("another leads", () => cluster.leader === 2 || cluster.leader === 3);
  cluster.until("it is gone", () => cluster.find(1) === null);
  cluster.advance(70_000);
  const left = [...cluster.node(1).disk.files()].filter(([path]) => path.startsWith("/data/t-0"));
  expect(left.map(([path]) => path)).toEqual([]);
  expect(errorName(cluster.write("b").errorCode)).toBe("NONE");
  expect(cluster.log(3)).toEqual(["a", "b"]);
});
