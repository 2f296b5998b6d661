/** Whole brokers on one virtual clock that follow one another, with metadata put into them by hand. */
import { expect, test } from "bun:test";
import type { PartitionRecord } from "../cluster/metadata-records.ts";
import { NO_CODECS } from "../core/compression/codec.ts";
import { Connection } from "../core/connection.ts";
import { errorName } from "../core/errors.ts";
import { inlineOffload } from "../core/io/inline-offload.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { noDatagrams } from "../core/io/no-datagrams.test-helper.ts";
import { silentLogger } from "../core/logger.ts";
import { produce } from "../core/protocol/00-produce.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { RecordCursor } from "../core/records/record-cursor.ts";
import { forEachBatch } from "../core/records/batch-header.ts";
import { SimClock } from "../tests/sim/sim-clock.ts";
import { SimHosts } from "../tests/sim/sim-hosts.ts";
import { SimRandom } from "../tests/sim/sim-random.ts";
import { BrokerConfig } from "./config/broker-config.ts";
import type { Partition } from "./partition.ts";
import { ReplicaFetchers } from "./replica-fetchers.ts";
import { type RunningBroker, startBroker } from "./start-broker.ts";

const TOPIC_ID = "abcdefghijklmnopqrstuA";
const IDS = [1, 2, 3];

interface Node {
  readonly running: RunningBroker;
  readonly fetchers: ReplicaFetchers;
}

class Cluster {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random = new SimRandom(3);
  readonly network = new SimHosts(this.clock, this.random).host("127.0.0.1").start().network;
  readonly nodes = new Map<number, Node>();
  #state: PartitionRecord = {
    type: "partition",
    version: 1,
    topicId: TOPIC_ID,
    partition: 0,
    replicas: IDS,
    isr: IDS,
    leader: 1,
    leaderEpoch: 0,
    partitionEpoch: 0,
  };

  constructor(configs: Readonly<Record<string, string>> = {}) {
    for (const id of IDS) this.#start(id, configs);
    for (const id of IDS) {
      this.#publish(id, [{ type: "topic", version: 1, name: "t", id: TOPIC_ID }, this.#state]);
    }
  }

  #start(id: number, configs: Readonly<Record<string, string>>): void {
    const { clock, random, network } = this;
    const running = clock.run(startBroker({
      io: {
        clock,
        random,
        network,
        datagrams: noDatagrams,
        disk: new MemoryDisk({ wallMs: () => clock.wallMs(), maxBytes: 1 << 28 }),
        offload: inlineOffload(),
      },
      logger: silentLogger,
      dataDir: "/data",
      config: BrokerConfig.of({ "node.id": String(id), ...configs }),
    }));
    const { broker } = running;
    const fetchers = new ReplicaFetchers({
      clock,
      logger: silentLogger,
      nodeId: id,
      partitions: broker.partitions,
      brokerEpoch: () => 1,
      connect: (leader, use) => this.connect(`follower ${id} ${use}`, leader),
      ...{ maxWaitMs: 500, minBytes: 1, maxBytes: 1 << 20, partitionMaxBytes: 1 << 20 },
      ...{ backoffMs: 1000, timeoutMs: 1000 },
    });
    broker.metadata.onChange(({ createdTopics, changedTopics }) => {
      for (const topic of createdTopics) fetchers.apply(topic);
      for (const { after } of changedTopics) fetchers.apply(after);
    });
    this.nodes.set(id, { running, fetchers });
  }

  readonly #connections = new Map<string, Promise<Connection>>();

  /** Each has its own: answers come in the order of requests. */
  connect(from: string, id: number): Promise<Connection> {
    const key = `${from} ${id}`;
    const open = this.#connections.get(key);
    if (open !== undefined) return open;
    const { clock, network } = this;
    const to = { host: "127.0.0.1", port: this.nodes.get(id)!.running.port };
    const opening = Connection.open({ clock, network }, to, { clientId: "other" });
    this.#connections.set(key, opening);
    return opening;
  }

  #publish(
    id: number,
    records: Parameters<RunningBroker["broker"]["metadata"]["image"]["apply"]>[0],
  ) {
    const { metadata } = this.nodes.get(id)!.running.broker;
    const { image, delta } = metadata.image.apply(records, metadata.image.position + 1);
    metadata.publish(image, delta);
  }

  /** These brokers hear of a change; the others have not yet. */
  change(change: Partial<PartitionRecord>, hears: readonly number[] = IDS): void {
    this.#state = { ...this.#state, partitionEpoch: this.#state.partitionEpoch + 1, ...change };
    for (const id of hears) this.#publish(id, [this.#state]);
  }

  partition(id: number): Partition {
    const found = this.nodes.get(id)!.running.broker.partitions.find("t", 0);
    if (typeof found === "number") throw new Error(errorName(found));
    return found;
  }

  /** An answer to come, by the name of its error. */
  produce(id: number, acks: number, value: string): { error: string | null } {
    const builder = new BatchBuilder({ sizeHintBytes: 100 });
    builder.append(0, null, new TextEncoder().encode(value));
    const records = builder.build();
    const answer: { error: string | null } = { error: null };
    void this.connect(value, id).then((connection) =>
      connection.request(produce, {
        acks,
        timeoutMs: 2000,
        topicData: [{ topicId: TOPIC_ID, name: "t", partitionData: [{ index: 0, records }] }],
      })
    ).then(({ responses }) => {
      answer.error = errorName(responses[0]!.partitionResponses[0]!.errorCode);
    });
    return answer;
  }

  /** What a replica has, whoever may see it. */
  values(id: number): string[] {
    const partition = this.partition(id);
    const read = this.clock.run(partition.read(partition.logStartOffset, 1 << 20, "log_end"));
    if (!read.ok) throw new Error(errorName(read.error));
    const values: string[] = [];
    forEachBatch(read.records, (position) => {
      const cursor = new RecordCursor(read.records, position, NO_CODECS);
      while (cursor.next()) values.push(new TextDecoder().decode(cursor.value() ?? undefined));
    });
    return values;
  }

  stop(): void {
    for (const { fetchers } of this.nodes.values()) this.clock.run(fetchers.close());
    for (const { running } of this.nodes.values()) this.clock.run(running.stop());
  }
}

test("followers get what is written, and acks=all waits for them", () => {
  const cluster = new Cluster();
  const answers = ["a", "b", "c"].map((value) => cluster.produce(1, -1, value));
  cluster.clock.advance(2000);
  expect(answers.map(({ error }) => error)).toEqual(["NONE", "NONE", "NONE"]);
  cluster.clock.advance(2000);
  expect(cluster.values(1).toSorted()).toEqual(["a", "b", "c"]);
  for (const id of IDS) {
    expect([id, cluster.values(id)]).toEqual([id, cluster.values(1)]);
    expect([id, cluster.partition(id).highWatermark]).toEqual([id, 3]);
  }
  expect(errorName(cluster.partition(2).checkLeader(0))).toBe("NOT_LEADER_OR_FOLLOWER");
  cluster.stop();
});

test("a leader that was deposed without knowing it acknowledges nothing, and cuts what it wrote", () => {
  const cluster = new Cluster();
  cluster.produce(1, -1, "a");
  cluster.clock.advance(2000);
  cluster.change({ leader: 2, leaderEpoch: 1 }, [2, 3]);
  const lost = cluster.produce(1, -1, "lost");
  const alsoLost = cluster.produce(1, 1, "only on one");
  cluster.clock.advance(1000);
  expect(alsoLost.error).toBe("NONE");
  expect(lost.error).toBeNull();
  // It is one of the ISR still, so the new leader waits for it.
  const waits = cluster.produce(2, -1, "b");
  cluster.clock.advance(1000);
  expect(waits.error).toBeNull();
  cluster.change({}, [1]);
  cluster.clock.advance(1000);
  expect(lost.error).toBe("NOT_LEADER_OR_FOLLOWER");
  expect(waits.error).toBe("NONE");
  cluster.clock.advance(2000);
  for (const id of IDS) expect([id, cluster.values(id)]).toEqual([id, ["a", "b"]]);
  cluster.stop();
});

test("without enough in the ISR acks=all is refused, before and after the append", () => {
  const cluster = new Cluster({ "min.insync.replicas": "2" });
  // It is in the log when the others are gone.
  const before = cluster.produce(1, -1, "a");
  while (cluster.partition(1).logEndOffset === 0) cluster.clock.advance(1);
  cluster.change({ isr: [1] });
  const refused = cluster.produce(1, -1, "b");
  const taken = cluster.produce(1, 1, "c");
  cluster.clock.advance(100);
  expect([before.error, refused.error, taken.error])
    .toEqual([null, "NOT_ENOUGH_REPLICAS", "NONE"]);
  // What is on too few does not become visible either.
  expect(cluster.partition(1).highWatermark).toBe(0);
  cluster.change({ isr: [1, 2] });
  cluster.clock.advance(1000);
  expect(before.error).toBe("NONE");
  cluster.stop();
});
