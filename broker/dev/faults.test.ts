/** Which requests meet with a fault, where its error stands in the answer, and what clients make of it. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { Kafka, logLevel } from "kafkajs";
import { bunIo } from "../../core/io/bun/index.ts";
import type { Random } from "../../core/io.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { silentLogger } from "../../core/logger.ts";
import { Errors } from "../../core/errors.ts";
import { metadata } from "../../core/protocol/03-metadata.ts";
import { createTopics } from "../../core/protocol/19-create-topics.ts";
import { listOffsets } from "../../core/protocol/02-list-offsets.ts";
import { offsetFetch } from "../../core/protocol/09-offset-fetch.ts";
import { Producer } from "../../client/producer.ts";
import { RawClient } from "../../tests/harness/raw-client.ts";
import { type RunningBroker, startBroker } from "../start-broker.ts";
import { faultSpec } from "./fault-spec.ts";
import { FaultRules } from "./faults.ts";

let running: RunningBroker;
beforeEach(async () => {
  const io = { ...bunIo(), disk: new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 26 }) };
  const topics = ["orders", "payments"].map((name) => ({
    name,
    numPartitions: 2,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  }));
  running = await startBroker({ io, logger: silentLogger, dataDir: "/data", topics, dev: true });
});
afterEach(() => running.stop());

function fault(input: Record<string, unknown>) {
  const { broker } = running;
  return broker.dev!.faults.add(faultSpec(input, broker.apis));
}

const struck = () => running.broker.dev!.faults.list().map((rule) => rule.struck);

function endOffset(topic: string, partition: number): number {
  const found = running.broker.partitions.find(topic, partition);
  if (typeof found === "number") throw new Error(`no ${topic}-${partition}`);
  return found.log.logEndOffset;
}

test("a rule strikes the first, the nth, some, or by chance", () => {
  const random: Random = { below: () => 0, bytes: () => new Uint8Array(0) };
  const strikes = (input: Record<string, unknown>, of = random) => {
    const rules = new FaultRules(of);
    rules.add(faultSpec({ api: "produce", drop: "before", ...input }, running.broker.apis));
    return Array.from({ length: 6 }, () => rules.strike(0, "me", () => true) === null ? "-" : "x")
      .join("");
  };
  expect(strikes({})).toBe("xxxxxx");
  expect(strikes({ times: 1 })).toBe("x-----");
  expect(strikes({ nth: 3 })).toBe("--x---");
  expect(strikes({ nth: 2, times: 2 })).toBe("-xx---");
  expect(strikes({ client: "other" })).toBe("------");
  expect(strikes({ client: "me" })).toBe("xxxxxx");
  let draw = 0;
  const half = { ...random, below: (bound: number) => draw++ % 2 === 0 ? 0 : bound - 1 };
  expect(strikes({ probability: 0.5 }, half)).toBe("x-x-x-");
  expect(strikes({ probability: 0.5, times: 2 }, { ...half })).toBe("x-x---");
});

test("what cannot be meant is refused with what would be right", () => {
  const refusal = (input: Record<string, unknown>) => {
    try {
      fault(input);
      return "none";
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
  };
  expect(refusal({ api: "prodcue", drop: "before" })).toContain("did you mean Produce?");
  expect(refusal({ api: "produce" })).toContain("it does nothing");
  expect(refusal({ api: "produce", error: "NOT_LEADR_OR_FOLLOWER" }))
    .toContain("did you mean NOT_LEADER_OR_FOLLOWER?");
  expect(refusal({ api: "heartbeat", topic: "orders", drop: "before" })).toContain("no topics");
  expect(refusal({ api: "produce", tpoic: "orders", drop: "before" }))
    .toContain('did you mean "topic"?');
  expect(refusal({ api: "produce", drop: "later" })).toContain("drop=before or drop=after");
  expect(refusal({ api: "produce", latencyMs: -1 })).toContain("latencyMs");
  expect(refusal({ api: "produce", error: "NOT_CONTROLLER", drop: "after" })).toContain("both");
  expect(refusal({ api: "produce", probability: 2, drop: "after" })).toContain("p=0.1");
  expect(running.broker.dev!.faults.isEmpty).toBe(true);
});

test("an error strikes the topic and partition that are meant, and the rest is executed", async () => {
  fault({ api: "list-offsets", topic: "orders", partition: 1, error: "NOT_LEADER_OR_FOLLOWER" });
  fault({ api: "CreateTopics", topic: "bad", error: "POLICY_VIOLATION" });
  const client = await RawClient.connect(running.port);
  const partitions = [0, 1].map((partitionIndex) => ({ partitionIndex, timestamp: -1n }));
  const { topics } = await client.request(listOffsets, 7, {
    replicaId: -1,
    topics: ["orders", "payments"].map((name) => ({ name, partitions })),
  });
  expect(Object.fromEntries(topics.map(({ name, partitions }) => [
    name,
    partitions.map(({ partitionIndex, errorCode }) => [partitionIndex, errorCode]),
  ]))).toEqual({
    orders: [[0, 0], [1, Errors.NOT_LEADER_OR_FOLLOWER]],
    payments: [[0, 0], [1, 0]],
  });
  const created = await client.request(createTopics, 7, {
    topics: ["good", "bad"].map((name) => ({ name, numPartitions: 1, replicationFactor: 1 })),
    timeoutMs: 1000,
  });
  expect(created.topics.map(({ name, errorCode }) => [name, errorCode]).sort())
    .toEqual([["bad", Errors.POLICY_VIOLATION], ["good", 0]]);
  expect(running.broker.metadata.topic("bad")).toBeUndefined();
  expect(running.broker.metadata.topic("good")).toBeDefined();
  client.close();
});

test("where topics stand within groups the whole request is struck", async () => {
  fault({ api: "offset-fetch", topic: "orders", error: "GROUP_AUTHORIZATION_FAILED", times: 1 });
  const client = await RawClient.connect(running.port);
  const ask = async (name: string) => {
    const topics = [{ name, partitionIndexes: [0] }];
    const { groups } = await client.request(offsetFetch, 8, {
      groups: [{ groupId: "g", topics }],
      requireStable: false,
    });
    return groups[0]?.errorCode;
  };
  // There is no coordinator yet, but that is another error.
  expect(await ask("payments")).not.toBe(Errors.GROUP_AUTHORIZATION_FAILED);
  expect(await ask("orders")).toBe(Errors.GROUP_AUTHORIZATION_FAILED);
  expect(await ask("orders")).not.toBe(Errors.GROUP_AUTHORIZATION_FAILED);
  client.close();
});

test("latency delays the answer", async () => {
  fault({ api: "metadata", latencyMs: 150 });
  const client = await RawClient.connect(running.port);
  const startMs = performance.now();
  await client.request(metadata, 12, { topics: [] });
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(149);
  client.close();
});

const bunClient = () => {
  const { clock, random, network } = bunIo();
  return { clock, random, network };
};

test("our producer tries again after an error, and after a connection that ended behind its back", async () => {
  fault({ api: "produce", topic: "orders", error: "NOT_LEADER_OR_FOLLOWER", times: 2 });
  fault({ api: "produce", drop: "after", nth: 2 });
  fault({ api: "produce", drop: "before", nth: 4 });
  const producer = new Producer(bunClient(), {
    brokers: [{ host: "127.0.0.1", port: running.port }],
  });
  for (let i = 0; i < 6; i++) {
    await producer.send({ topic: "orders", partition: 0, value: new TextEncoder().encode(`${i}`) });
  }
  await producer.close();
  expect(struck()).toEqual([2, 1, 1]);
  // Each record once, whatever became of its first answer.
  expect(endOffset("orders", 0)).toBe(6);
});

test("kafkajs reads on after errors of a fetch, and misses nothing", async () => {
  const kafka = new Kafka({
    brokers: [`127.0.0.1:${running.port}`],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, retries: 10 },
  });
  const producer = kafka.producer();
  await producer.connect();
  fault({ api: "produce", error: "NOT_LEADER_OR_FOLLOWER", times: 1 });
  const messages = Array.from({ length: 5 }, (_, i) => ({ value: `${i}`, partition: 0 }));
  await producer.send({ topic: "orders", messages });
  await producer.disconnect();
  fault({ api: "fetch", topic: "orders", error: "NOT_LEADER_OR_FOLLOWER", times: 2 });
  const consumer = kafka.consumer({ groupId: "g", maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic: "orders", fromBeginning: true });
  const seen: string[] = [];
  const done = Promise.withResolvers<void>();
  await consumer.run({
    eachMessage: ({ message }) => {
      seen.push(String(message.value));
      if (seen.length === 5) done.resolve();
      return Promise.resolve();
    },
  });
  await done.promise;
  await consumer.disconnect();
  expect(seen).toEqual(["0", "1", "2", "3", "4"]);
  expect(struck()).toEqual([1, 2]);
}, 30_000);
