import { expect, test } from "bun:test";
import { NO_CODECS } from "../../core/compression/codec.ts";
import { Errors } from "../../core/errors.ts";
import { readRecords } from "../../core/records/record-cursor.ts";
import { settle } from "../coordinator/coordinator.test-helper.ts";
import { shareKey, ShareStateHarness } from "../coordinator/share/share.test-helper.ts";
import { AcknowledgeTypes } from "./delivery-window.ts";
import { DEFAULT_SHARE_CONFIG, type ShareConfig } from "./share-config.ts";
import { SharePartition } from "./share-partition.ts";
import { TestLog } from "./share-partition.test-helper.ts";

const { ACCEPT, RELEASE, RENEW } = AcknowledgeTypes;

/** A share partition over a coordinator in memory. */
async function world(config: Partial<ShareConfig> = {}, startOffset = 0) {
  const states = await new ShareStateHarness().start();
  await states.coordinator.initialize(shareKey(), 0, startOffset);
  const log = new TestLog();
  const fenced: SharePartition[] = [];
  const open = async () => {
    const shared = new SharePartition({
      key: shareKey(),
      log,
      persister: states.coordinator,
      clock: states.clock,
      logger: states.logger,
      config: () => ({ ...DEFAULT_SHARE_CONFIG, ...config }),
      onFenced: (each) => fenced.push(each),
    });
    expect(await shared.initialize()).toBe(Errors.NONE);
    return shared;
  };
  return { states, log, fenced, open, clock: states.clock };
}

const wish = (memberId: string, maxRecords = 500) => ({
  memberId,
  maxBytes: 1_000_000,
  maxRecords,
  batchSize: 500,
  recordLimit: false,
});

const say = (firstOffset: number, lastOffset: number, ...types: number[]) => [{
  firstOffset,
  lastOffset,
  types,
}];

test("what was acknowledged stays so for the next leader, the rest is delivered again", async () => {
  const t = await world();
  t.log.append(4);
  t.log.append(4);
  const first = await t.open();
  const got = await first.fetch(wish("a"));
  expect(got.ranges).toEqual([{ firstOffset: 0, lastOffset: 7, deliveryCount: 1 }]);
  expect(await first.acknowledge("a", say(0, 5, ACCEPT))).toBe(Errors.NONE);
  first.close();
  const second = await t.open();
  expect(second.window.startOffset).toBe(6);
  const again = await second.fetch(wish("b"));
  expect(again.ranges).toEqual([{ firstOffset: 6, lastOffset: 7, deliveryCount: 1 }]);
  // The whole batch is sent; what of it is the member's, the ranges say.
  expect(readRecords(again.records, 0, NO_CODECS).length).toBe(4);
});

test("where the disk does not say where a group begins, it can be asked again", async () => {
  const autoOffsetReset = { kind: "by_duration", durationMs: 0 } as const;
  const t = await world({ autoOffsetReset }, -1);
  t.log.append(4);
  t.log.fails = true;
  const make = () =>
    new SharePartition({
      key: shareKey(),
      log: t.log,
      persister: t.states.coordinator,
      clock: t.clock,
      logger: t.states.logger,
      config: () => ({ ...DEFAULT_SHARE_CONFIG, autoOffsetReset }),
      onFenced: () => {},
    });
  expect(await make().initialize()).toBe(Errors.KAFKA_STORAGE_ERROR);
  t.log.fails = false;
  expect(await make().initialize()).toBe(Errors.NONE);
});

test("a member gets no records that the read did not bring", async () => {
  const t = await world();
  t.log.append(3);
  t.log.append(3);
  const first = await t.open();
  await first.fetch(wish("a"));
  expect(await first.acknowledge("a", say(0, 5, RELEASE))).toBe(Errors.NONE);
  const got = await first.fetch({ ...wish("a"), maxBytes: 1 });
  expect(got.ranges).toEqual([{ firstOffset: 0, lastOffset: 2, deliveryCount: 2 }]);
  expect(readRecords(got.records, 0, NO_CODECS).length).toBe(3);
});

test("a type for each record, and runs of the same one", async () => {
  const t = await world();
  t.log.append(4);
  const shared = await t.open();
  await shared.fetch(wish("a"));
  const types = [ACCEPT, RELEASE, RELEASE, ACCEPT];
  expect(await shared.acknowledge("a", say(0, 3, ...types))).toBe(Errors.NONE);
  expect(shared.window.startOffset).toBe(1);
  expect((await shared.fetch(wish("b"))).ranges).toEqual([
    { firstOffset: 1, lastOffset: 2, deliveryCount: 2 },
  ]);
});

test("one wrong record undoes all that was said with it", async () => {
  const t = await world();
  t.log.append(4);
  const shared = await t.open();
  await shared.fetch(wish("a"));
  await shared.acknowledge("a", say(2, 2, ACCEPT));
  const both = [...say(0, 1, ACCEPT), ...say(2, 3, ACCEPT)];
  expect(await shared.acknowledge("a", both)).toBe(Errors.INVALID_RECORD_STATE);
  expect(await shared.acknowledge("a", say(0, 9, ACCEPT))).toBe(Errors.INVALID_REQUEST);
  expect(await shared.acknowledge("a", say(0, 1, ACCEPT))).toBe(Errors.NONE);
});

test("locks run out one by one, unless they are renewed", async () => {
  const t = await world();
  t.log.append(2);
  const shared = await t.open();
  await shared.fetch(wish("a"));
  await t.clock.advance(20_000);
  expect(await shared.acknowledge("a", say(0, 0, RENEW))).toBe(Errors.NONE);
  await t.clock.advance(10_000);
  expect((await shared.fetch(wish("b"))).ranges).toEqual([
    { firstOffset: 1, lastOffset: 1, deliveryCount: 2 },
  ]);
  expect(await shared.acknowledge("a", say(0, 0, ACCEPT))).toBe(Errors.NONE);
  expect(await shared.acknowledge("a", say(1, 1, ACCEPT))).toBe(Errors.INVALID_RECORD_STATE);
  await t.clock.advance(30_000);
  expect((await shared.fetch(wish("a"))).ranges).toEqual([
    { firstOffset: 1, lastOffset: 1, deliveryCount: 3 },
  ]);
});

test("deliveries that failed count for the next leader", async () => {
  const t = await world({ deliveryCountLimit: 2 });
  t.log.append(1);
  const first = await t.open();
  await first.fetch(wish("a"));
  await t.clock.advance(30_000);
  first.close();
  const second = await t.open();
  expect((await second.fetch(wish("a"))).ranges[0]!.deliveryCount).toBe(2);
  await t.clock.advance(30_000);
  expect(second.window.startOffset).toBe(1);
});

test("what was told to count does so for the next leader, also where it had run out", async () => {
  const t = await world({ deliveryCountLimit: 1 });
  t.log.append(6);
  const first = await t.open();
  await first.fetch(wish("a"));
  t.states.log.failWith = Errors.NOT_ENOUGH_REPLICAS;
  await t.clock.advance(30_000);
  // All are done with, which could not be persisted.
  expect(first.window.startOffset).toBe(6);
  expect(await first.acknowledge("a", say(0, 1, ACCEPT))).toBe(Errors.COORDINATOR_NOT_AVAILABLE);
  t.states.log.failWith = Errors.NONE;
  expect(await first.acknowledge("a", say(2, 3, ACCEPT))).toBe(Errors.NONE);
  const next = await t.open();
  expect((await next.fetch(wish("b"))).ranges).toEqual([
    { firstOffset: 0, lastOffset: 1, deliveryCount: 1 },
    { firstOffset: 4, lastOffset: 5, deliveryCount: 1 },
  ]);
});

test("a leader that was replaced can persist nothing more", async () => {
  const t = await world();
  t.log.append(3);
  const old = await t.open();
  await old.fetch(wish("a"));
  t.log.leaderEpoch = 1;
  await t.open();
  expect(await old.acknowledge("a", say(0, 2, ACCEPT))).toBe(Errors.NOT_LEADER_OR_FOLLOWER);
  expect(t.fenced).toEqual([old]);
  expect((await old.fetch(wish("a"))).error).toBe(Errors.NOT_LEADER_OR_FOLLOWER);
});

test("a coordinator that refuses leaves the records with their member", async () => {
  const t = await world();
  t.log.append(3);
  const shared = await t.open();
  await shared.fetch(wish("a"));
  t.states.log.failWith = Errors.NOT_ENOUGH_REPLICAS;
  expect(await shared.acknowledge("a", say(0, 2, ACCEPT))).toBe(Errors.COORDINATOR_NOT_AVAILABLE);
  t.states.log.failWith = Errors.NONE;
  expect(await shared.acknowledge("a", say(0, 2, ACCEPT))).toBe(Errors.NONE);
});

test("what is persisted begins behind what is done, whatever order it is persisted in", async () => {
  const t = await world();
  t.log.append(9);
  const shared = await t.open();
  await shared.fetch(wish("a"));
  const persisted = () => t.states.coordinator.summary(shareKey());
  await shared.acknowledge("a", say(0, 1, ACCEPT));
  expect(await persisted()).toMatchObject({ startOffset: 2, deliveryCompleteCount: 0 });
  await Promise.all([
    shared.acknowledge("a", say(2, 3, ACCEPT)),
    shared.acknowledge("a", say(4, 5, ACCEPT)),
    shared.acknowledge("a", say(7, 7, ACCEPT)),
  ]);
  expect(await persisted()).toMatchObject({ startOffset: 4, deliveryCompleteCount: 3 });
  const next = await t.open();
  expect(next.window.startOffset).toBe(6);
  expect((await next.fetch(wish("b"))).ranges.map(({ firstOffset }) => firstOffset)).toEqual([
    6,
    8,
  ]);
});

test("a start that could not be persisted is not passed over", async () => {
  const t = await world();
  t.log.append(6);
  const shared = await t.open();
  await shared.fetch(wish("a"));
  t.states.log.failWith = Errors.NOT_ENOUGH_REPLICAS;
  const failed = shared.acknowledge("a", say(0, 1, ACCEPT));
  t.states.log.failWith = Errors.NONE;
  const done = shared.acknowledge("a", say(2, 5, ACCEPT));
  expect([await failed, await done]).toEqual([Errors.COORDINATOR_NOT_AVAILABLE, Errors.NONE]);
  const next = await t.open();
  expect((await next.fetch(wish("b"))).ranges).toMatchObject([{ firstOffset: 0, lastOffset: 1 }]);
});

test("nobody hears of an acknowledgement before it is durable", async () => {
  const t = await world();
  t.log.append(3);
  const shared = await t.open();
  await shared.fetch(wish("a"));
  t.states.log.autoCommit = false;
  let heard = false;
  const answer = shared.acknowledge("a", say(0, 2, ACCEPT)).then(() => heard = true);
  await settle();
  expect(heard).toBe(false);
  expect(shared.window.startOffset).toBe(0);
  t.states.log.commit();
  await answer;
  expect(shared.window.startOffset).toBe(3);
});

test("where a group begins: latest, and that stays; earliest; by duration", async () => {
  const latest = await world({}, -1);
  latest.log.append(5);
  expect((await latest.open()).window.startOffset).toBe(5);
  latest.log.append(5);
  expect((await latest.open()).window.startOffset).toBe(5);

  const earliest = await world({ autoOffsetReset: { kind: "earliest" } }, -1);
  earliest.log.append(5);
  earliest.log.logStartOffset = 2;
  expect((await earliest.open()).window.startOffset).toBe(2);

  const since = await world({ autoOffsetReset: { kind: "by_duration", durationMs: 2e12 } }, -1);
  since.log.append(5);
  expect((await since.open()).window.startOffset).toBe(0);
});

test("only one member reads at a time; who comes meanwhile is told when that ends", async () => {
  const t = await world();
  t.log.append(3);
  const shared = await t.open();
  let told = 0;
  shared.onChange(() => told++);
  const [a, b] = await Promise.all([shared.fetch(wish("a")), shared.fetch(wish("b"))]);
  expect([a.ranges.length, b.ranges.length]).toEqual([1, 0]);
  expect([t.log.reads, told]).toEqual([1, 1]);
  // Nothing is read where there is nothing.
  await shared.fetch(wish("b"));
  expect(t.log.reads).toBe(1);
});

test("records that were deleted from the log are skipped", async () => {
  const t = await world();
  t.log.append(3);
  t.log.append(3);
  const shared = await t.open();
  await shared.fetch(wish("a"));
  await shared.acknowledge("a", say(0, 5, RELEASE));
  t.log.logStartOffset = 3;
  t.log.bytes.shift();
  expect((await shared.fetch(wish("a"))).ranges).toEqual([
    { firstOffset: 3, lastOffset: 5, deliveryCount: 2 },
  ]);
});
