/** ShareFetch, ShareAcknowledge and the share coordinator's APIs through a broker's port. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Connection } from "../../core/connection.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import { shareFetch } from "../../core/protocol/78-share-fetch.ts";
import { shareAcknowledge } from "../../core/protocol/79-share-acknowledge.ts";
import { initializeShareGroupState } from "../../core/protocol/83-initialize-share-group-state.ts";
import { readShareGroupState } from "../../core/protocol/84-read-share-group-state.ts";
import { writeShareGroupState } from "../../core/protocol/85-write-share-group-state.ts";
import { deleteShareGroupState } from "../../core/protocol/86-delete-share-group-state.ts";
import { readShareGroupStateSummary } from "../../core/protocol/87-read-share-group-state-summary.ts";
import { batch, DataTest, decodeValues } from "./data-path.test-helper.ts";

let t: DataTest;
let topicId: string;
beforeEach(async () => {
  t = await DataTest.start();
  topicId = await t.createTopic("t", { partitions: 2 });
  await t.connection.request(findCoordinator, {
    keyType: 2,
    coordinatorKeys: [`g:${topicId}:0`],
  });
  await t.connection.request(initializeShareGroupState, {
    groupId: "g",
    topics: [{ topicId, partitions: [{ partition: 0, stateEpoch: 0, startOffset: 0n }] }],
  });
});
afterEach(() => t.stop());

const send = (...values: string[]) =>
  t.connection.request(produce, {
    acks: -1,
    timeoutMs: 1_000,
    topicData: [{ name: "t", partitionData: [{ index: 0, records: batch(values) }] }],
  }, { maxVersion: 12 });

type FetchGiven = NonNullable<Parameters<typeof fetchFrom>[1]>;
function fetchFrom(connection: Connection, given: {
  memberId?: string | null;
  groupId?: string | null;
  shareSessionEpoch?: number;
  maxWaitMs?: number;
  minBytes?: number;
  maxBytes?: number;
  maxRecords?: number;
  isRenewAck?: boolean;
  topics?: { topicId: string; partitions: object[] }[];
} = {}) {
  return connection.request(shareFetch, {
    groupId: "g",
    memberId: "m",
    shareSessionEpoch: 0,
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1_000_000,
    maxRecords: 500,
    batchSize: 500,
    topics: [{ topicId, partitions: [{ partitionIndex: 0 }] }],
    ...given,
  });
}

const acks = (firstOffset: number, lastOffset: number, ...acknowledgeTypes: number[]) => ({
  partitionIndex: 0,
  acknowledgementBatches: [{
    firstOffset: BigInt(firstOffset),
    lastOffset: BigInt(lastOffset),
    acknowledgeTypes,
  }],
});

function acknowledge(connection: Connection, given: {
  groupId?: string | null;
  memberId?: string | null;
  shareSessionEpoch?: number;
  isRenewAck?: boolean;
  topics?: { topicId: string; partitions: object[] }[];
}) {
  return connection.request(shareAcknowledge, {
    groupId: "g",
    memberId: "m",
    shareSessionEpoch: 1,
    topics: [],
    ...given,
  });
}

test("records are fetched, acknowledged with the next fetch, and never come again", async () => {
  await send("a", "b", "c");
  const first = (await fetchFrom(t.connection)).responses[0]!.partitions[0]!;
  expect(decodeValues(first.records)).toEqual(["a", "b", "c"]);
  expect(first.acquiredRecords).toEqual([{ firstOffset: 0n, lastOffset: 2n, deliveryCount: 1 }]);
  const second = await fetchFrom(t.connection, {
    shareSessionEpoch: 1,
    topics: [{ topicId, partitions: [acks(0, 2, 1, 2, 1)] }],
  });
  const again = second.responses[0]!.partitions[0]!;
  expect(again).toMatchObject({
    acknowledgeErrorCode: 0,
    acquiredRecords: [{ firstOffset: 1n, lastOffset: 1n, deliveryCount: 2 }],
  });
  const closed = await acknowledge(t.connection, {
    shareSessionEpoch: -1,
    topics: [{ topicId, partitions: [acks(1, 1, 1)] }],
  });
  expect(closed.responses[0]!.partitions[0]!.errorCode).toBe(Errors.NONE);
  expect((await fetchFrom(t.connection)).responses[0]!.partitions[0]!.acquiredRecords).toEqual([]);
});

test("a fetch waits for the first record, and a second member for what the first gives back", async () => {
  const other = await t.connect();
  const waiting = fetchFrom(other, { memberId: "n", maxWaitMs: 20_000 });
  await t.roundTrip();
  await send("x");
  const got = (await waiting).responses[0]!.partitions[0]!;
  expect(decodeValues(got.records)).toEqual(["x"]);
  const second = fetchFrom(t.connection, { maxWaitMs: 20_000 });
  // The connection goes, and with it the session and what it had.
  other.close();
  const given = (await second).responses[0]!.partitions[0]!;
  expect(decodeValues(given.records)).toEqual(["x"]);
  expect(given.acquiredRecords[0]!.deliveryCount).toBe(1);
});

test("what a fetch acquires after its session was closed goes to others at once", async () => {
  const other = await t.connect();
  const late = fetchFrom(other, { memberId: "n", maxWaitMs: 20_000 });
  const close = () => acknowledge(t.connection, { memberId: "n", shareSessionEpoch: -1 });
  while ((await close()).errorCode !== Errors.NONE) await t.roundTrip();
  await send("x");
  expect((await late).errorCode).toBe(Errors.INVALID_SHARE_SESSION_EPOCH);
  const given = (await fetchFrom(t.connection)).responses[0]!.partitions[0]!;
  expect(decodeValues(given.records)).toEqual(["x"]);
  expect(given.acquiredRecords[0]!.deliveryCount).toBe(1);
});

test("after a restart what was acknowledged stays acknowledged", async () => {
  await send("a", "b", "c");
  await fetchFrom(t.connection);
  await acknowledge(t.connection, { topics: [{ topicId, partitions: [acks(0, 1, 1)] }] });
  await t.restart();
  const again = (await fetchFrom(t.connection)).responses[0]!.partitions[0]!;
  expect(again.acquiredRecords).toEqual([{ firstOffset: 2n, lastOffset: 2n, deliveryCount: 1 }]);
});

test("locks are renewed by requests that say so", async () => {
  await send("a");
  await fetchFrom(t.connection);
  const topics = [{ topicId, partitions: [acks(0, 0, 4)] }];
  const silent = await acknowledge(t.connection, { topics });
  expect(silent.responses[0]!.partitions[0]!.errorCode).toBe(Errors.INVALID_REQUEST);
  const said = await acknowledge(t.connection, { shareSessionEpoch: 2, isRenewAck: true, topics });
  expect(said).toMatchObject({
    acquisitionLockTimeoutMs: 30_000,
    responses: [{ partitions: [{ errorCode: 0 }] }],
  });
});

const refusedFetches: readonly (readonly [string, FetchGiven, ErrorCode])[] = [
  ["no group", { groupId: null }, Errors.INVALID_REQUEST],
  ["no member", { memberId: null }, Errors.INVALID_REQUEST],
  ["empty member", { memberId: "" }, Errors.INVALID_REQUEST],
  ["long member", { memberId: "x".repeat(37) }, Errors.INVALID_REQUEST],
  ["no session", { memberId: "n", shareSessionEpoch: 1 }, Errors.SHARE_SESSION_NOT_FOUND],
  [
    "final without session",
    { memberId: "n", shareSessionEpoch: -1 },
    Errors.SHARE_SESSION_NOT_FOUND,
  ],
  ["wrong epoch", { shareSessionEpoch: 5 }, Errors.INVALID_SHARE_SESSION_EPOCH],
  ["negative epoch", { shareSessionEpoch: -2 }, Errors.INVALID_SHARE_SESSION_EPOCH],
  ["renewal that fetches", { isRenewAck: true, shareSessionEpoch: 1 }, Errors.INVALID_REQUEST],
  [
    "acknowledgements in the first request",
    { topics: [{ topicId: "", partitions: [acks(0, 0, 1)] }] },
    Errors.INVALID_REQUEST,
  ],
];

test.each(refusedFetches)("ShareFetch is refused: %s", async (_name, given, error) => {
  await fetchFrom(t.connection);
  const topics = given.topics?.map((each) => ({ ...each, topicId }));
  const response = await fetchFrom(
    t.connection,
    topics === undefined ? given : { ...given, topics },
  );
  expect(response.errorCode).toBe(error);
});

test("ShareFetch of what is not there", async () => {
  const unknown = "AAAAAAAAAAAAAAAAAAAAAg";
  const response = await fetchFrom(t.connection, {
    topics: [
      { topicId, partitions: [{ partitionIndex: 7 }, { partitionIndex: 1 }] },
      { topicId: unknown, partitions: [{ partitionIndex: 0 }] },
    ],
  });
  const found = response.responses.flatMap(({ topicId: id, partitions }) =>
    partitions.map((each) => [id === topicId, each.partitionIndex, each.errorCode])
  );
  expect(found).toContainEqual([true, 7, Errors.UNKNOWN_TOPIC_OR_PARTITION]);
  expect(found).toContainEqual([false, 0, Errors.UNKNOWN_TOPIC_ID]);
  // Its state was never initialized.
  expect(found).toContainEqual([true, 1, Errors.UNKNOWN_SERVER_ERROR]);
});

const refusedAcknowledges: readonly (readonly [string, object, ErrorCode])[] = [
  ["offsets the wrong way", acks(2, 1, 1), Errors.INVALID_REQUEST],
  ["no types", acks(0, 1), Errors.INVALID_REQUEST],
  ["too few types", acks(0, 2, 1, 1), Errors.INVALID_REQUEST],
  ["unknown type", acks(0, 0, 5), Errors.INVALID_REQUEST],
  ["negative type", acks(0, 0, -1), Errors.INVALID_REQUEST],
  ["past the window", acks(1, 3, 1), Errors.INVALID_REQUEST],
  ["not there", { ...acks(0, 0, 1), partitionIndex: 7 }, Errors.UNKNOWN_TOPIC_OR_PARTITION],
  ["never fetched", { ...acks(0, 0, 1), partitionIndex: 1 }, Errors.UNKNOWN_TOPIC_OR_PARTITION],
];

test.each(refusedAcknowledges)("ShareAcknowledge is refused: %s", async (_name, given, error) => {
  await send("a", "b", "c");
  await fetchFrom(t.connection);
  const topics = [{ topicId, partitions: [given] }];
  const response = await acknowledge(t.connection, { topics });
  expect(response.responses[0]!.partitions[0]!.errorCode).toBe(error);
});

test("ShareAcknowledge is refused as a whole", async () => {
  await send("a");
  await fetchFrom(t.connection);
  const codes: ErrorCode[] = [];
  for (
    const given of [
      { groupId: null },
      { memberId: "" },
      { shareSessionEpoch: 0 },
      { memberId: "n" },
      { shareSessionEpoch: 3 },
    ]
  ) codes.push((await acknowledge(t.connection, given)).errorCode as ErrorCode);
  expect(codes).toEqual([
    Errors.INVALID_REQUEST,
    Errors.INVALID_REQUEST,
    Errors.INVALID_SHARE_SESSION_EPOCH,
    Errors.SHARE_SESSION_NOT_FOUND,
    Errors.INVALID_SHARE_SESSION_EPOCH,
  ]);
});

test("records of another member, and those that are done, can't be acknowledged", async () => {
  await send("a", "b");
  await fetchFrom(t.connection);
  const other = await t.connect();
  await fetchFrom(other, { memberId: "n" });
  const topics = [{ topicId, partitions: [acks(0, 1, 1)] }];
  const theirs = await acknowledge(other, { memberId: "n", topics });
  expect(theirs.responses[0]!.partitions[0]!.errorCode).toBe(Errors.INVALID_RECORD_STATE);
  const one = [{ topicId, partitions: [acks(1, 1, 1)] }];
  await acknowledge(t.connection, { topics: one });
  const twice = await acknowledge(t.connection, { shareSessionEpoch: 2, topics: one });
  expect(twice.responses[0]!.partitions[0]!.errorCode).toBe(Errors.INVALID_RECORD_STATE);
});

test("the share coordinator's APIs", async () => {
  const partitions = [{ partition: 0 }];
  const ask = { groupId: "g", topics: [{ topicId, partitions }] };
  const stateBatches = [{ firstOffset: 4n, lastOffset: 5n, deliveryState: 2, deliveryCount: 1 }];
  const written = await t.connection.request(writeShareGroupState, {
    groupId: "g",
    topics: [{
      topicId,
      partitions: [{
        partition: 0,
        stateEpoch: 0,
        leaderEpoch: 0,
        startOffset: 3n,
        deliveryCompleteCount: 2,
        stateBatches,
      }],
    }],
  });
  expect(written.results[0]!.partitions).toEqual([
    { partition: 0, errorCode: 0, errorMessage: null },
  ]);
  const read = await t.connection.request(readShareGroupState, ask);
  expect(read.results[0]!.partitions[0]).toMatchObject({ startOffset: 3n, stateBatches });
  const summary = await t.connection.request(readShareGroupStateSummary, ask);
  expect(summary.results[0]!.partitions[0]).toMatchObject({ deliveryCompleteCount: 2 });
  const deleted = await t.connection.request(deleteShareGroupState, ask);
  expect(deleted.results[0]!.partitions[0]!.errorCode).toBe(Errors.NONE);
  const gone = await t.connection.request(readShareGroupState, ask);
  expect(gone.results[0]!.partitions[0]!.errorCode).toBe(Errors.INVALID_REQUEST);
  const nameless = await t.connection.request(readShareGroupState, { ...ask, groupId: "" });
  expect(nameless.results[0]!.partitions[0]!.errorCode).toBe(Errors.INVALID_GROUP_ID);
});

test("FindCoordinator refuses what names no share partition", async () => {
  const response = await t.connection.request(findCoordinator, {
    keyType: 2,
    coordinatorKeys: ["g", `g:${topicId}:0`],
  });
  expect(response.coordinators.map(({ errorCode }) => errorCode)).toEqual([42, 0]);
});
