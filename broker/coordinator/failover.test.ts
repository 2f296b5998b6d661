/** Coordinators of which the brokers are not those of the partitions, and that move. */
import { expect, test } from "bun:test";
import { Consumer } from "../../client/consumer.ts";
import { Producer } from "../../client/producer.ts";
import { ShareConsumer } from "../../client/share-consumer.ts";
import { errorName, Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { offsetCommit } from "../../core/protocol/08-offset-commit.ts";
import { offsetFetch } from "../../core/protocol/09-offset-fetch.ts";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import { initProducerId } from "../../core/protocol/22-init-producer-id.ts";
import { addPartitionsToTxn } from "../../core/protocol/24-add-partitions-to-txn.ts";
import { describeTransactions } from "../../core/protocol/65-describe-transactions.ts";
import { shareFetch } from "../../core/protocol/78-share-fetch.ts";
import { describeShareGroupOffsets } from "../../core/protocol/90-describe-share-group-offsets.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { HandMadeCluster, topicId } from "./hand-made-cluster.test-helper.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? undefined);

/** Coordinators on broker 3 (transactions) and 2 (groups), data on 1 and 2. */
function threeBrokers(configs: Readonly<Record<string, string>> = {}): HandMadeCluster {
  return new HandMadeCluster([1, 2, 3], {
    t: [[1, 3], [2, 3]],
    __transaction_state: [[3, 1, 2]],
    __consumer_offsets: [[2, 1, 3]],
  }, configs);
}

function producerOf(cluster: HandMadeCluster, transactionalId: string): Producer {
  return new Producer(cluster.clientIo(), { brokers: cluster.brokers, transactionalId });
}

/** Sends a value into each partition of `t`; resolves when they are sent. */
function sendToAll(producer: Producer, value: string): Promise<unknown> {
  return Promise.all(
    [0, 1].map((partition) =>
      producer.send({ topic: "t", partition, value: encode(`${value}${partition}`) })
    ),
  );
}

/** All values that readers of committed records see. */
function committed(cluster: HandMadeCluster): string[] {
  const { clock } = cluster;
  const consumer = new Consumer(cluster.clientIo(), {
    brokers: cluster.brokers,
    isolationLevel: "read_committed",
  });
  clock.run(consumer.assign([0, 1].map((partition) => ({ topic: "t", partition, offset: 0n }))));
  const values: string[] = [];
  const stop = new AbortController();
  const reading = (async () => {
    for await (const { value } of consumer.records({ signal: stop.signal })) {
      values.push(decode(value));
    }
  })().catch(() => {});
  clock.advance(3000);
  stop.abort();
  clock.run(reading);
  clock.run(consumer.close());
  return values.toSorted();
}

/** Whether a transaction holds readers back, by partition. */
function held(cluster: HandMadeCluster): boolean[] {
  return [0, 1].map((index) => cluster.partition(index + 1, "t", index).hasUnstable);
}

function committedOffset(cluster: HandMadeCluster, broker: number): bigint | string {
  const { groups } = cluster.ask(broker, offsetFetch, {
    groups: [{ groupId: "g", topics: [{ name: "t", partitionIndexes: [0] }] }],
  }, 9);
  const [group] = groups;
  if (group?.errorCode !== 0) return errorName(group!.errorCode);
  return group.topics[0]!.partitions[0]!.committedOffset;
}

test("any broker says where coordinators are, as long as there is one", () => {
  const cluster = threeBrokers();
  const find = (broker: number, keyType: number) => {
    const { coordinators } = cluster.ask(broker, findCoordinator, {
      keyType,
      coordinatorKeys: ["x"],
    });
    const { errorCode, nodeId, port } = coordinators[0]!;
    if (errorCode === 0) expect(port).toBe(cluster.node(nodeId).port);
    return errorCode === 0 ? nodeId : errorName(errorCode);
  };
  for (const broker of [1, 2, 3]) {
    expect([find(broker, 0), find(broker, 1)]).toEqual([2, 3]);
  }
  cluster.lead("__consumer_offsets", 0, -1);
  expect(find(1, 0)).toBe("COORDINATOR_NOT_AVAILABLE");
  cluster.lead("__consumer_offsets", 0, 3);
  for (const broker of [1, 2, 3]) expect(find(broker, 0)).toBe(3);
  cluster.stop();
});

for (const level of [1, 2]) {
  test(`a transaction over two leaders with its coordinator on a third (version ${level})`, () => {
    const cluster = threeBrokers();
    cluster.tell([{ type: "feature", version: 1, name: "transaction.version", level }]);
    const { clock } = cluster;
    const producer = producerOf(cluster, "x");
    const { transactions } = producer;
    clock.run(transactions.init());
    for (const [value, commit] of [["a", true], ["b", false], ["c", true]] as const) {
      transactions.begin();
      clock.run(sendToAll(producer, value));
      expect(held(cluster)).toEqual([true, true]);
      const offset = BigInt(value.charCodeAt(0));
      clock.run(
        transactions.sendOffsets([{ topic: "t", partition: 0, offset }], { groupId: "g" }),
      );
      clock.run(commit ? transactions.commit() : transactions.abort());
      clock.advance(1000);
      expect(held(cluster)).toEqual([false, false]);
      expect(committedOffset(cluster, 2)).toBe(value === "c" ? 99n : 97n);
    }
    expect(committed(cluster)).toEqual(["a0", "a1", "c0", "c1"]);
    clock.run(producer.close());
    cluster.stop();
  });
}

test("a coordinator is lost between the decision and its markers: the next one writes them", () => {
  const cluster = threeBrokers();
  // Only the epoch of the coordinator tells the markers of two transactions of a producer apart.
  cluster.tell([{ type: "feature", version: 1, name: "transaction.version", level: 1 }]);
  const { clock } = cluster;
  const producer = producerOf(cluster, "x");
  const { transactions } = producer;
  clock.run(transactions.init());
  transactions.begin();
  clock.run(sendToAll(producer, "a"));
  // It hears all and reaches nobody.
  const old = cluster.node(3).network;
  old.canCall = false;
  clock.run(transactions.commit());
  clock.advance(2000);
  expect(held(cluster)).toEqual([true, true]);
  expect(committed(cluster)).toEqual([]);
  cluster.fence(3);
  clock.advance(1000);
  expect(held(cluster)).toEqual([false, false]);
  expect(committed(cluster)).toEqual(["a0", "a1"]);
  // The producer goes on with the new coordinator.
  transactions.begin();
  clock.run(sendToAll(producer, "b"));
  // The old one still believes that it has something to end, and reaches the others again.
  old.canCall = true;
  clock.advance(5000);
  expect(held(cluster)).toEqual([true, true]);
  clock.run(transactions.commit());
  expect(committed(cluster)).toEqual(["a0", "a1", "b0", "b1"]);
  clock.run(producer.close());
  cluster.stop();
});

test("a coordinator that is led elsewhere gives up its state, and refuses who asks it", () => {
  const cluster = threeBrokers();
  const { clock } = cluster;
  const producer = producerOf(cluster, "x");
  clock.run(producer.transactions.init());
  const describe = (broker: number) => {
    const { transactionStates } = cluster.ask(broker, describeTransactions, {
      transactionalIds: ["x"],
    });
    const [{ errorCode, transactionState }] = transactionStates as [typeof transactionStates[0]];
    return errorCode === 0 ? transactionState : errorName(errorCode);
  };
  expect([1, 2, 3].map(describe)).toEqual(["NOT_COORDINATOR", "NOT_COORDINATOR", "Empty"]);
  cluster.lead("__transaction_state", 0, 1);
  clock.advance(1000);
  expect([1, 2, 3].map(describe)).toEqual(["Empty", "NOT_COORDINATOR", "NOT_COORDINATOR"]);
  producer.transactions.begin();
  clock.run(sendToAll(producer, "a"));
  clock.run(producer.transactions.commit());
  expect(committed(cluster)).toEqual(["a0", "a1"]);
  clock.run(producer.close());
  cluster.stop();
});

test("a leader lets no transaction begin that its coordinator elsewhere knows nothing of", () => {
  const cluster = threeBrokers();
  const { producerId, producerEpoch } = cluster.ask(3, initProducerId, {
    transactionalId: "x",
    transactionTimeoutMs: 60_000,
  });
  const write = (version: number) => {
    const builder = new BatchBuilder({
      producerId: Number(producerId),
      producerEpoch,
      baseSequence: 0,
      transactional: true,
    });
    builder.append(0, null, encode("a"));
    const partitionData = [{ index: 0, records: builder.build() }];
    const { responses } = cluster.ask(1, produce, {
      transactionalId: "x",
      acks: -1,
      timeoutMs: 5000,
      topicData: [{ name: "t", topicId: topicId("t"), partitionData }],
    }, version);
    return errorName(responses[0]!.partitionResponses[0]!.errorCode);
  };
  expect(write(10)).toBe("INVALID_TXN_STATE");
  expect(write(11)).toBe("TRANSACTION_ABORTABLE");
  cluster.lead("__transaction_state", 0, -1);
  expect(write(11)).toBe("NOT_ENOUGH_REPLICAS");
  cluster.lead("__transaction_state", 0, 3);
  cluster.clock.advance(1000);
  const { resultsByTopicV3AndBelow } = cluster.ask(3, addPartitionsToTxn, {
    v3AndBelowTransactionalId: "x",
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: producerEpoch,
    v3AndBelowTopics: [{ name: "t", partitions: [0] }],
  }, 3);
  expect(resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode).toBe(0);
  // The leader cannot ask: its client is to try again.
  cluster.node(1).network.canCall = false;
  cluster.node(1).network.breakAll();
  expect(write(11)).toBe("NOT_ENOUGH_REPLICAS");
  cluster.node(1).network.canCall = true;
  expect(write(11)).toBe("NONE");
  cluster.stop();
});

test("a new coordinator answers nothing before all that it found is on those in sync", () => {
  const cluster = threeBrokers();
  const { clock } = cluster;
  const commit = (broker: number, committedOffset: bigint) => {
    const { topics } = cluster.ask(broker, offsetCommit, {
      groupId: "g",
      topics: [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset }] }],
    }, 9);
    return errorName(topics[0]!.partitions[0]!.errorCode);
  };
  expect(commit(2, 5n)).toBe("NONE");
  // Broker 3 is in the ISR and fetches no more, so this one is not acknowledged.
  const { network } = cluster.node(3);
  network.canCall = false;
  network.breakAll();
  expect(commit(2, 6n)).toBe("COORDINATOR_NOT_AVAILABLE");
  expect(cluster.partition(1, "__consumer_offsets", 0).logEndOffset).toBe(2);
  cluster.lead("__consumer_offsets", 0, 1);
  clock.advance(5000);
  expect(committedOffset(cluster, 1)).toBe("COORDINATOR_LOAD_IN_PROGRESS");
  expect(committedOffset(cluster, 2)).toBe("NOT_COORDINATOR");
  network.canCall = true;
  clock.advance(5000);
  expect(committedOffset(cluster, 1)).toBe(6n);
  expect(commit(1, 7n)).toBe("NONE");
  cluster.stop();
});

test("with too few in sync a coordinator writes nothing", () => {
  const cluster = threeBrokers({ "min.insync.replicas": "2" });
  const commit = () => {
    const { topics } = cluster.ask(2, offsetCommit, {
      groupId: "g",
      topics: [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset: 5n }] }],
    }, 9);
    return errorName(topics[0]!.partitions[0]!.errorCode);
  };
  expect(commit()).toBe("NONE");
  cluster.fence(3);
  expect(commit()).toBe("NONE");
  cluster.fence(1);
  expect(commit()).toBe("COORDINATOR_NOT_AVAILABLE");
  expect(committedOffset(cluster, 2)).toBe(5n);
  cluster.stop();
});

for (const groupProtocol of ["classic", "consumer"] as const) {
  test(`members of a group ride through the moves of its coordinator (${groupProtocol})`, () => {
    const cluster = new HandMadeCluster([1, 2, 3], {
      t: [[1], [1], [1]],
      __consumer_offsets: [[2, 1, 3]],
    });
    const { clock } = cluster;
    const producer = new Producer(cluster.clientIo(), { brokers: cluster.brokers });
    const read: string[] = [];
    const stop = new AbortController();
    let rebalances = 0;
    const members = [1, 2].map(() => {
      const consumer = new Consumer(cluster.clientIo(), {
        brokers: cluster.brokers,
        groupId: "g",
        groupProtocol,
        autoOffsetReset: "earliest",
        autoCommitIntervalMs: 500,
      });
      consumer.subscribe(["t"], {
        assigned: (partitions) => void (rebalances += Math.min(1, partitions.length)),
      });
      const reading = (async () => {
        for await (const { value } of consumer.records({ signal: stop.signal })) {
          read.push(decode(value));
        }
      })();
      return { consumer, reading };
    });
    clock.advance(15_000);
    const settled = rebalances;
    for (let round = 0; round < 5; round++) {
      for (const partition of [0, 1, 2]) {
        clock.run(producer.send({ topic: "t", partition, value: encode(`${round}/${partition}`) }));
      }
      if (round === 1) cluster.lead("__consumer_offsets", 0, 3);
      // The old coordinator has not heard of it at first.
      if (round === 2) cluster.lead("__consumer_offsets", 0, 1, [3]);
      clock.advance(3000);
      if (round === 2) cluster.repeat("__consumer_offsets", 0);
      if (round === 3) cluster.fence(3);
      clock.advance(3000);
    }
    const all = [0, 1, 2, 3, 4].flatMap((round) => [0, 1, 2].map((each) => `${round}/${each}`));
    // Nobody had to give up a partition, so nothing came twice.
    expect(read.toSorted()).toEqual(all);
    expect(rebalances).toBe(settled);
    expect(committedOffset(cluster, 1)).toBe(5n);
    stop.abort();
    for (const { consumer, reading } of members) {
      clock.run(reading.catch(() => {}));
      clock.run(consumer.close());
    }
    clock.run(producer.close());
    cluster.stop();
  });
}

test("a share group of which the members, the state and the records are on three brokers", () => {
  const cluster = new HandMadeCluster([1, 2, 3], {
    t: [[1, 3], [2, 3]],
    __consumer_offsets: [[2, 1, 3]],
    __share_group_state: [[3, 1, 2], [1, 3, 2], [2, 3, 1]],
  });
  const { clock } = cluster;
  const reset = { name: "share.auto.offset.reset", value: "earliest" };
  cluster.tell([
    { type: "config", version: 1, resourceType: "group", resourceName: "g", ...reset },
  ]);
  const producer = new Producer(cluster.clientIo(), { brokers: cluster.brokers });
  const read: string[] = [];
  const stop = new AbortController();
  const consumer = new ShareConsumer(cluster.clientIo(), {
    brokers: cluster.brokers,
    groupId: "g",
  });
  consumer.subscribe(["t"]);
  const reading = (async () => {
    for await (const { value } of consumer.records({ signal: stop.signal })) {
      read.push(decode(value));
    }
  })();
  const values = ["a", "b", "c", "d"];
  for (const value of values) {
    clock.run(sendToAll(producer, value));
    clock.advance(4000);
    // The brokers take turns in keeping the state, and once another one has the records.
    cluster.lead("__share_group_state", 0, value === "a" ? 1 : 2);
    cluster.lead("__share_group_state", 1, value === "b" ? 2 : 3);
    cluster.lead("__share_group_state", 2, value === "c" ? 3 : 1);
    if (value === "b") cluster.lead("t", 0, 3);
    if (value === "c") cluster.lead("__consumer_offsets", 0, 1);
  }
  clock.advance(10_000);
  expect(read.toSorted()).toEqual(values.flatMap((value) => [`${value}0`, `${value}1`]));
  stop.abort();
  clock.run(reading.catch(() => {}));
  expect(clock.run(consumer.close())).toEqual([]);
  const { groups } = cluster.ask(1, describeShareGroupOffsets, {
    groups: [{ groupId: "g", topics: null }],
  });
  const partitions = groups[0]!.topics[0]!.partitions;
  expect(partitions.map(({ startOffset }) => startOffset)).toEqual([4n, 4n]);
  clock.run(producer.close());
  cluster.stop();
});

test("a share consumer goes on with another leader: what was not acknowledged comes again", () => {
  const cluster = new HandMadeCluster([1, 2, 3], {
    t: [[1, 3]],
    __consumer_offsets: [[2]],
    __share_group_state: [[3]],
  });
  const { clock } = cluster;
  const reset = { name: "share.auto.offset.reset", value: "earliest" };
  cluster.tell([
    { type: "config", version: 1, resourceType: "group", resourceName: "g", ...reset },
  ]);
  const producer = new Producer(cluster.clientIo(), { brokers: cluster.brokers });
  for (const value of ["a", "b"]) {
    clock.run(producer.send({ topic: "t", partition: 0, value: encode(value) }));
  }
  const consumer = new ShareConsumer(cluster.clientIo(), {
    brokers: cluster.brokers,
    groupId: "g",
    acknowledgement: "explicit",
  });
  consumer.subscribe(["t"]);
  const next = () => clock.run(consumer.next())!;
  const [first, second] = [next(), next()];
  expect([first, second].map(({ value }) => decode(value))).toEqual(["a", "b"]);
  consumer.acknowledge(first);
  expect(clock.run(consumer.commit())).toEqual([]);
  cluster.lead("t", 0, 3);
  consumer.acknowledge(second);
  const [failure] = clock.run(consumer.commit());
  expect(failure).toMatchObject({ topic: "t", partition: 0, offsets: [1] });
  const again = next();
  expect(decode(again.value)).toBe("b");
  consumer.acknowledge(again);
  expect(clock.run(consumer.commit())).toEqual([]);
  clock.run(consumer.close());
  clock.run(producer.close());
  cluster.stop();
});

test("a leader of share partitions that was deposed without knowing it takes no word that counts", () => {
  const cluster = new HandMadeCluster([1, 2, 3], {
    t: [[1, 3]],
    __consumer_offsets: [[2]],
    __share_group_state: [[2]],
  });
  const { clock } = cluster;
  const reset = { name: "share.auto.offset.reset", value: "earliest" };
  cluster.tell([
    { type: "config", version: 1, resourceType: "group", resourceName: "g", ...reset },
  ]);
  const producer = new Producer(cluster.clientIo(), { brokers: cluster.brokers });
  const values = ["a", "b"].map((text) => ({ topic: "t", partition: 0, value: encode(text) }));
  clock.run(Promise.all(values.map((each) => producer.send(each))));
  const consumer = new ShareConsumer(cluster.clientIo(), {
    brokers: cluster.brokers,
    groupId: "g",
    acknowledgement: "explicit",
  });
  consumer.subscribe(["t"]);
  const taken = clock.run(consumer.next())!;
  // So that the follower knows the high watermark: without the old leader it cannot move it.
  clock.advance(2000);
  cluster.lead("t", 0, 3, [1]);
  // Another member has heard of the other leader.
  const { responses } = cluster.ask(3, shareFetch, {
    groupId: "g",
    memberId: "other",
    shareSessionEpoch: 0,
    maxWaitMs: 1000,
    minBytes: 1,
    maxBytes: 1000,
    maxRecords: 10,
    batchSize: 10,
    topics: [{ topicId: topicId("t"), partitions: [{ partitionIndex: 0 }] }],
  });
  expect(responses[0]!.partitions[0]).toMatchObject({
    errorCode: 0,
    acquiredRecords: [{ firstOffset: 0n, lastOffset: 1n }],
  });
  expect(consumer.buffered).toBe(1);
  consumer.acknowledge(taken);
  const [failure] = clock.run(consumer.commit());
  expect(failure?.error).toMatchObject({ code: Errors.NOT_LEADER_OR_FOLLOWER });
  // The other record is not handed out any more: somebody else has it.
  expect(consumer.buffered).toBe(0);
  clock.run(consumer.close());
  clock.run(producer.close());
  cluster.stop();
});

test("a write of share state outlives the broker that it was sent to", () => {
  const cluster = new HandMadeCluster([1, 2, 3], {
    t: [[1]],
    __consumer_offsets: [[1]],
    __share_group_state: [[3, 2, 1]],
  });
  const { clock } = cluster;
  const reset = { name: "share.auto.offset.reset", value: "earliest" };
  cluster.tell([
    { type: "config", version: 1, resourceType: "group", resourceName: "g", ...reset },
  ]);
  const producer = new Producer(cluster.clientIo(), { brokers: cluster.brokers });
  clock.run(producer.send({ topic: "t", partition: 0, value: encode("a") }));
  const consumer = new ShareConsumer(cluster.clientIo(), {
    brokers: cluster.brokers,
    groupId: "g",
    acknowledgement: "explicit",
  });
  consumer.subscribe(["t"]);
  const record = clock.run(consumer.next());
  consumer.acknowledge(record!);
  const committing = consumer.commit();
  // It is written when the broker goes, and the answer is lost.
  const { log } = cluster.partition(3, "__share_group_state", 0);
  for (const before = log.logEndOffset; log.logEndOffset === before;) clock.advance(0.1);
  cluster.fence(3);
  expect(clock.run(committing)).toEqual([]);
  // Nobody gets it again, whoever leads the partition's state.
  cluster.lead("__share_group_state", 0, 1);
  const again = clock.runUntil(consumer.next(), () => false, 60_000);
  expect(again).toBeNull();
  void consumer.close();
  void producer.close();
  clock.advance(10_000);
  cluster.stop();
});
