/** Transactions through the broker's port, in both versions of the protocol (KIP-98, KIP-890). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import { listOffsets } from "../../core/protocol/02-list-offsets.ts";
import { offsetFetch } from "../../core/protocol/09-offset-fetch.ts";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import { initProducerId } from "../../core/protocol/22-init-producer-id.ts";
import { addPartitionsToTxn } from "../../core/protocol/24-add-partitions-to-txn.ts";
import { addOffsetsToTxn } from "../../core/protocol/25-add-offsets-to-txn.ts";
import { endTxn } from "../../core/protocol/26-end-txn.ts";
import { writeTxnMarkers } from "../../core/protocol/27-write-txn-markers.ts";
import { txnOffsetCommit } from "../../core/protocol/28-txn-offset-commit.ts";
import { describeProducers } from "../../core/protocol/61-describe-producers.ts";
import { describeTransactions } from "../../core/protocol/65-describe-transactions.ts";
import { listTransactions } from "../../core/protocol/66-list-transactions.ts";
import { batch, DataTest, decodeValues } from "./data-path.test-helper.ts";

let t: DataTest;
const GROUP = "g";
let topicId = "";

beforeAll(async () => {
  t = await DataTest.start();
  topicId = await t.createTopic("in", { partitions: 2 });
  const found = await t.connection.request(findCoordinator, { keyType: 1, coordinatorKeys: ["x"] });
  expect(found.coordinators[0]!.errorCode).toBe(Errors.NONE);
  const groups = { keyType: 0, coordinatorKeys: [GROUP] };
  expect((await t.connection.request(findCoordinator, groups)).coordinators[0]!.errorCode)
    .toBe(Errors.NONE);
});
afterAll(() => t.stop());

interface Producer {
  readonly id: string;
  producerId: bigint;
  producerEpoch: number;
  sequence: number;
}

async function init(id: string): Promise<Producer> {
  for (;;) {
    const answer = await t.connection.request(initProducerId, {
      transactionalId: id,
      transactionTimeoutMs: 60_000,
    });
    if (answer.errorCode === Errors.CONCURRENT_TRANSACTIONS) continue;
    expect(answer.errorCode).toBe(Errors.NONE);
    const { producerId, producerEpoch } = answer;
    return { id, producerId, producerEpoch, sequence: 0 };
  }
}

/** Sends one record; answers the code. `version` 12 adds the partition by itself. */
async function send(producer: Producer, value: string, version = 12, partition = 0) {
  const { id, producerId, producerEpoch, sequence } = producer;
  const records = batch([value], {
    options: {
      producerId: Number(producerId),
      producerEpoch,
      baseSequence: sequence,
      transactional: true,
    },
  });
  const request = {
    transactionalId: id,
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: "in", topicId, partitionData: [{ index: partition, records }] }],
  };
  const answer = await t.connection.request(produce, request, { maxVersion: version });
  const { errorCode } = answer.responses[0]!.partitionResponses[0]!;
  if (errorCode === Errors.NONE) producer.sequence++;
  return errorCode;
}

async function add(producer: Producer, partition = 0) {
  const answer = await t.connection.request(addPartitionsToTxn, {
    v3AndBelowTransactionalId: producer.id,
    v3AndBelowProducerId: producer.producerId,
    v3AndBelowProducerEpoch: producer.producerEpoch,
    v3AndBelowTopics: [{ name: "in", partitions: [partition] }],
  }, { maxVersion: 3 });
  return answer.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode;
}

/** Ends the transaction; version 5 moves the producer to its next epoch. */
async function end(producer: Producer, committed: boolean, version = 5) {
  const { id, producerId, producerEpoch } = producer;
  const request = { transactionalId: id, producerId, producerEpoch, committed };
  const answer = await t.connection.request(endTxn, request, { maxVersion: version });
  if (version >= 5 && answer.errorCode === Errors.NONE) {
    producer.producerId = answer.producerId;
    producer.producerEpoch = answer.producerEpoch;
    producer.sequence = 0;
  }
  return answer.errorCode;
}

/** Waits until the id's markers are written. */
async function completed(id: string) {
  for (;;) {
    const request = { transactionalIds: [id] };
    const { transactionStates } = await t.connection.request(describeTransactions, request);
    if (transactionStates[0]!.transactionState.startsWith("Complete")) return transactionStates[0]!;
  }
}

async function read(offset: bigint, isolationLevel: number, partition = 0) {
  const answer = await t.connection.request(fetch, {
    maxWaitMs: 0,
    isolationLevel,
    topics: [{
      topic: "in",
      topicId,
      partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: 1_000_000 }],
    }],
  });
  return answer.responses[0]!.partitions[0]!;
}

async function latest(isolationLevel: number, partition = 0): Promise<bigint> {
  const answer = await t.connection.request(listOffsets, {
    isolationLevel,
    topics: [{ name: "in", partitions: [{ partitionIndex: partition, timestamp: -1n }] }],
  });
  return answer.topics[0]!.partitions[0]!.offset;
}

describe("readers", () => {
  test("of what is committed see nothing of an open transaction, and all once it is", async () => {
    const producer = await init("readers");
    const start = await latest(0);
    expect(await send(producer, "a")).toBe(Errors.NONE);
    expect(await latest(0)).toBe(start + 1n);
    expect(await latest(1)).toBe(start);
    expect((await read(start, 1)).records?.length ?? 0).toBe(0);
    expect(decodeValues((await read(start, 0)).records)).toEqual(["a"]);
    expect(await end(producer, true)).toBe(Errors.NONE);
    await completed("readers");
    const after = await read(start, 1);
    expect(after.abortedTransactions).toEqual([]);
    expect(decodeValues(after.records)[0]).toBe("a");
    expect(await latest(1)).toBe(start + 2n);
  });

  test("learn what was aborted", async () => {
    const producer = await init("readers");
    const start = await latest(0);
    await send(producer, "gone");
    expect(await end(producer, false)).toBe(Errors.NONE);
    await completed("readers");
    const after = await read(start, 1);
    expect(after.abortedTransactions)
      .toEqual([{ producerId: producer.producerId, firstOffset: start }]);
    expect((await read(start, 0)).abortedTransactions).toBeNull();
  });

  test("that wait are woken by the end of a transaction", async () => {
    const producer = await init("waiting");
    const start = await latest(0);
    await send(producer, "x".repeat(500));
    const other = await t.connect();
    const waiting = other.request(fetch, {
      maxWaitMs: 20_000,
      minBytes: 400,
      isolationLevel: 1,
      topics: [{
        topic: "in",
        topicId,
        partitions: [{ partition: 0, fetchOffset: start, partitionMaxBytes: 1_000_000 }],
      }],
    });
    await t.roundTrip();
    await end(producer, true);
    const got = (await waiting).responses[0]!.partitions[0]!;
    expect(decodeValues(got.records)[0]).toBe("x".repeat(500));
  });
});

describe("producers of the first protocol", () => {
  test("add partitions themselves, and keep their epoch and sequences", async () => {
    const producer = await init("v1");
    expect(await send(producer, "a", 11)).toBe(Errors.TRANSACTION_ABORTABLE);
    expect(await send(producer, "a", 10)).toBe(Errors.INVALID_TXN_STATE);
    expect(await add(producer)).toBe(Errors.NONE);
    expect(await send(producer, "a", 11)).toBe(Errors.NONE);
    expect(await send(producer, "b", 10)).toBe(Errors.NONE);
    expect(await send(producer, "c", 11, 1)).toBe(Errors.TRANSACTION_ABORTABLE);
    expect(await end(producer, true, 4)).toBe(Errors.NONE);
    await completed("v1");
    expect(await end(producer, true, 4)).toBe(Errors.NONE);
    expect(await end(producer, false, 4)).toBe(Errors.INVALID_TXN_STATE);
    expect(await add(producer)).toBe(Errors.NONE);
    expect(await send(producer, "c", 11)).toBe(Errors.NONE);
    expect(await end(producer, false, 4)).toBe(Errors.NONE);
  });

  test("are fenced by a successor, in the words of their version", async () => {
    const old = await init("fenced");
    await add(old);
    await send(old, "a", 11);
    const fresh = await init("fenced");
    expect(fresh.producerEpoch).toBe(old.producerEpoch + 2);
    expect(await add(old)).toBe(Errors.PRODUCER_FENCED);
    expect(await end(old, true, 4)).toBe(Errors.PRODUCER_FENCED);
    expect(await end(old, true, 1)).toBe(Errors.INVALID_PRODUCER_EPOCH);
    expect(await send(old, "b", 11)).toBe(Errors.INVALID_PRODUCER_EPOCH);
    await add(fresh);
    expect(await send(fresh, "b", 11)).toBe(Errors.NONE);
    expect(await end(fresh, true, 4)).toBe(Errors.NONE);
  });
});

test("many batches of one producer stay in order while the coordinator is asked", async () => {
  const producer = await init("pipelined");
  const start = await latest(0, 1);
  const codes = Array.from({ length: 5 }, (_, index) => {
    const codes = send({ ...producer, sequence: index }, `v${index}`, 12, 1);
    return codes;
  });
  expect(await Promise.all(codes)).toEqual([0, 0, 0, 0, 0]);
  await end(producer, true);
  await completed("pipelined");
  const got = await read(start, 1, 1);
  expect(decodeValues(got.records).slice(0, 5)).toEqual(["v0", "v1", "v2", "v3", "v4"]);
});

describe("offsets in a transaction", () => {
  async function commitOffsets(producer: Producer, offset: bigint, version = 5, more = {}) {
    const answer = await t.connection.request(txnOffsetCommit, {
      transactionalId: producer.id,
      groupId: GROUP,
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      topics: [{
        name: "in",
        topicId,
        partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }],
      }],
      ...more,
    }, { maxVersion: version });
    return answer.topics[0]!.partitions[0]!.errorCode;
  }

  async function fetchOffset(requireStable: boolean) {
    const answer = await t.connection.request(offsetFetch, {
      requireStable,
      groups: [{ groupId: GROUP, topics: [{ name: "in", topicId, partitionIndexes: [0] }] }],
    });
    const { errorCode, committedOffset } = answer.groups[0]!.topics[0]!.partitions[0]!;
    return [errorCode, committedOffset];
  }

  test("count once it is committed, and not if it is aborted", async () => {
    const producer = await init("offsets");
    expect(await commitOffsets(producer, 5n)).toBe(Errors.NONE);
    expect(await fetchOffset(false)).toEqual([Errors.NONE, -1n]);
    expect(await fetchOffset(true)).toEqual([Errors.UNSTABLE_OFFSET_COMMIT, -1n]);
    await end(producer, true);
    await completed("offsets");
    expect(await fetchOffset(true)).toEqual([Errors.NONE, 5n]);
    expect(await commitOffsets(producer, 9n)).toBe(Errors.NONE);
    await end(producer, false);
    await completed("offsets");
    expect(await fetchOffset(true)).toEqual([Errors.NONE, 5n]);
  });

  test("need their partition in the transaction before version 5", async () => {
    const producer = await init("offsets-v1");
    expect(await commitOffsets(producer, 6n, 4)).toBe(Errors.TRANSACTION_ABORTABLE);
    expect(await commitOffsets(producer, 6n, 3)).toBe(Errors.INVALID_TXN_STATE);
    const { id: transactionalId, producerId, producerEpoch } = producer;
    const request = { transactionalId, producerId, producerEpoch, groupId: GROUP };
    expect((await t.connection.request(addOffsetsToTxn, request, { maxVersion: 3 })).errorCode)
      .toBe(Errors.NONE);
    expect(await commitOffsets(producer, 6n, 3)).toBe(Errors.NONE);
    await end(producer, true, 4);
    await completed("offsets-v1");
    expect(await fetchOffset(true)).toEqual([Errors.NONE, 6n]);
  });

  test("are fenced by generation and member (KIP-447)", async () => {
    const producer = await init("offsets-447");
    const unknown = { generationIdOrMemberEpoch: 4, memberId: "zombie" };
    expect(await commitOffsets(producer, 7n, 5, unknown)).toBe(Errors.UNKNOWN_MEMBER_ID);
    await end(producer, false);
  });

  test("survive a restart, committed or still open", async () => {
    const producer = await init("offsets-restart");
    expect(await commitOffsets(producer, 8n)).toBe(Errors.NONE);
    await t.restart();
    expect(await fetchOffset(true)).toEqual([Errors.UNSTABLE_OFFSET_COMMIT, -1n]);
    await end(producer, true);
    await completed("offsets-restart");
    expect(await fetchOffset(true)).toEqual([Errors.NONE, 8n]);
    await t.restart();
    expect(await fetchOffset(true)).toEqual([Errors.NONE, 8n]);
  });
});

describe("administrators", () => {
  test("list transactions by state, producer, duration and pattern", async () => {
    const open = await init("list-open");
    await send(open, "a");
    const list = async (filters: object) => {
      const answer = await t.connection.request(listTransactions, filters);
      const ids = answer.transactionStates.map(({ transactionalId }) => transactionalId);
      return ids.filter((id) => id.startsWith("list-")).sort();
    };
    await init("list-empty");
    expect(await list({})).toEqual(["list-empty", "list-open"]);
    expect(await list({ stateFilters: ["Ongoing"] })).toEqual(["list-open"]);
    expect(await list({ producerIdFilters: [open.producerId] })).toEqual(["list-open"]);
    expect(await list({ stateFilters: ["Ongoing"], durationFilter: 1_000_000n })).toEqual([]);
    expect(await list({ transactionalIdPattern: "list-e.*" })).toEqual(["list-empty"]);
    const bad = { stateFilters: ["Odd"] };
    expect((await t.connection.request(listTransactions, bad)).unknownStateFilters)
      .toEqual(["Odd"]);
    const invalid = { transactionalIdPattern: "(" };
    expect((await t.connection.request(listTransactions, invalid)).errorCode)
      .toBe(Errors.INVALID_REGULAR_EXPRESSION);
    await end(open, false);
  });

  test("describe transactions and the producers of a partition", async () => {
    const open = await init("described");
    await send(open, "a", 12, 1);
    const request = { transactionalIds: ["described", "nobody", ""] };
    const { transactionStates } = await t.connection.request(describeTransactions, request);
    expect(transactionStates[0]).toMatchObject({
      errorCode: Errors.NONE,
      transactionState: "Ongoing",
      producerId: open.producerId,
      topics: [{ topic: "in", partitions: [1] }],
    });
    expect(transactionStates.slice(1).map(({ errorCode }) => errorCode))
      .toEqual([Errors.TRANSACTIONAL_ID_NOT_FOUND, Errors.INVALID_REQUEST]);
    const producers = await t.connection.request(describeProducers, {
      topics: [{ name: "in", partitionIndexes: [1, 9] }, { name: "?", partitionIndexes: [0] }],
    });
    const [known, missing] = producers.topics[0]!.partitions;
    const active = known!.activeProducers.find((each) => each.producerId === open.producerId);
    expect(active!.currentTxnStartOffset).toBeGreaterThan(-1n);
    expect(missing!.errorCode).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
    expect(producers.topics[1]!.partitions[0]!.errorCode).toBe(Errors.INVALID_TOPIC_EXCEPTION);
    await end(open, false);
  });

  test("abort a transaction that hangs, by its marker", async () => {
    const open = await init("hanging");
    await send(open, "a", 12, 1);
    const stable = await latest(1, 1);
    const marker = {
      producerId: open.producerId,
      producerEpoch: open.producerEpoch + 1,
      transactionResult: false,
      coordinatorEpoch: 0,
      topics: [{ name: "in", partitionIndexes: [1, 9] }],
    };
    const answer = await t.connection.request(writeTxnMarkers, { markers: [marker] });
    expect(answer.markers[0]!.topics[0]!.partitions).toEqual([
      { partitionIndex: 1, errorCode: Errors.NONE },
      { partitionIndex: 9, errorCode: Errors.UNKNOWN_TOPIC_OR_PARTITION },
    ]);
    expect(await latest(1, 1)).toBe(stable + 2n);
    const stale = { ...marker, producerEpoch: open.producerEpoch };
    const ofNobody = { ...marker, producerId: -1n };
    const beyond = { ...marker, producerId: 2n ** 63n - 1n };
    const refused = await t.connection.request(writeTxnMarkers, {
      markers: [stale, ofNobody, beyond],
    });
    expect(refused.markers.map((each) => each.topics[0]!.partitions[0]!.errorCode)).toEqual([
      Errors.INVALID_PRODUCER_EPOCH,
      Errors.INVALID_REQUEST,
      Errors.INVALID_REQUEST,
    ]);
  });
});

test("partitions that do not exist keep the others from being added", async () => {
  const producer = await init("missing");
  const answer = await t.connection.request(addPartitionsToTxn, {
    v3AndBelowTransactionalId: producer.id,
    v3AndBelowProducerId: producer.producerId,
    v3AndBelowProducerEpoch: producer.producerEpoch,
    v3AndBelowTopics: [{ name: "in", partitions: [0, 7] }],
  }, { maxVersion: 3 });
  const codes = answer.resultsByTopicV3AndBelow[0]!.resultsByPartition
    .map(({ partitionErrorCode }) => partitionErrorCode);
  expect(codes).toEqual([Errors.OPERATION_NOT_ATTEMPTED, Errors.UNKNOWN_TOPIC_OR_PARTITION]);
});
