import { expect, test } from "bun:test";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { lastOffset, setBaseOffset } from "../../core/records/batch-header.ts";
import { buildEndTxnMarker } from "../../core/records/control-records.ts";
import { logBatches, sliceAcquired } from "./log-batches.ts";

/** Batches one after the other, numbered as in a log. */
function log(...batches: Uint8Array[]): Uint8Array {
  let next = 0;
  for (const batch of batches) {
    setBaseOffset(batch, 0, next);
    next = lastOffset(batch, 0) + 1;
  }
  return new Uint8Array(Buffer.concat(batches));
}

function records(count: number, producerId = -1): Uint8Array {
  const transactional = producerId >= 0;
  const producer = transactional ? { producerId, producerEpoch: 0, baseSequence: 0 } : {};
  const builder = new BatchBuilder({ ...producer, transactional });
  for (let i = 0; i < count; i++) builder.append(0, null, Uint8Array.of(i));
  return builder.build();
}

const marker = (producerId: number, type: "commit" | "abort") =>
  buildEndTxnMarker({ producerId, producerEpoch: 0, type, coordinatorEpoch: 0, timestampMs: 0 });

test("markers and what was aborted are not delivered, the producer's next transaction is", () => {
  const bytes = log(
    records(2, 7), // 0–1, aborted
    records(1, 8), // 2
    marker(7, "abort"), // 3
    records(1, 7), // 4
    records(3), // 5–7
    marker(8, "commit"), // 8
    marker(7, "commit"), // 9
  );
  const delivered = (aborted: { producerId: number; firstOffset: number }[]) =>
    logBatches(bytes, aborted).filter((each) => each.isDelivered).map((each) => each.firstOffset);
  expect(delivered([{ producerId: 7, firstOffset: 0 }])).toEqual([2, 4, 5]);
  expect(delivered([])).toEqual([0, 2, 4, 5]);
});

test("a member is sent the batches from its first record to its last", () => {
  const bytes = log(records(2), records(2), records(2), records(2));
  const range = (firstOffset: number, lastOffset: number) => ({
    firstOffset,
    lastOffset,
    deliveryCount: 1,
  });
  const sent = sliceAcquired(bytes, [range(3, 3), range(5, 5)]);
  expect(logBatches(sent).map(({ firstOffset }) => firstOffset)).toEqual([2, 4]);
  expect(sliceAcquired(bytes, []).length).toBe(0);
});
