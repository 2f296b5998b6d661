import { describe, expect, test } from "bun:test";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { NO_ETCD_FAULTS, SimEtcd, SimEtcdClient } from "../../tests/sim/sim-etcd.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { silentLogger } from "../../core/logger.ts";
import { aloneBroker } from "../metadata-image.ts";
import { type LogUnderTest, metadataLogSuite } from "../metadata-log-suite.test-helper.ts";
import { encodeHead, EtcdKeys } from "./etcd-layout.ts";
import type { EtcdMetadataLog } from "./etcd-metadata-log.ts";
import type { EtcdOp } from "./etcd-store.ts";
import { openEtcdMetadataLog } from "./open-etcd.ts";

const CLUSTER = { cluster: "test", newClusterId: "AAAAAAAAAAAAAAAAAAAAEQ" };
const LATE_MS = 60_000;
const KEYS = new EtcdKeys(CLUSTER.cluster);

async function subject(etcd: SimEtcd): Promise<LogUnderTest> {
  const random = new SimRandom(1);
  const store = new SimEtcdClient(bunClock, random, etcd);
  const world = { clock: bunClock, random, logger: silentLogger, store };
  const { log } = await openEtcdMetadataLog(world, CLUSTER);
  return { log, reopen: () => subject(etcd) };
}

metadataLogSuite("EtcdMetadataLog on a simulated etcd", () => subject(new SimEtcd(bunClock)));

/** A log on virtual time, with two changes in it. */
class World {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly etcd = new SimEtcd(this.clock);
  readonly random = new SimRandom(1);
  readonly faults = { ...NO_ETCD_FAULTS };
  readonly client = new SimEtcdClient(this.clock, this.random, this.etcd, this.faults);
  readonly log: EtcdMetadataLog;

  constructor() {
    const { clock, random, client: store } = this;
    const world = { clock, random, logger: silentLogger, store };
    this.log = this.run(openEtcdMetadataLog(world, CLUSTER)).log;
    expect(this.run(this.log.append(0, [aloneBroker(1)]))).toEqual({ ok: true, position: 1 });
    expect(this.run(this.log.append(1, [aloneBroker(2)]))).toEqual({ ok: true, position: 2 });
  }

  run<T>(promise: Promise<T>): T {
    return this.clock.run(promise, 60_000);
  }

  /** Somebody else changes keys. */
  change(...then: EtcdOp[]): void {
    this.etcd.txn({ compare: [], then, otherwise: [] });
    this.clock.advance(100);
  }

  append() {
    return this.run(this.log.append(this.log.endPosition, [aloneBroker(9)]));
  }
}

describe("what nobody should do to the keys", () => {
  test("a head that is removed makes the log unusable, until it is back", () => {
    const world = new World();
    const head = world.etcd.entry(KEYS.head)!;
    world.change({ type: "delete", key: KEYS.head });
    expect(world.append()).toMatchObject({
      ok: false,
      reason: "unavailable",
      message: expect.stringContaining("have gone from etcd"),
    });
    expect(() => world.run(world.log.read(0))).toThrow("have gone from etcd");
    world.change({ type: "put", key: KEYS.head, value: head.value });
    expect(world.append()).toEqual({ ok: true, position: 3 });
  });

  test("a head of a later version is not guessed at", () => {
    const world = new World();
    const value = new TextEncoder().encode('{"version":2}');
    world.change({ type: "put", key: KEYS.head, value });
    expect(world.append()).toMatchObject({
      ok: false,
      message: expect.stringContaining("unknown version"),
    });
  });

  test("a change that is removed is missed, not passed over", () => {
    for (const position of [0, 1]) {
      const world = new World();
      world.change({ type: "delete", key: KEYS.change(position) });
      expect(() => world.run(readOn(world.log))).toThrow(`the change at ${position}`);
    }
  });

  test("a head from the past is noticed by who has read on", () => {
    const world = new World();
    const value = encodeHead({ position: 1, id: "", term: 0 });
    world.change({ type: "put", key: KEYS.head, value });
    expect(() => world.run(world.log.read(2))).toThrow("older backup");
  });

  test("an etcd whose revisions have gone back is refused", () => {
    const world = new World();
    world.etcd.revision -= 2;
    expect(world.append()).toMatchObject({
      ok: false,
      message: expect.stringContaining("restored from a backup"),
    });
  });
});

async function readOn(log: EtcdMetadataLog): Promise<void> {
  for (const position of [0, 1]) await log.read(position);
}

test("while etcd is away an append ends in time, and says why", () => {
  const world = new World();
  world.etcd.isDown = true;
  const before = world.clock.monotonicMs();
  expect(world.append()).toMatchObject({
    ok: false,
    reason: "unavailable",
    message: expect.stringContaining("no answer within"),
  });
  expect(world.clock.monotonicMs() - before).toBeLessThan(15_000);
  world.etcd.isDown = false;
  expect(world.append()).toEqual({ ok: true, position: 3 });
});

describe("an append whose answer is lost", () => {
  test("is found, and not done twice", () => {
    const world = new World();
    world.faults.loseAnswer = 100;
    const appended = world.log.append(2, [aloneBroker(3)]);
    world.clock.advance(1000);
    world.faults.loseAnswer = 0;
    expect(world.run(appended)).toEqual({ ok: true, position: 3 });
    expect(world.run(world.log.read(2))).toEqual({
      kind: "changes",
      changes: [{ position: 3, records: [aloneBroker(3)] }],
    });
  });

  test("and which arrives after its sender has given it up, cannot come between", () => {
    const world = new World();
    world.faults.delayRequest = 100;
    world.faults.delayMs = LATE_MS;
    const late = world.log.append(2, [aloneBroker(3)]);
    world.clock.advance(100);
    world.faults.delayRequest = 0;
    expect(world.run(late)).toEqual({ ok: true, position: 3 });
    const before = world.etcd.revision;
    // Now the first attempt arrives, too.
    world.clock.advance(LATE_MS);
    expect(world.etcd.revision).toBe(before);
    expect(world.log.endPosition).toBe(3);
  });
});
