import { expect, test } from "bun:test";
import { RecordQueue } from "./record-queue.ts";

/** Records by their offsets; those without a value cannot be read. */
function queueOf() {
  const queue = new RecordQueue((raw) =>
    raw.value === null ? null : { ...raw, key: null, value: "read" }
  );
  return {
    queue,
    add: (...records: (readonly [offset: number, isReadable: boolean])[]) =>
      queue.add(records.map(([offset, isReadable]) => ({
        ...{ topic: "in", partition: 0, offset: BigInt(offset), timestampMs: offset },
        ...{ key: null, value: isReadable ? new Uint8Array(1) : null, headers: [] },
      }))),
  };
}

test("what cannot be read is behind the place to go on at, as soon as it has been told of", () => {
  const { queue, add } = queueOf();
  add([5, false], [6, false]);
  expect([queue.headOffset, queue.leftOut, queue.size]).toEqual([null, 2, 1]);
  add([7, false], [9, true], [10, false], [11, true]);
  expect([queue.headOffset, queue.leftOut]).toEqual([9n, 3]);
  expect(queue.take()?.raw.offset).toBe(9n);
  expect([queue.headOffset, queue.leftOut]).toEqual([11n, 4]);
  expect(queue.take()?.raw.offset).toBe(11n);
  expect([queue.headOffset, queue.take()]).toEqual([null, null]);
});

test("what cannot be read is taken where nothing else is there", () => {
  const { queue, add } = queueOf();
  add([5, false]);
  expect(queue.headTimestampMs).toBe(-1);
  expect(queue.take()).toMatchObject({ raw: { offset: 5n }, record: null });
  expect(queue.partitionTimeMs).toBe(-1);
});
