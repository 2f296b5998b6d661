import { expect, test } from "bun:test";
import { type ErrorCode, Errors } from "../../../core/errors.ts";
import { forEachBatch } from "../../../core/records/batch-header.ts";
import { readRecords } from "../../../core/records/record-cursor.ts";
import { MemoryLog, SeededRandom } from "../coordinator.test-helper.ts";
import { shareRecordCodec } from "./share-codec.ts";
import {
  DeliveryStates,
  parseShareKey,
  type ShareKey,
  shareKeyString,
  type ShareRecord,
} from "./share-records.ts";
import { shareKey, ShareStateHarness, shareWrite, TOPIC_ID } from "./share.test-helper.ts";

const acknowledged = (firstOffset: number, lastOffset = firstOffset) => ({
  firstOffset,
  lastOffset,
  deliveryState: DeliveryStates.ACKNOWLEDGED,
  deliveryCount: 1,
});

function recordsOf(log: MemoryLog): ShareRecord[] {
  const records: ShareRecord[] = [];
  for (const bytes of log.batches) {
    forEachBatch(bytes, (position) => {
      for (const { key, value } of readRecords(bytes, position, {})) {
        const record = key === null ? null : shareRecordCodec.decode(key, value);
        if (record !== null) records.push(record);
      }
    });
  }
  return records;
}

test("what was written is read, also after a restart", async () => {
  const t = await new ShareStateHarness().start();
  const key = shareKey();
  expect((await t.coordinator.initialize(key, 0, 5)).errorCode).toBe(Errors.NONE);
  const write = shareWrite({
    startOffset: 7,
    deliveryCompleteCount: 2,
    stateBatches: [acknowledged(8, 9), { ...acknowledged(10), deliveryState: 0 }],
  });
  expect((await t.coordinator.write(key, write)).errorCode).toBe(Errors.NONE);
  for (const restart of [false, true]) {
    if (restart) await t.start();
    expect(await t.coordinator.read(key, 0)).toEqual({
      errorCode: Errors.NONE,
      errorMessage: null,
      stateEpoch: 0,
      startOffset: 7,
      stateBatches: [acknowledged(8, 9), { ...acknowledged(10), deliveryState: 0 }],
    });
    expect(await t.coordinator.summary(key)).toMatchObject({
      startOffset: 7,
      deliveryCompleteCount: 2,
      leaderEpoch: 0,
    });
  }
});

test("after as many updates as configured comes a snapshot", async () => {
  const t = await new ShareStateHarness().start();
  await t.coordinator.initialize(shareKey(), 0, 0);
  for (let offset = 0; offset < 8; offset += 2) {
    await t.coordinator.write(shareKey(), shareWrite({ stateBatches: [acknowledged(offset)] }));
  }
  const records = recordsOf(t.log);
  expect(records.map(({ type }) => type)).toEqual([
    "ShareSnapshot",
    "ShareUpdate",
    "ShareUpdate",
    "ShareUpdate",
    "ShareSnapshot",
  ]);
  expect(records.map(({ value }) => value?.snapshotEpoch)).toEqual([0, 0, 0, 0, 1]);
  expect(records.at(-1)?.value?.stateBatches).toEqual(
    [0, 2, 4, 6].map((each) => acknowledged(each)),
  );
});

test("a leader that reads with a newer epoch fences the one before", async () => {
  const t = await new ShareStateHarness().start();
  await t.coordinator.initialize(shareKey(), 0, 0);
  await t.coordinator.read(shareKey(), 4);
  await t.start();
  const old = await t.coordinator.write(shareKey(), shareWrite({ leaderEpoch: 3 }));
  expect(old.errorCode).toBe(Errors.FENCED_LEADER_EPOCH);
  expect((await t.coordinator.read(shareKey(), 3)).errorCode).toBe(Errors.FENCED_LEADER_EPOCH);
  const now = await t.coordinator.write(shareKey(), shareWrite({ leaderEpoch: 4 }));
  expect(now.errorCode).toBe(Errors.NONE);
});

test("a new initialization begins anew and fences writes of the one before", async () => {
  const t = await new ShareStateHarness().start();
  await t.coordinator.initialize(shareKey(), 0, 0);
  await t.coordinator.write(shareKey(), shareWrite({ stateBatches: [acknowledged(3)] }));
  expect((await t.coordinator.initialize(shareKey(), 1, 2)).errorCode).toBe(Errors.NONE);
  expect(await t.coordinator.read(shareKey(), 0)).toMatchObject({
    stateEpoch: 1,
    startOffset: 2,
    stateBatches: [],
  });
  const late = await t.coordinator.write(shareKey(), shareWrite({ stateEpoch: 0 }));
  expect(late.errorCode).toBe(Errors.FENCED_STATE_EPOCH);
});

test("a deleted share partition is unknown, and its old epochs with it", async () => {
  const t = await new ShareStateHarness().start();
  await t.coordinator.initialize(shareKey(), 5, 9);
  expect((await t.coordinator.delete(shareKey())).errorCode).toBe(Errors.NONE);
  expect((await t.coordinator.delete(shareKey())).errorCode).toBe(Errors.NONE);
  expect(await t.coordinator.summary(shareKey())).toMatchObject({ startOffset: -1, stateEpoch: 0 });
  await t.start();
  expect((await t.coordinator.initialize(shareKey(), 0, 1)).errorCode).toBe(Errors.NONE);
});

test("with a topic goes what was consumed of it", async () => {
  const t = await new ShareStateHarness().start();
  await t.coordinator.initialize(shareKey(), 0, 9);
  t.topics.delete(TOPIC_ID);
  t.coordinator.onTopicsDeleted();
  await t.clock.advance(0);
  t.topics.set(TOPIC_ID, 1);
  expect(await t.coordinator.summary(shareKey())).toMatchObject({ startOffset: -1 });
});

const UNKNOWN_TOPIC: ShareKey = { ...shareKey(), topicId: "AAAAAAAAAAAAAAAAAAAAAg" };
type Ask = (t: ShareStateHarness) => Promise<{ readonly errorCode: ErrorCode }>;

const refused: readonly (readonly [string, Ask, ErrorCode])[] = [
  ["initialize: negative partition", (t) => t.coordinator.initialize(shareKey(-1), 0, 0), 42],
  ["initialize: unknown topic", (t) => t.coordinator.initialize(UNKNOWN_TOPIC, 0, 0), 3],
  ["initialize: unknown partition", (t) => t.coordinator.initialize(shareKey(2), 0, 0), 3],
  [
    "initialize: stale state epoch",
    (t) => t.coordinator.initialize(shareKey(), 1, 0),
    Errors.FENCED_STATE_EPOCH,
  ],
  ["read: negative partition", (t) => t.coordinator.read(shareKey(-1), 0), 42],
  ["read: uninitialized", (t) => t.coordinator.read(shareKey(1), 0), 42],
  ["read: stale leader", (t) => t.coordinator.read(shareKey(), 1), Errors.FENCED_LEADER_EPOCH],
  ["write: negative partition", (t) => t.coordinator.write(shareKey(-1), shareWrite({})), 42],
  ["write: uninitialized", (t) => t.coordinator.write(shareKey(1), shareWrite({})), 42],
  [
    "write: stale leader",
    (t) => t.coordinator.write(shareKey(), shareWrite({ stateEpoch: 2, leaderEpoch: 1 })),
    Errors.FENCED_LEADER_EPOCH,
  ],
  [
    "write: stale state epoch",
    (t) => t.coordinator.write(shareKey(), shareWrite({ stateEpoch: 1, leaderEpoch: 2 })),
    Errors.FENCED_STATE_EPOCH,
  ],
  ["delete: negative partition", (t) => t.coordinator.delete(shareKey(-1)), 42],
  ["delete: unknown topic", (t) => t.coordinator.delete(UNKNOWN_TOPIC), 3],
  ["summary: negative partition", (t) => t.coordinator.summary(shareKey(-1)), 42],
  ["summary: unknown topic", (t) => t.coordinator.summary(UNKNOWN_TOPIC), 3],
];

test.each(refused)("refused: %s", async (_name, ask, error) => {
  const t = await new ShareStateHarness().start();
  await t.coordinator.initialize(shareKey(), 2, 0);
  await t.coordinator.read(shareKey(), 2);
  const before = t.log.logEndOffset;
  expect((await ask(t)).errorCode).toBe(error);
  expect(t.log.logEndOffset).toBe(before);
});

test("a log that does not take a write leaves the state as it was", async () => {
  const t = await new ShareStateHarness().start();
  await t.coordinator.initialize(shareKey(), 0, 0);
  t.log.failWith = Errors.KAFKA_STORAGE_ERROR;
  const failed = await t.coordinator.write(shareKey(), shareWrite({ startOffset: 5 }));
  expect(failed.errorCode).toBe(Errors.NOT_COORDINATOR);
  t.log.failWith = Errors.NONE;
  expect(await t.coordinator.read(shareKey(), 0)).toMatchObject({ startOffset: 0 });
});

test("replay after any write gives the state that was", async () => {
  const random = new SeededRandom(3);
  const t = await new ShareStateHarness().start();
  for (let round = 0; round < 200; round++) {
    const key = shareKey(random.below(2), `g${random.below(3)}`);
    const dice = random.below(10);
    if (dice === 0) await t.coordinator.initialize(key, round, random.below(10));
    else if (dice === 1) await t.coordinator.delete(key);
    else if (dice === 2) await t.coordinator.read(key, random.below(20));
    else {
      const first = random.below(50);
      const stateBatches = [acknowledged(first, first + random.below(5))];
      await t.coordinator.write(
        key,
        shareWrite({
          stateEpoch: -1,
          leaderEpoch: -1,
          startOffset: random.below(40),
          stateBatches,
        }),
      );
    }
    if (round % 10 !== 0) continue;
    const look = async (coordinator: ShareStateHarness["coordinator"]) => {
      const seen = [];
      for (const group of ["g0", "g1", "g2"]) {
        for (const partition of [0, 1]) {
          const asked = shareKey(partition, group);
          seen.push(await coordinator.summary(asked), await coordinator.read(asked, -1));
        }
      }
      return seen;
    };
    const before = await look(t.coordinator);
    await t.start();
    expect(await look(t.coordinator)).toEqual(before);
  }
});

test("keys of share partitions, of groups with colons too", () => {
  for (const groupId of ["g", "a:b", "::"]) {
    const key = { groupId, topicId: TOPIC_ID, partition: 12 };
    expect(parseShareKey(shareKeyString(key))).toEqual(key);
  }
  for (const wrong of ["", "g", `g:${TOPIC_ID}`, `:${TOPIC_ID}:0`, `g:${TOPIC_ID}:x`, "g:t:0"]) {
    expect(parseShareKey(wrong)).toBeNull();
  }
});
