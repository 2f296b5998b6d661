import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ClientQuotas } from "../../cluster/client-quotas.ts";
import { Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import { createTopics } from "../../core/protocol/19-create-topics.ts";
import { alterClientQuotas } from "../../core/protocol/49-alter-client-quotas.ts";
import { ManualClock } from "../coordinator/coordinator.test-helper.ts";
import { batch, DataTest } from "../handlers/data-path.test-helper.ts";
import { ClientQuotaManager } from "./client-quota-manager.ts";
import { ConnectionRates } from "./connection-rates.ts";
import { TokenBucket, WindowedRate } from "./rate.ts";

const WINDOWS = { count: 11, sizeMs: 1000 };

describe("rates", () => {
  test("a burst passes that ten windows can hold; what is over takes its time", () => {
    const rate = new WindowedRate(WINDOWS);
    rate.record(10_000, 0);
    expect(rate.throttleMs(1000, 0)).toBe(0);
    rate.record(500, 0);
    expect(rate.rate(0)).toBe(1050);
    // 500 units too many at 1000 a second.
    expect(rate.throttleMs(1000, 0)).toBe(500);
    expect(rate.throttleMs(1000, 10_500)).toBe(0);
  });

  test("what is older than all windows is forgotten, and can be taken back before", () => {
    const rate = new WindowedRate(WINDOWS);
    rate.record(50_000, 0);
    rate.record(-20_000, 10);
    expect(rate.rate(10)).toBe(30_000 / 10.01);
    expect(rate.rate(11_010)).toBe(0);
    for (let second = 20; second < 60; second++) rate.record(100, second * 1000);
    expect(rate.rate(59_000)).toBe(1100 / 10);
  });

  test("a bucket lets one go below, and fills at its rate up to its burst", () => {
    const bucket = new TokenBucket(WINDOWS);
    expect(bucket.tokens(2, 0)).toBe(22);
    bucket.take(30, 2, 0);
    expect(bucket.throttleMs(2, 0)).toBe(4000);
    expect(bucket.tokens(2, 4000)).toBe(0);
    expect(bucket.tokens(2, 1_000_000)).toBe(22);
  });
});

describe("quotas of clients", () => {
  const client = (name: string, clientId: string) => ({
    principal: { type: "User", name },
    clientId,
  });
  const managerOf = (changes: Parameters<ClientQuotas["with"]>[0]) => {
    const clock = new ManualClock();
    const quotas = ClientQuotas.EMPTY.with(changes);
    return new ClientQuotaManager({
      clock,
      quotas: () => quotas,
      windows: WINDOWS,
      controllerWindows: WINDOWS,
    });
  };

  test("clients of one quota share it, others have their own", () => {
    const key = "producer_byte_rate";
    const manager = managerOf([{ entity: { user: null }, key, value: 1000 }]);
    expect(manager.produced(client("a", "1"), 10_000)).toBe(0);
    expect(manager.produced(client("a", "2"), 1000)).toBe(1000);
    expect(manager.produced(client("b", "1"), 10_000)).toBe(0);
    expect(manager.fetched(client("a", "1"), 1e9)).toBe(0);
  });

  test("a fetch that is refused does not count", () => {
    const manager = managerOf([
      { entity: { "client-id": "c" }, key: "consumer_byte_rate", value: 1000 },
    ]);
    expect(manager.fetched(client("a", "c"), 11_000)).toBe(1000);
    expect(manager.fetched(client("a", "c"), 10_000)).toBe(0);
  });

  test("time is a percentage, and slows down by one window at most", () => {
    const manager = managerOf([
      { entity: { user: "a" }, key: "request_percentage", value: 10 },
    ]);
    expect(manager.wasBusy(client("a", ""), 1000)).toBe(0);
    expect(manager.wasBusy(client("a", ""), 50)).toBe(500);
    expect(manager.wasBusy(client("a", ""), 5000)).toBe(1000);
  });

  test("changes of metadata are refused where the version knows how, and charged once", () => {
    const manager = managerOf([
      { entity: { user: "a" }, key: "controller_mutation_rate", value: 1 },
    ]);
    const first = manager.mutations(client("a", ""), true);
    expect(first.charge("t", 20)).toBeNull();
    expect(first.charge("t", 20)).toBeNull();
    expect(first.throttleMs()).toBe(9000);
    expect(first.charge("u", 1)).toMatchObject({ error: Errors.THROTTLING_QUOTA_EXCEEDED });
    const old = manager.mutations(client("a", ""), false);
    expect(old.charge("v", 1)).toBeNull();
    expect(old.throttleMs()).toBe(10_000);
    expect(manager.mutations(client("b", ""), true).throttleMs()).toBe(0);
  });

  test("an address that connects too often is sent away, the broker as a whole makes it wait", () => {
    const clock = new ManualClock();
    const key = "connection_creation_rate";
    const quotas = ClientQuotas.EMPTY.with([{ entity: { ip: "10.0.0.1" }, key, value: 1 }]);
    let brokerRateMax = 0x7fff_ffff;
    const rates = new ConnectionRates({
      clock,
      quotas: () => quotas,
      windows: WINDOWS,
      brokerRateMax: () => brokerRateMax,
    });
    for (let count = 0; count < 10; count++) {
      expect(rates.admit("10.0.0.1")).toEqual({ kind: "welcome" });
    }
    expect(rates.admit("10.0.0.1")).toEqual({ kind: "refuse", delayMs: 1000 });
    expect(rates.admit("10.0.0.2")).toEqual({ kind: "welcome" });
    brokerRateMax = 1;
    for (let count = 0; count < 10; count++) rates.admit("10.0.0.2");
    expect(rates.admit("10.0.0.2")).toEqual({ kind: "wait", delayMs: 1000 });
  });
});

describe("a broker with quotas", () => {
  let t: DataTest;
  beforeEach(async () => {
    t = await DataTest.start();
    await t.createTopic("bytes");
  });
  afterEach(() => t.stop());

  const setQuota = async (key: string, value: number) => {
    const { entries } = await t.connection.request(alterClientQuotas, {
      entries: [{ entity: [{ entityType: "user", entityName: null }], ops: [{ key, value }] }],
    });
    expect(entries[0].errorCode).toBe(Errors.NONE);
  };
  const send = (valueBytes: number, acks = 1) => ({
    acks,
    timeoutMs: 1000,
    topicData: [{
      name: "bytes",
      partitionData: [{ index: 0, records: batch(["x".repeat(valueBytes)]) }],
    }],
  });

  test("produce beyond the quota is answered at once, and the next request late", async () => {
    await setQuota("producer_byte_rate", 10_000);
    const within = await t.connection.request(produce, send(50_000), { maxVersion: 12 });
    expect(within.throttleTimeMs).toBe(0);
    const beforeMs = performance.now();
    const beyond = await t.connection.request(produce, send(53_000), { maxVersion: 12 });
    const answeredMs = performance.now();
    expect(beyond.responses[0].partitionResponses[0].errorCode).toBe(Errors.NONE);
    expect(beyond.throttleTimeMs).toBeGreaterThan(250);
    expect(answeredMs - beforeMs).toBeLessThan(beyond.throttleTimeMs);
    await t.connection.request(produce, send(1), { maxVersion: 12 });
    expect(performance.now() - beforeMs).toBeGreaterThanOrEqual(beyond.throttleTimeMs - 1);
  });

  test("a fetch beyond the quota brings nothing, and the same again later", async () => {
    await t.connection.request(produce, send(30_000), { maxVersion: 12 });
    await setQuota("consumer_byte_rate", 5_000);
    const read = () =>
      t.connection.request(fetch, {
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 1e6,
        topics: [{ topic: "bytes", partitions: [{ partition: 0, partitionMaxBytes: 1e6 }] }],
      }, { maxVersion: 12 });
    const first = await read();
    expect(first.throttleTimeMs).toBe(0);
    expect(first.responses[0].partitions[0].records?.length).toBeGreaterThan(30_000);
    const second = await read();
    expect(second.throttleTimeMs).toBeGreaterThan(1000);
    expect(second.responses).toEqual([]);
    // Another connection of the same client is not slowed down by what it did not get.
    const other = await t.connect();
    const empty = await other.request(fetch, { maxWaitMs: 0, topics: [] }, { maxVersion: 12 });
    expect(empty.throttleTimeMs).toBe(0);
  });

  test("a quota that is next to nothing slows down for as long as a response can say", async () => {
    await setQuota("controller_mutation_rate", 1e-300);
    const topic = (name: string) => ({ name, numPartitions: 1, replicationFactor: 1 });
    const { throttleTimeMs } = await t.connection.request(createTopics, {
      timeoutMs: 5000,
      topics: [topic("one")],
    });
    expect(throttleTimeMs).toBe(0x7fff_ffff);
  });

  test("topics beyond the quota are refused by name", async () => {
    await setQuota("controller_mutation_rate", 0.1);
    const topic = (name: string) => ({ name, numPartitions: 2, replicationFactor: 1 });
    const { topics, throttleTimeMs } = await t.connection.request(createTopics, {
      timeoutMs: 5000,
      topics: [topic("one"), topic("two")],
    });
    expect(topics.map(({ errorCode }) => errorCode)).toEqual([
      Errors.NONE,
      Errors.THROTTLING_QUOTA_EXCEEDED,
    ]);
    expect(throttleTimeMs).toBeGreaterThan(5000);
  });
});
