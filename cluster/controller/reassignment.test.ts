import { expect, test } from "bun:test";
import { type Assignment, completed, givenUp, targetOf, towards } from "./reassignment.ts";

const at = (
  replicas: number[],
  isr = replicas,
  adding: number[] = [],
  removing: number[] = [],
) => ({
  ...{ replicas, isr, adding, removing },
});
const of = ({ replicas, adding, removing }: Assignment) => [replicas, adding, removing];

test("a reassignment keeps all replicas until the target is in sync", () => {
  expect(of(towards(at([0, 1, 2]), [3, 1]))).toEqual([[3, 1, 0, 2], [3], [0, 2]]);
  expect(of(towards(at([0, 1, 2]), [2, 1, 0]))).toEqual([[2, 1, 0], [], []]);
  const moving = towards(at([0, 1, 2]), [3, 1]);
  expect(targetOf(moving)).toEqual([3, 1]);
  expect(completed(moving, [0, 1, 2])).toBe(moving);
  expect(of(completed(moving, [1, 3]))).toEqual([[3, 1], [], []]);
});

test("fewer replicas go at once if those that stay are in sync", () => {
  expect(of(completed(towards(at([0, 1, 2]), [1]), [0, 1]))).toEqual([[1], [], []]);
  expect(of(completed(towards(at([0, 1, 2]), [2]), [0, 1]))).toEqual([[2, 0, 1], [], [0, 1]]);
});

test("another target in between lets go of what was being copied for the first", () => {
  const first = { ...towards(at([0, 1, 2]), [0, 1, 3]), isr: [0, 1, 2] };
  expect(of(towards(first, [0, 1, 4]))).toEqual([[0, 1, 4, 2], [4], [2]]);
  expect(of(towards(first, [0, 1, 3]))).toEqual([[0, 1, 3, 2], [3], [2]]);
  expect(of(towards(first, [0, 1, 2]))).toEqual([[0, 1, 2], [], []]);
  // In sync already: it may be all that there is.
  expect(of(towards({ ...first, isr: [3] }, [0, 1, 4]))).toEqual([[0, 1, 4, 2, 3], [4], [2, 3]]);
  // It was in sync, and nobody else has what was acknowledged.
  for (const eligible of [{ elr: [3] }, { lastKnownElr: [3] }]) {
    expect(of(towards({ ...first, isr: [], ...eligible }, [0, 1, 4]))).toEqual(
      [[0, 1, 4, 2, 3], [4], [2, 3]],
    );
  }
});

test("what is given up is as it was", () => {
  expect(of(givenUp(towards(at([0, 1, 2]), [3, 4])))).toEqual([[0, 1, 2], [], []]);
  const twice = towards({ ...towards(at([0, 1, 2]), [0, 1, 3]), isr: [0, 1, 2] }, [0, 4, 3]);
  expect(givenUp(twice).replicas.toSorted()).toEqual([0, 1, 2]);
});
