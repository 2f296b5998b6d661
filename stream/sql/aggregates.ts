/**
 * Aggregates of queries, by name. What they keep is JSON, since it is in a store; rows with null do not
 * count, as in SQL. Those that can take a row away again may be of tables, whose rows change.
 */
import { arithmetic, compare, toBoolean, toNumber, toText } from "./values.ts";

/** `S`: what is kept; it is never changed, but made anew. */
export interface Aggregate<S = unknown> {
  readonly begin: () => S;
  readonly add: (state: S, value: unknown) => S;
  /** Undoes `add`. Missing: it cannot be undone. */
  readonly remove?: (state: S, value: unknown) => S;
  /** Of what two sessions have, the earlier first. */
  readonly merge: (one: S, other: S) => S;
  readonly result: (state: S) => unknown;
}

/** As many different values, or items of a list, are kept for one group. */
export const KEPT_MAX = 1000;

type Num = number | bigint;

interface SumAndCount {
  readonly sum: Num;
  readonly count: number;
}

const plus = (one: Num, two: Num) => arithmetic("+", one, two) ?? one;
const minus = (one: Num, two: Num) => arithmetic("-", one, two) ?? one;

/** Null leaves the state alone. */
function define<S>(aggregate: Aggregate<S>): Aggregate {
  const { begin, add, remove, merge, result } = aggregate;
  return {
    begin,
    // What is given back is what was made here: states are of one aggregate alone.
    add: (state, value) => value === null ? state : add(state as S, value),
    ...(remove !== undefined && {
      remove: (state, value) => value === null ? state : remove(state as S, value),
    }),
    merge: (one, other) => merge(one as S, other as S),
    result: (state) => result(state as S),
  };
}

function summed(change: (sum: Num, by: Num) => Num, step: 1 | -1) {
  return (state: SumAndCount, value: unknown): SumAndCount => {
    const number = toNumber(value);
    if (number === null) return state;
    const count = state.count + step;
    // What adding has rounded, taking away does not give back.
    return { sum: count === 0 ? 0 : change(state.sum, number), count };
  };
}

const sums = {
  begin: (): SumAndCount => ({ sum: 0, count: 0 }),
  add: summed(plus, 1),
  remove: summed(minus, -1),
  merge: (one: SumAndCount, other: SumAndCount): SumAndCount => {
    return { sum: plus(one.sum, other.sum), count: one.count + other.count };
  },
};

const extreme = (sign: 1 | -1) => {
  const better = (state: unknown, value: unknown) =>
    state === null || (value !== null && (compare(value, state) ?? 0) * sign > 0) ? value : state;
  return define<unknown>({
    ...{ begin: () => null, add: better, merge: better },
    result: (state) => state,
  });
};

/** Count, mean and sum of squared distances (Welford). */
interface Spread {
  readonly count: number;
  readonly mean: number;
  readonly squares: number;
}

const spread = (result: (state: Spread) => number | null) =>
  define<Spread>({
    begin: () => ({ count: 0, mean: 0, squares: 0 }),
    add: (state, value) => {
      const given = toNumber(value);
      if (given === null) return state;
      const number = Number(given);
      const count = state.count + 1;
      const mean = state.mean + (number - state.mean) / count;
      return { count, mean, squares: state.squares + (number - state.mean) * (number - mean) };
    },
    merge: (one, other) => {
      const count = one.count + other.count;
      if (count === 0) return one;
      const apart = other.mean - one.mean;
      return {
        count,
        mean: one.mean + apart * other.count / count,
        squares: one.squares + other.squares + apart ** 2 * one.count * other.count / count,
      };
    },
    result,
  });

const variance = ({ count, squares }: Spread) => count < 2 ? null : squares / (count - 1);
const deviation = (state: Spread) => {
  const of = variance(state);
  return of === null ? null : Math.sqrt(of);
};

const logical = (isAll: boolean) =>
  define<boolean | null>({
    begin: () => null,
    add: (state, value) => {
      const given = toBoolean(value);
      if (given === null) return state;
      return state === null ? given : isAll ? state && given : state || given;
    },
    merge: (one, other) => {
      if (one === null || other === null) return one ?? other;
      return isAll ? one && other : one || other;
    },
    result: (state) => state,
  });

const first = define<unknown>({
  begin: () => null,
  add: (state, value) => state ?? value,
  merge: (one, other) => one ?? other,
  result: (state) => state,
});
const last = define<unknown>({
  begin: () => null,
  add: (_, value) => value,
  merge: (one, other) => other ?? one,
  result: (state) => state,
});
const list = define<readonly unknown[]>({
  begin: () => [],
  add: (state, value) => state.length < KEPT_MAX ? [...state, value] : state,
  merge: (one, other) => [...one, ...other].slice(0, KEPT_MAX),
  result: (state) => state,
});

/** See the head of the file. */
export const AGGREGATES: ReadonlyMap<string, Aggregate> = new Map([
  [
    "count",
    define<number>({
      begin: () => 0,
      add: (state) => state + 1,
      remove: (state) => state - 1,
      merge: (one, other) => one + other,
      result: (state) => state,
    }),
  ],
  ["sum", define({ ...sums, result: ({ sum, count }) => count === 0 ? null : sum })],
  [
    "avg",
    define({ ...sums, result: ({ sum, count }) => count === 0 ? null : Number(sum) / count }),
  ],
  ["min", extreme(-1)],
  ["max", extreme(1)],
  ["first", first],
  ["earliest_by_offset", first],
  ["last", last],
  ["latest_by_offset", last],
  ["array_agg", list],
  ["collect_list", list],
  ["collect_set", distinct(list)],
  ["bool_and", logical(true)],
  ["bool_or", logical(false)],
  ["variance", spread(variance)],
  ["var_samp", spread(variance)],
  ["stddev", spread(deviation)],
  ["stddev_samp", spread(deviation)],
]);

/** An aggregate of values that are there once each: `count(DISTINCT x)`; of 1000 of them at most. */
export function distinct(aggregate: Aggregate): Aggregate {
  const add = (state: readonly unknown[], value: unknown) => {
    const text = toText(value);
    const isThere = state.some((each) => toText(each) === text);
    return isThere || state.length >= KEPT_MAX ? state : [...state, value];
  };
  return define<readonly unknown[]>({
    begin: () => [],
    add,
    merge: (one, other) => other.reduce<readonly unknown[]>(add, one),
    result: (state) => aggregate.result(state.reduce(aggregate.add, aggregate.begin())),
  });
}
