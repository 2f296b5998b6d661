import { describe, expect, test } from "bun:test";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { type BrokerLoad, Placement, type PlacementBroker } from "./placement.ts";

const brokers = (count: number, more: (id: number) => Partial<PlacementBroker> = () => ({})) =>
  Array.from({ length: count }, (_, id): PlacementBroker => ({
    ...{ id, host: `h${id}`, rack: null, isActive: true, isCordoned: false },
    ...more(id),
  }));

function place(
  of: readonly PlacementBroker[],
  partitions: number,
  replicationFactor: number,
  { seed = 1, load = (_id: number): BrokerLoad | undefined => undefined } = {},
): number[][] {
  const placement = new Placement(of, load, new SimRandom(seed));
  expect(placement.problem(replicationFactor)).toBeNull();
  placement.beginTopic();
  return Array.from({ length: partitions }, () => placement.place(replicationFactor));
}

const counts = (ids: readonly number[], all: readonly PlacementBroker[]) =>
  all.map(({ id }) => ids.filter((each) => each === id).length);
const firsts = (assignment: number[][]) => assignment.map(([first = -1]) => first);

describe("replicas of a topic", () => {
  test("are spread evenly, leaders as well, from whatever seed", () => {
    for (let seed = 1; seed <= 50; seed++) {
      for (const [size, factor] of [[3, 1], [3, 3], [5, 3], [4, 2], [7, 2]] as const) {
        const all = brokers(size);
        const assignment = place(all, size * 4, factor, { seed });
        for (const replicas of assignment) expect(new Set(replicas).size).toBe(factor);
        expect(counts(firsts(assignment), all)).toEqual(all.map(() => 4));
        const replicas = counts(assignment.flat(), all);
        expect(Math.max(...replicas) - Math.min(...replicas)).toBeLessThanOrEqual(2);
      }
    }
  });

  test("leave the work of one that fails to all others", () => {
    for (const factor of [2, 3, 5]) {
      const all = brokers(5);
      const next = place(all, 40, factor).filter(([first]) => first === 0)
        .map(([, second = -1]) => second);
      const times = counts(next, all).slice(1);
      expect(Math.max(...times)).toBeLessThanOrEqual(3);
      expect(Math.min(...times)).toBeGreaterThanOrEqual(1);
    }
  });

  test("are never on one host, and on as many racks as there are", () => {
    const racked = brokers(9, (id) => ({ rack: "abc".charAt(id % 3), host: `h${id >> 1}` }));
    for (let seed = 1; seed <= 50; seed++) {
      for (const replicas of place(racked, 30, 3, { seed })) {
        expect(new Set(replicas.map((id) => id % 3)).size).toBe(3);
        expect(new Set(replicas.map((id) => id >> 1)).size).toBe(3);
      }
    }
  });

  test("are on brokers that are up if there are enough, and always led by one", () => {
    const some = brokers(5, (id) => ({ isActive: id < 3 }));
    for (const replicas of place(some, 20, 3)) expect(replicas.toSorted()).toEqual([0, 1, 2]);
    for (const replicas of place(some, 20, 4)) expect(replicas[0]).toBeLessThan(3);
  });

  test("are not on a host whose broker is cordoned, if that has one", () => {
    const all = brokers(4, (id) => ({ isCordoned: id === 0, host: `h${id >> 1}` }));
    const placement = new Placement(all, () => undefined, new SimRandom(1));
    expect(placement.choose([0], false)).not.toBe(1);
    expect(placement.choose([0, 2], false)).toBeNull();
  });

  test("of small topics go where the cluster has least", () => {
    const load = (id: number) => ({ replicas: 10 - id, leaders: 5 - id });
    expect(place(brokers(4), 1, 2, { load })).toEqual([[3, 2]]);
    const grown = new Placement(brokers(3), () => undefined, new SimRandom(1));
    grown.beginTopic([[0, 1], [1, 0]]);
    expect(grown.place(2)[0]).toBe(2);
  });

  test("cannot be more than brokers or hosts, nor be where all are fenced", () => {
    const problem = (of: readonly PlacementBroker[], factor: number) =>
      new Placement(of, () => undefined, new SimRandom(1)).problem(factor);
    expect(problem(brokers(2), 3)).toBe(
      "The target replication factor of 3 cannot be reached because only 2 broker(s) are registered.",
    );
    expect(problem(brokers(3, (id) => ({ host: id < 2 ? "a" : "b" })), 3)).toBe(
      "The target replication factor of 3 cannot be reached because the 3 brokers are on only 2 " +
        "host(s).",
    );
    expect(problem(brokers(3, (id) => ({ isCordoned: id === 0 })), 3)).toBe(
      "The target replication factor of 3 cannot be reached because only 3 broker(s) are " +
        "registered, 1 of them cordoned.",
    );
    expect(problem(brokers(3, () => ({ host: "" })), 3)).toBeNull();
    expect(problem(brokers(2, () => ({ isActive: false })), 1)).toBe(
      "All brokers are currently fenced.",
    );
  });
});
