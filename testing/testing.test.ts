/** The broker for users' tests: as quick as it says, several at once, its clock. */
import { expect, test } from "bun:test";
import { bunIo } from "../core/io/bun/index.ts";
import { offsetCommit } from "../core/protocol/08-offset-commit.ts";
import { offsetFetch } from "../core/protocol/09-offset-fetch.ts";
import { joinGroup } from "../core/protocol/11-join-group.ts";
import { syncGroup } from "../core/protocol/14-sync-group.ts";
import { describeGroups } from "../core/protocol/15-describe-groups.ts";
import { findCoordinator } from "../core/protocol/10-find-coordinator.ts";
import { describeTransactions } from "../core/protocol/65-describe-transactions.ts";
import { Producer, type ProducerOptions } from "../client/producer.ts";
import { RawClient } from "../tests/harness/raw-client.ts";
import { startBroker, type TestBroker } from "./index.ts";

const DAY_MS = 86_400_000;

function producerOf(broker: TestBroker, options: Partial<ProducerOptions> = {}): Producer {
  const { clock, random, network } = bunIo();
  const brokers = [{ host: "127.0.0.1", port: broker.port }];
  return new Producer({ clock, random, network }, { brokers, ...options });
}

async function send(broker: TestBroker, topic: string, count: number): Promise<void> {
  const producer = producerOf(broker);
  for (let i = 0; i < count; i++) {
    await producer.send({ topic, partition: 0, value: new TextEncoder().encode(`${i}`) });
  }
  await producer.close();
}

test("brokers live side by side, each with its own topics", async () => {
  await using first = await startBroker({ topics: ["orders", { name: "wide", partitions: 3 }] });
  await using second = await startBroker();
  expect(first.topics.list()).toEqual(["orders", "wide"]);
  expect(first.topics.offsets("wide", 2)).toEqual({ start: 0, end: 0 });
  expect(second.topics.list()).toEqual([]);
  expect(second.port).not.toBe(first.port);
  await second.topics.create("late");
  await send(second, "late", 2);
  expect(second.topics.offsets("late")).toEqual({ start: 0, end: 2 });
  await expect(second.topics.create("late")).rejects.toThrow("cannot create the topic late");
  await expect(startBroker({ config: { "num.partition": "1" } })).rejects.toThrow(
    "num.partitions",
  );
});

test("it is ready within milliseconds", async () => {
  const times: number[] = [];
  for (let round = 0; round < 9; round++) {
    const startMs = performance.now();
    await using broker = await startBroker({ topics: ["orders"] });
    times.push(performance.now() - startMs);
    expect(broker.brokers).toEqual([broker.bootstrap]);
  }
  // Ten times what it takes, as other work may hold the machine.
  expect(times.sort((a, b) => a - b)[4]).toBeLessThan(100);
});

test("retention counts from when records were written, and is done when time has moved", async () => {
  const configs = { "retention.ms": String(DAY_MS) };
  await using broker = await startBroker({ topics: [{ name: "short", configs }, "long"] });
  await send(broker, "short", 3);
  await send(broker, "long", 3);
  const beforeMs = broker.clock.nowMs;
  await broker.clock.advance(DAY_MS / 2);
  expect(broker.topics.offsets("short")).toEqual({ start: 0, end: 3 });
  await broker.clock.advance(DAY_MS);
  expect(broker.topics.offsets("short")).toEqual({ start: 3, end: 3 });
  expect(broker.topics.offsets("long")).toEqual({ start: 0, end: 3 });
  expect(broker.clock.nowMs - beforeMs).toBeGreaterThanOrEqual(1.5 * DAY_MS);
  // Its timestamp is the client's and a day and a half old, but it was written just now.
  await send(broker, "short", 1);
  await broker.clock.advance(60_000);
  expect(broker.topics.offsets("short")).toEqual({ start: 3, end: 4 });
});

test("an open transaction is aborted by its timeout, and its markers are written", async () => {
  await using broker = await startBroker({ topics: ["orders"] });
  const producer = producerOf(broker, { transactionalId: "t", transactionTimeoutMs: 60_000 });
  await producer.transactions.init();
  producer.transactions.begin();
  await producer.send({ topic: "orders", partition: 0, value: new Uint8Array(1) });
  const client = await RawClient.connect(broker.port);
  const state = async () => {
    const answer = await client.request(describeTransactions, 0, { transactionalIds: ["t"] });
    return answer.transactionStates[0]?.transactionState;
  };
  await broker.clock.advance(30_000);
  expect(await state()).toBe("Ongoing");
  await broker.clock.advance(7 * DAY_MS);
  // The id itself has expired in the same week, after its transaction.
  expect(await state()).not.toBe("Ongoing");
  // The record and the marker.
  expect(broker.topics.offsets("orders")?.end).toBe(2);
  client.close();
  producer.abort(new Error("the test is over"));
});

/** Asks until the group's coordinator is there. */
async function coordinatorOf(client: RawClient, group: string): Promise<void> {
  for (;;) {
    const found = await client.request(findCoordinator, 4, { coordinatorKeys: [group] });
    if (found.coordinators[0]?.errorCode === 0) return;
  }
}

test("committed offsets expire", async () => {
  await using broker = await startBroker({ topics: ["orders"] });
  const client = await RawClient.connect(broker.port);
  await coordinatorOf(client, "g");
  const commit = async () => {
    const answer = await client.request(offsetCommit, 8, {
      groupId: "g",
      topics: [{
        name: "orders",
        partitions: [{ partitionIndex: 0, committedOffset: 5n, committedLeaderEpoch: -1 }],
      }],
    });
    return answer.topics[0]?.partitions[0]?.errorCode;
  };
  while (await commit() !== 0);
  const committed = async () => {
    const topics = [{ name: "orders", partitionIndexes: [0] }];
    const answer = await client.request(offsetFetch, 8, { groups: [{ groupId: "g", topics }] });
    return answer.groups[0]?.topics[0]?.partitions[0]?.committedOffset;
  };
  await broker.clock.advance(6 * DAY_MS);
  expect(await committed()).toBe(5n);
  await broker.clock.advance(2 * DAY_MS);
  expect(await committed()).toBe(-1n);
  client.close();
});

test("a member's session outlives the time that passes, unless it passes for sessions", async () => {
  await using broker = await startBroker({ topics: ["orders"] });
  const client = await RawClient.connect(broker.port);
  await coordinatorOf(client, "g");
  const join = (memberId: string) =>
    client.request(joinGroup, 4, {
      groupId: "g",
      memberId,
      protocolType: "consumer",
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      protocols: [{ name: "range", metadata: new Uint8Array(0) }],
    });
  let joined = await join("");
  while (joined.errorCode !== 0) joined = await join(joined.memberId);
  const members = async () =>
    (await client.request(describeGroups, 5, { groups: ["g"] })).groups[0]?.members.length;
  await broker.clock.advance(7 * DAY_MS);
  expect(await members()).toBe(1);
  await broker.clock.advance(60_000, { sessions: true });
  expect(await members()).toBe(0);
  client.close();
});

test("what follows from an expired session follows in the same move", async () => {
  await using broker = await startBroker({ topics: ["orders"] });
  const client = await RawClient.connect(broker.port);
  await coordinatorOf(client, "g");
  const join = (memberId: string) =>
    client.request(joinGroup, 4, {
      groupId: "g",
      memberId,
      protocolType: "consumer",
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      protocols: [{ name: "range", metadata: new Uint8Array(0) }],
    });
  let joined = await join("");
  while (joined.errorCode !== 0) joined = await join(joined.memberId);
  const { memberId, generationId } = joined;
  const assignments = [{ memberId, assignment: new Uint8Array(0) }];
  await client.request(syncGroup, 3, { groupId: "g", generationId, memberId, assignments });
  const committed = await client.request(offsetCommit, 8, {
    groupId: "g",
    memberId,
    generationIdOrMemberEpoch: generationId,
    topics: [{ name: "orders", partitions: [{ partitionIndex: 0, committedOffset: 5n }] }],
  });
  expect(committed.topics[0]?.partitions[0]?.errorCode).toBe(0);
  // The member goes after half a minute, and the group's offsets seven days later.
  await broker.clock.advance(9 * DAY_MS, { sessions: true });
  const answer = await client.request(offsetFetch, 8, {
    groups: [{ groupId: "g", topics: [{ name: "orders", partitionIndexes: [0] }] }],
  });
  expect(answer.groups[0]?.topics[0]?.partitions[0]?.committedOffset).toBe(-1n);
  client.close();
});
