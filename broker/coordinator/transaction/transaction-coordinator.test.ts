import { expect, test } from "bun:test";
import { errorName, Errors } from "../../../core/errors.ts";
import { at, TransactionTest } from "./transaction.test-helper.ts";

test("a producer begins at epoch 0, and each that follows fences the one before", async () => {
  const t = await TransactionTest.start();
  const first = await t.init("id");
  expect(first).toEqual({ error: Errors.NONE, producerId: 100, producerEpoch: 0 });
  const second = await t.init("id");
  expect(second).toEqual({ error: Errors.NONE, producerId: 100, producerEpoch: 1 });
  expect(await t.add("id", first, at("a", 0))).toBe(Errors.PRODUCER_FENCED);
  expect(await t.add("id", second, at("a", 0))).toBe(Errors.NONE);
});

test("a commit writes markers and is complete after them; the next transaction may begin", async () => {
  const t = await TransactionTest.start();
  const producer = await t.init("id");
  await t.add("id", producer, at("a", 0, 1));
  await t.add("id", producer, at("b", 2));
  t.markers.held = true;
  expect((await t.end("id", producer)).error).toBe(Errors.NONE);
  expect(await t.state("id")).toBe("PrepareCommit");
  expect((await t.end("id", producer)).error).toBe(Errors.CONCURRENT_TRANSACTIONS);
  expect((await t.end("id", producer, { commit: false })).error).toBe(Errors.INVALID_TXN_STATE);
  t.markers.release();
  await t.clock.advance(0);
  expect(await t.state("id")).toBe("CompleteCommit");
  expect(t.markers.written).toEqual([{
    producerId: 100,
    producerEpoch: 0,
    commit: true,
    coordinatorEpoch: 0,
    transactionVersion: 0,
    partitions: new Map([["a", new Set([0, 1])], ["b", new Set([2])]]),
  }]);
  expect((await t.end("id", producer)).error).toBe(Errors.NONE);
  expect((await t.end("id", producer, { commit: false })).error).toBe(Errors.INVALID_TXN_STATE);
  expect(await t.add("id", producer, at("a", 0))).toBe(Errors.NONE);
});

test("the end of an empty transaction waits for the markers of the one before", async () => {
  const t = await TransactionTest.start();
  const producer = await t.init("id");
  await t.add("id", producer, at("a", 0), 2);
  t.markers.held = true;
  const next = await t.end("id", producer, { clientVersion: 2 });
  expect(next.producerEpoch).toBe(1);
  const abort = { commit: false, clientVersion: 2 };
  expect((await t.end("id", next, abort)).error).toBe(Errors.CONCURRENT_TRANSACTIONS);
  t.markers.release();
  await t.clock.advance(0);
  expect(await t.end("id", next, abort)).toMatchObject({ error: Errors.NONE, producerEpoch: 2 });
});

test("an addition waits for the markers of the last transaction, then gives up", async () => {
  const t = await TransactionTest.start();
  const producer = await t.init("id");
  await t.add("id", producer, at("a", 0));
  t.markers.held = true;
  await t.end("id", producer);
  let answer: number | null = null;
  void t.add("id", producer, at("a", 0)).then((error) => answer = error);
  await t.clock.advance(99);
  expect(answer).toBeNull();
  await t.clock.advance(1);
  expect(answer!).toBe(Errors.CONCURRENT_TRANSACTIONS);
  const second = t.add("id", producer, at("a", 0));
  t.markers.release();
  await t.clock.advance(10);
  expect(await second).toBe(Errors.NONE);
});

test("markers are written again until all partitions have theirs", async () => {
  const t = await TransactionTest.start();
  const producer = await t.init("id");
  await t.add("id", producer, at("a", 0));
  t.markers.error = Errors.NOT_LEADER_OR_FOLLOWER;
  await t.end("id", producer);
  await t.clock.advance(60_000);
  expect(await t.state("id")).toBe("PrepareCommit");
  // Quickly at first, then once a second.
  expect(t.markers.written.length).toBeGreaterThan(60);
  expect(t.markers.written.length).toBeLessThan(70);
  // Once, to whom it may concern.
  expect(t.logger.lines.filter((line) => line.includes("do not take its end")).length).toBe(1);
  t.markers.error = Errors.NONE;
  await t.clock.advance(1_000);
  expect(await t.state("id")).toBe("CompleteCommit");
});

test("an end with the bump of KIP-890 gives the next epoch, and knows its retry", async () => {
  const t = await TransactionTest.start();
  const producer = await t.init("id");
  await t.add("id", producer, at("a", 0), 2);
  const ended = await t.end("id", producer, { clientVersion: 2 });
  expect(ended).toEqual({ error: Errors.NONE, producerId: 100, producerEpoch: 1 });
  expect(t.markers.written[0]).toMatchObject({ producerEpoch: 1, transactionVersion: 2 });
  expect(await t.end("id", producer, { clientVersion: 2 })).toEqual(ended);
  expect((await t.end("id", producer, { clientVersion: 2, commit: false })).error)
    .toBe(Errors.INVALID_TXN_STATE);
  expect(await t.add("id", producer, at("a", 0), 2)).toBe(Errors.PRODUCER_FENCED);
  expect(await t.add("id", ended, at("a", 0), 2)).toBe(Errors.NONE);
});

test("an abort of nothing is possible with the bump only", async () => {
  const t = await TransactionTest.start();
  const producer = await t.init("id");
  expect((await t.end("id", producer, { commit: false })).error).toBe(Errors.INVALID_TXN_STATE);
  expect((await t.end("id", producer, { clientVersion: 2 })).error).toBe(Errors.INVALID_TXN_STATE);
  const aborted = await t.end("id", producer, { commit: false, clientVersion: 2 });
  expect(aborted).toEqual({ error: Errors.NONE, producerId: 100, producerEpoch: 1 });
  expect(await t.state("id")).toBe("CompleteAbort");
});

test("a transaction that takes too long is aborted with an epoch that fences", async () => {
  const t = await TransactionTest.start();
  const producer = await t.init("id", null, 20_000);
  await t.add("id", producer, at("a", 0));
  await t.clock.advance(20_000);
  expect(await t.state("id")).toBe("Ongoing");
  await t.clock.advance(10_000);
  expect(await t.state("id")).toBe("CompleteAbort");
  expect(t.markers.written[0]).toMatchObject({ producerEpoch: 1, commit: false });
  expect((await t.end("id", producer)).error).toBe(Errors.PRODUCER_FENCED);
  // The producer itself may go on by asking anew, and gets the epoch that fenced it.
  expect(await t.init("id", producer)).toMatchObject({ error: Errors.NONE, producerEpoch: 1 });
  expect((await t.init("id")).producerEpoch).toBe(2);
});

test("a new producer aborts what its predecessor left open", async () => {
  const t = await TransactionTest.start();
  const producer = await t.init("id");
  await t.add("id", producer, at("a", 0));
  expect((await t.init("id")).error).toBe(Errors.CONCURRENT_TRANSACTIONS);
  await t.clock.advance(0);
  expect(t.markers.written[0]).toMatchObject({ producerEpoch: 1, commit: false });
  expect(await t.init("id")).toEqual({ error: Errors.NONE, producerId: 100, producerEpoch: 2 });
});

test("a bump by the producer itself can be retried (KIP-360)", async () => {
  const t = await TransactionTest.start();
  const producer = await t.init("id");
  const bumped = await t.init("id", producer);
  expect(bumped.producerEpoch).toBe(1);
  expect(await t.init("id", producer)).toEqual(bumped);
  const other = await t.init("id");
  expect(other.producerEpoch).toBe(2);
  expect((await t.init("id", producer)).error).toBe(Errors.PRODUCER_FENCED);
  expect((await t.init("id", { producerId: 5, producerEpoch: 0 })).error)
    .toBe(Errors.PRODUCER_FENCED);
});

test("when the epochs run out, another producer id takes over", async () => {
  const t = await TransactionTest.start();
  let producer = await t.init("id");
  while (producer.producerEpoch < 32_766) producer = await t.init("id");
  const next = await t.init("id", producer);
  expect(next).toEqual({ error: Errors.NONE, producerId: 101, producerEpoch: 0 });
  expect(await t.init("id", producer)).toEqual(next);
});

test("when the epochs run out at the end of a transaction, so does the next producer id", async () => {
  const t = await TransactionTest.start();
  let producer = await t.init("id");
  while (producer.producerEpoch < 32_766) producer = await t.init("id");
  await t.add("id", producer, at("a", 0), 2);
  const ended = await t.end("id", producer, { clientVersion: 2 });
  expect(ended).toEqual({ error: Errors.NONE, producerId: 101, producerEpoch: 0 });
  expect(t.markers.written[0]).toMatchObject({ producerId: 100, producerEpoch: 32_767 });
  expect(await t.end("id", producer, { clientVersion: 2 })).toEqual(ended);
  expect(await t.add("id", ended, at("a", 0), 2)).toBe(Errors.NONE);
});

test("an id that nobody has used for a long time is forgotten", async () => {
  const t = await TransactionTest.start();
  await t.init("idle");
  const producer = await t.init("busy");
  await t.add("busy", producer, at("a", 0));
  await t.clock.advance(604_800_000 + 3_600_000);
  expect(await t.state("idle")).toBeUndefined();
  expect(await t.state("busy")).toBeUndefined();
});

test("after a restart the state is what the log says, and markers go out again", async () => {
  const t = await TransactionTest.start();
  const open = await t.init("open");
  await t.add("open", open, at("a", 0));
  const decided = await t.init("decided");
  await t.add("decided", decided, at("a", 1));
  t.markers.held = true;
  await t.end("decided", decided, { commit: false });
  t.markers.held = false;
  await t.restart();
  expect(await t.state("decided")).toBe("CompleteAbort");
  expect(t.markers.written).toMatchObject([{ producerId: decided.producerId, commit: false }]);
  expect(await t.state("open")).toBe("Ongoing");
  expect((await t.end("open", open)).error).toBe(Errors.NONE);
  expect(await t.state("open")).toBe("CompleteCommit");
});

test("no marker goes out before the decision is committed", async () => {
  const t = await TransactionTest.start();
  const producer = await t.init("id");
  await t.add("id", producer, at("a", 0));
  t.log.autoCommit = false;
  void t.end("id", producer);
  await t.clock.advance(1_000);
  expect(t.markers.written).toEqual([]);
  t.log.autoCommit = true;
  t.log.commit();
  await t.clock.advance(0);
  expect(t.markers.written.length).toBe(1);
});

/** Each request that is malformed or out of order, with Kafka's code for it. */
const REFUSED: readonly (readonly [string, (t: TransactionTest) => Promise<number>, number])[] = [
  ["init of the empty id", async (t) => (await t.init("")).error, Errors.INVALID_REQUEST],
  [
    "init with no timeout",
    async (t) => (await t.init("id", null, 0)).error,
    Errors.INVALID_TRANSACTION_TIMEOUT,
  ],
  [
    "init with a timeout over transaction.max.timeout.ms",
    async (t) => (await t.init("id", null, 900_001)).error,
    Errors.INVALID_TRANSACTION_TIMEOUT,
  ],
  ["add to the empty id", (t) => t.add("", NOBODY, at("a", 0)), Errors.INVALID_REQUEST],
  [
    "add to an unknown id",
    (t) => t.add("other", NOBODY, at("a", 0)),
    Errors.INVALID_PRODUCER_ID_MAPPING,
  ],
  [
    "add by an unknown producer",
    (t) => t.add("id", NOBODY, at("a", 0)),
    Errors.INVALID_PRODUCER_ID_MAPPING,
  ],
  [
    "add with an epoch of the future",
    (t) => t.add("id", { producerId: 100, producerEpoch: 9 }, at("a", 0)),
    Errors.PRODUCER_FENCED,
  ],
  ["end of the empty id", async (t) => (await t.end("", NOBODY)).error, Errors.INVALID_REQUEST],
  [
    "end of an unknown id",
    async (t) => (await t.end("other", NOBODY)).error,
    Errors.INVALID_PRODUCER_ID_MAPPING,
  ],
  [
    "end of an unknown id with the bump",
    async (t) => (await t.end("other", NOBODY, { clientVersion: 2 })).error,
    Errors.INVALID_PRODUCER_ID_MAPPING,
  ],
  [
    "end by an unknown producer",
    async (t) => (await t.end("id", NOBODY, { clientVersion: 2 })).error,
    Errors.INVALID_PRODUCER_ID_MAPPING,
  ],
  [
    "end with an epoch of the future",
    async (t) => (await t.end("id", { producerId: 100, producerEpoch: 9 })).error,
    Errors.PRODUCER_FENCED,
  ],
  [
    "end of nothing",
    async (t) => (await t.end("id", { producerId: 100, producerEpoch: 0 })).error,
    Errors.INVALID_TXN_STATE,
  ],
  [
    "verification for an unknown id",
    async (t) => (await t.coordinator.verifyPartitions("other", NOBODY, at("a", 0))).error,
    Errors.INVALID_PRODUCER_ID_MAPPING,
  ],
];

const NOBODY = { producerId: 5, producerEpoch: 0 };

for (const [what, ask, code] of REFUSED) {
  test(`${what} is refused with ${errorName(code)}`, async () => {
    const t = await TransactionTest.start();
    await t.init("id");
    expect(await ask(t)).toBe(code);
  });
}

test("verification names the partitions that are not in the transaction", async () => {
  const t = await TransactionTest.start();
  const producer = await t.init("id");
  await t.add("id", producer, at("a", 0));
  expect(await t.coordinator.verifyPartitions("id", producer, at("a", 0, 1)))
    .toEqual({ error: Errors.NONE, missing: at("a", 1) });
});
