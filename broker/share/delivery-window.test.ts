import { expect, test } from "bun:test";
import { SeededRandom } from "../coordinator/coordinator.test-helper.ts";
import { DeliveryStates } from "../coordinator/share/share-records.ts";
import { acquire, type AcquireRequest, type LogBatch } from "./acquire.ts";
import {
  AcknowledgeTypes,
  type AcquiredRange,
  type Change,
  DeliveryWindow,
} from "./delivery-window.ts";

const { ACCEPT, REJECT, RELEASE } = AcknowledgeTypes;
const LIMIT = 5;

const batches = (...bounds: readonly (readonly [number, number])[]): LogBatch[] =>
  bounds.map(([firstOffset, lastOffset]) => ({ firstOffset, lastOffset, isDelivered: true }));

function get(
  window: DeliveryWindow,
  given: Partial<AcquireRequest> & { readonly memberId?: string; readonly deadlineMs?: number } =
    {},
): AcquiredRange[] {
  const { memberId = "m", deadlineMs = 100, ...request } = given;
  return acquire(window, {
    lock: { memberId, deadlineMs },
    fetchOffset: window.nextFetchOffset,
    batches: batches([0, 9]),
    maxRecords: 500,
    batchSize: 500,
    recordLimit: false,
    maxInFlight: 2_000,
    deliveryLimit: LIMIT,
    ...request,
  });
}

/** Says it and has it persisted. */
function say(window: DeliveryWindow, memberId: string, first: number, last: number, type: number) {
  const problem = window.acknowledgeProblem(memberId, first, last);
  if (problem !== null) return problem;
  const change: Change = { memberId };
  window.acknowledge(change, first, last, type, LIMIT);
  window.settle(change, true, LIMIT);
  return null;
}

const range = (firstOffset: number, lastOffset: number, deliveryCount = 1): AcquiredRange => ({
  firstOffset,
  lastOffset,
  deliveryCount,
});

test("what is accepted from the start on moves the start, what is behind waits", () => {
  const window = new DeliveryWindow(0);
  expect(get(window)).toEqual([range(0, 9)]);
  say(window, "m", 5, 9, ACCEPT);
  expect(window.startOffset).toBe(0);
  expect(window.doneFrom(0)).toBe(5);
  say(window, "m", 0, 4, ACCEPT);
  expect(window).toMatchObject({ startOffset: 10, nextOffset: 10, inFlightCount: 0 });
});

test("a record is delivered as often as the limit says, then archived", () => {
  const window = new DeliveryWindow(0);
  for (let delivery = 1; delivery <= LIMIT; delivery++) {
    expect(get(window, { batches: batches([0, 0]) })).toEqual([range(0, 0, delivery)]);
    say(window, "m", 0, 0, RELEASE);
  }
  expect(window.startOffset).toBe(1);
});

test("a lock that runs out frees its records for others", () => {
  const window = new DeliveryWindow(0);
  get(window, { memberId: "a", deadlineMs: 100 });
  expect(window.nextDeadlineMs).toBe(100);
  expect(window.expire(99, LIMIT)).toEqual([]);
  expect(window.expire(100, LIMIT)).toEqual([{
    firstOffset: 0,
    lastOffset: 9,
    deliveryState: DeliveryStates.AVAILABLE,
    deliveryCount: 1,
  }]);
  expect(window.acknowledgeProblem("a", 0, 9)).toBe("invalid state");
  expect(get(window, { memberId: "b" })).toEqual([range(0, 9, 2)]);
});

test("a lock that runs out while an acknowledgement is persisted counts only if that fails", () => {
  for (const persisted of [true, false]) {
    const window = new DeliveryWindow(0);
    get(window);
    const change = { memberId: "m" };
    window.acknowledge(change, 0, 9, ACCEPT, LIMIT);
    expect(window.expire(100, LIMIT)).toEqual([]);
    window.settle(change, persisted, LIMIT);
    expect(window.startOffset).toBe(persisted ? 10 : 0);
    expect(window.nextFetchOffset).toBe(persisted ? 10 : 0);
  }
});

test("records that could not be persisted are still the member's", () => {
  const window = new DeliveryWindow(0);
  get(window);
  const change = { memberId: "m" };
  window.acknowledge(change, 0, 9, ACCEPT, LIMIT);
  expect(window.acknowledgeProblem("m", 0, 9)).toBe("invalid state");
  window.settle(change, false, LIMIT);
  expect(window.acknowledgeProblem("m", 0, 9)).toBeNull();
});

test("a member that goes gives back what it has, as if it had not been delivered", () => {
  const window = new DeliveryWindow(0);
  get(window, { memberId: "a" });
  const change = { memberId: "a" };
  expect(window.release(change)).toBe(true);
  window.settle(change, true, LIMIT);
  expect(get(window, { memberId: "b" })).toEqual([range(0, 9, 1)]);
});

test("who may say what about which records", () => {
  const window = new DeliveryWindow(10);
  expect(window.acknowledgeProblem("m", 10, 10)).toBe("invalid state");
  get(window, { batches: batches([10, 19]) });
  expect(window.acknowledgeProblem("m", 0, 9)).toBeNull();
  expect(window.acknowledgeProblem("m", 5, 12)).toBeNull();
  expect(window.acknowledgeProblem("m", 15, 20)).toBe("invalid request");
  expect(window.acknowledgeProblem("m", 25, 30)).toBe("invalid request");
  expect(window.acknowledgeProblem("other", 10, 19)).toBe("invalid state");
  say(window, "m", 12, 14, REJECT);
  expect(window.acknowledgeProblem("m", 12, 14)).toBe("invalid state");
  expect(window.acknowledgeProblem("m", 10, 19)).toBe("invalid state");
});

test("batches are delivered whole, save where records are counted strictly", () => {
  const soft = new DeliveryWindow(0);
  expect(get(soft, { batches: batches([0, 9], [10, 19], [20, 29]), maxRecords: 12 }))
    .toEqual([range(0, 19)]);
  const strict = new DeliveryWindow(0);
  const request = { batches: batches([0, 9], [10, 19]), maxRecords: 12, recordLimit: true };
  expect(get(strict, request)).toEqual([range(0, 11)]);
  expect(get(strict, { ...request, batches: batches([10, 19]) })).toEqual([range(12, 19)]);
});

test("ranges end at a batch of the log when they are long enough", () => {
  const window = new DeliveryWindow(0);
  expect(get(window, { batches: batches([0, 3], [4, 7], [8, 11], [12, 15]), batchSize: 5 }))
    .toEqual([range(0, 7), range(8, 15)]);
});

test("a window that is full takes nothing new, but delivers again", () => {
  const window = new DeliveryWindow(0);
  get(window, { batches: batches([0, 9]), maxInFlight: 10 });
  expect(get(window, { batches: batches([10, 19]), maxInFlight: 10 })).toEqual([]);
  say(window, "m", 4, 5, RELEASE);
  expect(get(window, { batches: batches([0, 9], [10, 19]), maxInFlight: 10 }))
    .toEqual([range(4, 5, 2)]);
});

test("offsets without records are done", () => {
  const window = new DeliveryWindow(0);
  const control = { firstOffset: 5, lastOffset: 5, isDelivered: false };
  const found = [...batches([2, 4]), control, ...batches([8, 9])];
  expect(get(window, { batches: found })).toEqual([range(2, 4), range(8, 9)]);
  expect(window.startOffset).toBe(2);
  say(window, "m", 2, 4, ACCEPT);
  expect(window.startOffset).toBe(8);
});

test("records that compaction has taken in the meantime are done", () => {
  const window = new DeliveryWindow(0);
  get(window, { batches: batches([0, 9]) });
  say(window, "m", 0, 9, RELEASE);
  expect(get(window, { batches: batches([6, 9]) })).toEqual([range(6, 9, 2)]);
  expect(window.startOffset).toBe(6);
});

test("what was persisted is taken up, and what lies between may be delivered", () => {
  const window = new DeliveryWindow(5, [
    { firstOffset: 5, lastOffset: 6, deliveryState: DeliveryStates.ACKNOWLEDGED, deliveryCount: 1 },
    { firstOffset: 9, lastOffset: 9, deliveryState: DeliveryStates.AVAILABLE, deliveryCount: 2 },
    { firstOffset: 11, lastOffset: 12, deliveryState: DeliveryStates.ARCHIVED, deliveryCount: 5 },
  ]);
  expect(window).toMatchObject({ startOffset: 7, nextOffset: 13, nextFetchOffset: 7 });
  expect(get(window, { batches: batches([0, 20]) })).toEqual([
    range(7, 8),
    range(9, 9, 3),
    range(10, 10),
    range(13, 20),
  ]);
});

test("what the log has deleted is gone, acquired or not", () => {
  const window = new DeliveryWindow(0);
  get(window, { batches: batches([0, 9]) });
  window.moveStart(4);
  expect(window).toMatchObject({ startOffset: 4, inFlightCount: 6 });
  expect(window.acknowledgeProblem("m", 0, 3)).toBeNull();
  expect(say(window, "m", 0, 9, ACCEPT)).toBeNull();
  expect(window.startOffset).toBe(10);
  window.moveStart(30);
  expect(window).toMatchObject({ startOffset: 30, nextOffset: 30 });
});

test("records that fail come in smaller portions, and for the last time alone", () => {
  const window = new DeliveryWindow(0);
  const sizes: number[] = [];
  for (let round = 0; round < 200 && window.startOffset < 16; round++) {
    const ranges = get(window, { batches: batches([0, 15]) });
    expect(ranges.length).toBe(1);
    const { firstOffset, lastOffset, deliveryCount } = ranges[0]!;
    if (firstOffset === 0) sizes.push(lastOffset + 1);
    if (deliveryCount === LIMIT) expect(lastOffset).toBe(firstOffset);
    say(window, "m", firstOffset, lastOffset, RELEASE);
  }
  expect(sizes).toEqual([16, 16, 16, 8, 1]);
});

test("random members never share a record, and nothing is lost or delivered too often", () => {
  for (let seed = 1; seed <= 30; seed++) randomRun(seed);
});

/** A model per offset beside the window. */
function randomRun(seed: number): void {
  const random = new SeededRandom(seed);
  const log: LogBatch[] = [];
  for (let offset = 0; offset < 400;) {
    const last = offset + random.below(12);
    log.push({ firstOffset: offset, lastOffset: last, isDelivered: random.below(10) > 0 });
    offset = last + 1 + (random.below(8) === 0 ? random.below(5) : 0);
  }
  const exists = new Set<number>();
  for (const each of log) {
    for (let offset = each.firstOffset; offset <= each.lastOffset; offset++) {
      if (each.isDelivered) exists.add(offset);
    }
  }
  const window = new DeliveryWindow(0);
  const owner = new Map<number, string>();
  const deliveries = new Map<number, number>();
  const done = new Set<number>();
  let nowMs = 0;
  for (let round = 0; round < 20_000 && done.size < exists.size; round++) {
    nowMs++;
    const memberId = `m${random.below(4)}`;
    const mine = [...owner].filter(([, who]) => who === memberId).map(([offset]) => offset);
    const dice = random.below(10);
    if (dice < 4) {
      const from = window.nextFetchOffset;
      const ranges = get(window, {
        memberId,
        deadlineMs: nowMs + 40,
        batches: log.filter((each) => each.lastOffset >= from).slice(0, 1 + random.below(5)),
        maxRecords: 1 + random.below(30),
        batchSize: 1 + random.below(20),
        recordLimit: random.below(2) === 0,
        maxInFlight: 60,
      });
      for (const { firstOffset, lastOffset, deliveryCount } of ranges) {
        for (let offset = firstOffset; offset <= lastOffset; offset++) {
          expect(owner.has(offset)).toBe(false);
          expect(done.has(offset)).toBe(false);
          expect(exists.has(offset)).toBe(true);
          owner.set(offset, memberId);
          const count = (deliveries.get(offset) ?? 0) + 1;
          deliveries.set(offset, count);
          expect(count).toBe(deliveryCount);
          expect(count).toBeLessThanOrEqual(LIMIT);
        }
      }
    } else if (dice < 8 && mine.length > 0) {
      const first = mine[random.below(mine.length)]!;
      let last = first;
      while (owner.get(last + 1) === memberId && random.below(4) > 0) last++;
      const type = [ACCEPT, ACCEPT, RELEASE, REJECT][random.below(4)]!;
      expect(say(window, memberId, first, last, type)).toBeNull();
      for (let offset = first; offset <= last; offset++) {
        owner.delete(offset);
        if (type !== RELEASE || deliveries.get(offset) === LIMIT) done.add(offset);
      }
    } else if (dice === 8) {
      for (const { firstOffset, lastOffset } of window.expire(nowMs, LIMIT)) {
        for (let offset = firstOffset; offset <= lastOffset; offset++) {
          owner.delete(offset);
          if (deliveries.get(offset) === LIMIT) done.add(offset);
        }
      }
    } else if (random.below(5) === 0) {
      const change = { memberId };
      window.release(change);
      window.settle(change, true, LIMIT);
      for (const offset of mine) {
        owner.delete(offset);
        deliveries.set(offset, deliveries.get(offset)! - 1);
      }
    }
    const first = [...exists].find((offset) => !done.has(offset));
    if (first !== undefined) expect(window.startOffset).toBeLessThanOrEqual(first);
  }
  expect(done.size).toBe(exists.size);
}
