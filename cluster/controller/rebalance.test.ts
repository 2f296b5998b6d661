import { describe, expect, test } from "bun:test";
import { atOnce } from "../../core/steps.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { aloneBroker, MetadataImage, topicRecords } from "../metadata-image.ts";
import type { BrokerRecord, MetadataRecord } from "../metadata-records.ts";
import { newPartition } from "./partition-change.ts";
import { Placement, placementBrokers } from "./placement.ts";
import { clusterView, drainPlan, factorPlan, type Move, rebalancePlan } from "./rebalance.ts";

/** Each on a host of its own, in three racks. */
const brokers = (count: number, more: Partial<BrokerRecord> = {}) =>
  Array.from({ length: count }, (_, id): BrokerRecord => ({
    ...aloneBroker(id),
    ...{ host: `h${id}`, rack: `r${id % 3}` },
    ...more,
  }));

/** Topics of these sizes, placed on the first `old` brokers. */
function clusterOf(all: readonly BrokerRecord[], old: number, sizes: number[], factor = 3) {
  const start = MetadataImage.EMPTY.apply(all.slice(0, old), 1).image;
  const placement = new Placement(placementBrokers(start), () => undefined, new SimRandom(3));
  const records: MetadataRecord[] = sizes.flatMap((size, topic) => {
    placement.beginTopic();
    const name = `t${topic}`;
    const id = Buffer.from(name.padEnd(16)).toString("base64url");
    const partitions = Array.from(
      { length: size },
      () => newPartition(placement.place(factor), () => true),
    );
    return topicRecords({ name, id, partitions, configs: new Map() });
  });
  return start.apply([...all.slice(old), ...records], 2).image;
}

/** All assignments after these moves, in the order of the topics' names. */
function after(image: MetadataImage, moves: readonly Move[]): number[][] {
  const moved = new Map(moves.map((each) => [`${each.topic}-${each.partition}`, each.replicas]));
  const topics = [...image.topics.values()].toSorted((a, b) => a.name < b.name ? -1 : 1);
  return topics.flatMap(({ name, partitions }) =>
    partitions.map(({ replicas }, index) => [...moved.get(`${name}-${index}`) ?? replicas])
  );
}

const drain = (image: MetadataImage, brokerId: number) =>
  atOnce(drainPlan(atOnce(clusterView(image)), brokerId, new SimRandom(1)));
const rebalance = (image: MetadataImage) => atOnce(rebalancePlan(atOnce(clusterView(image))));

const spread = (ids: readonly number[], among: number[]) => {
  const counts = among.map((id) => ids.filter((each) => each === id).length);
  return Math.max(...counts) - Math.min(...counts);
};
const racksOf = (replicas: readonly number[]) => new Set(replicas.map((id) => id % 3)).size;
const firsts = (assignment: number[][]) => assignment.map(([first = -1]) => first);

describe("draining a broker", () => {
  test("moves what is on it and nothing else, evenly, and keeps racks", () => {
    const image = clusterOf(brokers(9), 9, [30, 12, 1, 1, 1, 9]);
    const { moves, stuck } = drain(image, 4);
    expect(stuck).toEqual([]);
    const before = after(image, []);
    expect(moves.length).toBe(before.filter((replicas) => replicas.includes(4)).length);
    const assignment = after(image, moves);
    for (const [index, replicas] of assignment.entries()) {
      expect(replicas).not.toContain(4);
      expect(new Set(replicas).size).toBe(3);
      expect(racksOf(replicas)).toBe(3);
      const kept = before[index]?.filter((id) => id !== 4) ?? [];
      expect(replicas).toEqual(expect.arrayContaining(kept));
    }
    expect(spread(firsts(assignment), [0, 1, 2, 3, 5, 6, 7, 8])).toBeLessThanOrEqual(3);
  });

  test("says what has to stay, and takes no host twice", () => {
    const three = clusterOf(brokers(3), 3, [4]);
    const { moves, stuck } = drain(three, 1);
    expect([moves.length, stuck.length]).toEqual([0, 4]);
    const shared = brokers(4).map((each) => ({ ...each, host: `h${each.brokerId % 3}` }));
    expect(drain(clusterOf(shared, 3, [4]), 1).stuck.length).toBe(4);
    expect(drain(clusterOf(shared, 3, [4]), 0).moves.length).toBe(4);
    const fenced = brokers(4).map((each) =>
      each.brokerId === 3 ? { ...each, state: "fenced" as const } : each
    );
    expect(drain(clusterOf(fenced, 3, [4]), 0).moves).toEqual([]);
  });

  test("works for one that is not a member any more", () => {
    const image = clusterOf(brokers(5), 5, [10]);
    const gone = image.apply([{ type: "remove-broker", version: 1, brokerId: 2 }], 3).image;
    const { moves, stuck } = drain(gone, 2);
    expect(stuck).toEqual([]);
    for (const replicas of after(gone, moves)) expect(replicas).not.toContain(2);
  });
});

describe("a rebalance", () => {
  test("gives newcomers their share of every topic, with few moves", () => {
    const image = clusterOf(brokers(9, { rack: null }), 6, [60, 60, 12, 1, 1, 1, 1]);
    const moves = rebalance(image);
    const assignment = after(image, moves);
    const all = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    for (const replicas of assignment) expect(new Set(replicas).size).toBe(3);
    expect(spread(assignment.flat(), all)).toBeLessThanOrEqual(2);
    expect(spread(firsts(assignment), all)).toBeLessThanOrEqual(2);
    expect(spread(assignment.slice(0, 60).flat(), all)).toBeLessThanOrEqual(8);
    const copied = after(image, []).flatMap((replicas, index) =>
      assignment[index]?.filter((id) => !replicas.includes(id)) ?? []
    );
    // A third of all replicas has to be copied, and no more than that.
    expect(copied.length).toBeLessThanOrEqual(136 * 3 / 3 + 3);
    expect(copied.every((id) => id > 5)).toBe(true);
  });

  test("has nothing to do where all is even, and respects hosts and racks", () => {
    expect(rebalance(clusterOf(brokers(6), 6, [60, 12]))).toEqual([]);
    const image = clusterOf(brokers(12), 6, [60]);
    const assignment = after(image, rebalance(image));
    for (const replicas of assignment) expect(racksOf(replicas)).toBe(3);
    expect(spread(assignment.flat(), brokers(12).map(({ brokerId }) => brokerId)))
      .toBeLessThanOrEqual(2);
    const shared = brokers(4).map((each) => ({
      ...each,
      rack: null,
      host: `h${each.brokerId % 3}`,
    }));
    for (const replicas of after(image, rebalance(clusterOf(shared, 3, [12])))) {
      expect(replicas.includes(0) && replicas.includes(3)).toBe(false);
    }
  });

  test("leaves alone who is fenced or cordoned, and what is being moved", () => {
    const image = clusterOf(brokers(8, { rack: null }), 5, [20]).apply([
      { ...aloneBroker(5), host: "h5", state: "fenced" },
      {
        ...{ type: "config", version: 1, resourceType: "broker", resourceName: "6" },
        ...{ name: "cordoned.log.dirs", value: "*" },
      },
    ], 3).image;
    const moves = rebalance(image);
    const added = new Set(moves.flatMap(({ replicas }) => replicas.filter((id) => id > 4)));
    expect([...added]).toEqual([7]);
    const [topic] = [...image.topics.values()];
    if (topic === undefined) throw new Error("no topic");
    const busy = image.apply(
      topicRecords({
        ...topic,
        partitions: topic.partitions.map((partition) => ({ ...partition, adding: [0] })),
      }).filter(({ type }) => type === "partition"),
      4,
    ).image;
    expect(rebalance(busy)).toEqual([]);
  });
});

test("a topic gets more replicas, on hosts of its own, or fewer", () => {
  const image = clusterOf(brokers(6), 6, [12, 3], 2);
  const view = atOnce(clusterView(image));
  const wish = (factor: number) =>
    atOnce(factorPlan(view, new Set(["t0"]), factor, new SimRandom(1)));
  const more = wish(3);
  expect([more.moves.length, more.stuck.length]).toEqual([12, 0]);
  const assignment = after(image, more.moves);
  for (const replicas of assignment.slice(0, 12)) expect(racksOf(replicas)).toBe(3);
  expect(spread(firsts(assignment.slice(0, 12)), [0, 1, 2, 3, 4, 5])).toBeLessThanOrEqual(1);
  expect(after(image, wish(1).moves).slice(0, 12)).toEqual(
    after(image, []).slice(0, 12).map(([first = -1]) => [first]),
  );
  expect(wish(2)).toEqual({ moves: [], stuck: [] });
  expect(wish(7)).toMatchObject({ moves: [], stuck: { length: 12 } });
});
