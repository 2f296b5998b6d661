import { expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { setBaseOffset } from "../core/records/batch-header.ts";
import { decodeProducerSnapshot, encodeProducerSnapshot } from "./producer-snapshot.ts";
import { ProducerStates } from "./producer-state.ts";

function batch(
  baseSequence: number,
  options: { count?: number; epoch?: number; at?: number } = {},
) {
  const { count = 1, epoch = 0, at = 0 } = options;
  const builder = new BatchBuilder({ producerId: 9, producerEpoch: epoch, baseSequence });
  for (let index = 0; index < count; index++) builder.append(1000 + index, null, null, []);
  const bytes = builder.build();
  setBaseOffset(bytes, 0, at);
  return bytes;
}

const refusal = (error: number) => ({ kind: "refused", error });

test("what comes next in sequence is appended, anything else is refused", () => {
  const states = new ProducerStates();
  expect(states.check(batch(77), 0)).toEqual({ kind: "append" });
  states.update(batch(77, { count: 3 }), 0, 1);
  expect(states.check(batch(80), 0)).toEqual({ kind: "append" });
  expect(states.check(batch(81), 0)).toMatchObject(refusal(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER));
  expect(states.check(batch(70), 0)).toMatchObject(refusal(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER));
});

test("sequences wrap from 2^31 - 1 to 0, also within a batch", () => {
  const states = new ProducerStates();
  states.update(batch(2 ** 31 - 2, { count: 2 }), 0, 1);
  expect(states.check(batch(0), 0)).toEqual({ kind: "append" });
  const wrapping = batch(2 ** 31 - 1, { count: 3, at: 50 });
  const others = new ProducerStates();
  others.update(wrapping, 0, 1);
  expect(others.check(wrapping, 0)).toMatchObject({ kind: "duplicate", baseOffset: 50 });
  expect(others.check(batch(2), 0)).toEqual({ kind: "append" });
});

test("the last five batches are known again, the sixth is not", () => {
  const states = new ProducerStates();
  for (let index = 0; index < 6; index++) states.update(batch(index, { at: index * 10 }), 0, 1);
  expect(states.check(batch(1), 0)).toEqual({
    kind: "duplicate",
    baseOffset: 10,
    lastOffset: 10,
    timestampMs: 1000,
  });
  expect(states.check(batch(0), 0)).toMatchObject(refusal(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER));
});

test("a new epoch begins at sequence 0, an old one is fenced", () => {
  const states = new ProducerStates();
  states.update(batch(0, { epoch: 3 }), 0, 1);
  expect(states.check(batch(1, { epoch: 2 }), 0)).toMatchObject(
    refusal(Errors.INVALID_PRODUCER_EPOCH),
  );
  expect(states.check(batch(1, { epoch: 4 }), 0)).toMatchObject(
    refusal(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER),
  );
  expect(states.check(batch(0, { epoch: 4 }), 0)).toEqual({ kind: "append" });
});

test("producers that are not heard of expire", () => {
  const states = new ProducerStates();
  states.update(batch(5), 0, 1000);
  states.expire(1999, 1000);
  expect(states.size).toBe(1);
  states.expire(2000, 1000);
  expect(states.size).toBe(0);
});

test("a snapshot keeps all five batches, and a damaged one is refused", () => {
  const states = new ProducerStates();
  for (let index = 0; index < 6; index++) states.update(batch(index, { at: index * 10 }), 0, 1);
  const bytes = encodeProducerSnapshot([...states.entries()]);
  const again = new ProducerStates();
  again.restore(decodeProducerSnapshot(bytes) ?? [], 1);
  expect(again.check(batch(2), 0)).toMatchObject({ kind: "duplicate", baseOffset: 20 });
  for (let at = 0; at < bytes.length; at++) {
    const damaged = bytes.slice();
    damaged[at]! ^= 0x10;
    expect(decodeProducerSnapshot(damaged)).toBeNull();
    expect(decodeProducerSnapshot(bytes.subarray(0, at))).toBeNull();
  }
});
