/** Both assignors, on random groups: every partition has one reader, evenly, with few moves. */
import { expect, test } from "bun:test";
import { SeededRandom } from "../../coordinator.test-helper.ts";
import type { AssignorMember } from "../modern/assignor.ts";
import type { Assignment } from "../modern/topic-partitions.ts";
import { rangeAssignor } from "./range-assignor.ts";
import { uniformAssignor } from "./uniform-assignor.ts";

type Counts = Record<string, number>;

const member = (memberId: string, topics: string[], target?: Assignment): AssignorMember => ({
  memberId,
  instanceId: null,
  topicIds: new Set(topics),
  target: target ?? new Map(),
});

const sizeOf = (target: Assignment | undefined) =>
  [...target?.values() ?? []].reduce((sum, each) => sum + each.size, 0);

/** Checks that every partition that somebody may read has one reader, who may. */
function check(
  members: readonly AssignorMember[],
  counts: Counts,
  targets: ReadonlyMap<string, Assignment>,
) {
  const seen = new Set<string>();
  for (const { memberId, topicIds } of members) {
    for (const [topicId, partitions] of targets.get(memberId) ?? []) {
      expect(topicIds.has(topicId)).toBe(true);
      for (const partition of partitions) {
        expect(partition).toBeLessThan(counts[topicId]!);
        expect(seen.has(`${topicId}-${partition}`)).toBe(false);
        seen.add(`${topicId}-${partition}`);
      }
    }
  }
  const wanted = new Set(members.flatMap(({ topicIds }) => [...topicIds]));
  const all = [...wanted].reduce((sum, topicId) => sum + counts[topicId]!, 0);
  expect(seen.size).toBe(all);
}

test("range gives runs, the first members one more", () => {
  const counts: Counts = { x: 5, y: 2 };
  const members = [member("b", ["x", "y"]), member("a", ["x"]), member("c", ["x", "y"])];
  const targets = rangeAssignor.assign({ members, partitionCount: (id) => counts[id]! });
  check(members, counts, targets);
  const plain = Object.fromEntries(
    [...targets].map(([id, target]) => [
      id,
      Object.fromEntries([...target].map(([topic, each]) => [topic, [...each]])),
    ]),
  );
  expect(plain).toEqual({ a: { x: [0, 1] }, b: { x: [2, 3], y: [0] }, c: { x: [4], y: [1] } });
});

test("uniform is even and sticky, whatever happened before", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new SeededRandom(seed);
    const counts: Counts = {};
    for (let topic = 0; topic < 1 + random.below(4); topic++) {
      counts[`t${topic}`] = random.below(20);
    }
    const topics = Object.keys(counts);
    let targets: ReadonlyMap<string, Assignment> = new Map();
    for (let round = 0; round < 5; round++) {
      for (const topic of topics) counts[topic]! += random.below(3);
      const members = Array.from({ length: 1 + random.below(8) }, (_, i) => `m${i}`)
        .filter((_, i) => i === 0 || random.below(4) > 0)
        .map((id) => member(id, topics, targets.get(id)));
      const input = { members, partitionCount: (id: string) => counts[id]! };
      targets = uniformAssignor.assign(input);
      check(members, counts, targets);
      const sizes = members.map(({ memberId }) => sizeOf(targets.get(memberId)));
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      const again = members.map((each) => ({ ...each, target: targets.get(each.memberId)! }));
      const same = uniformAssignor.assign({ ...input, members: again });
      for (const { memberId, target } of again) expect(same.get(memberId)).toEqual(target);
    }
  }
});

test("where subscriptions differ, nobody could have one less by giving it to a reader with two fewer", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new SeededRandom(seed);
    const counts: Counts = { a: random.below(12), b: random.below(12), c: random.below(12) };
    const members = Array.from({ length: 2 + random.below(8) }, (_, i) => {
      const topics = ["a", "b", "c"].filter(() => random.below(3) > 0);
      return member(`m${i}`, topics.length === 0 ? ["a"] : topics);
    });
    const targets = uniformAssignor.assign({ members, partitionCount: (id) => counts[id]! });
    check(members, counts, targets);
    for (const { memberId } of members) {
      for (const topicId of targets.get(memberId)!.keys()) {
        const fewest = members.filter((each) => each.topicIds.has(topicId))
          .reduce((least, each) => Math.min(least, sizeOf(targets.get(each.memberId))), 1_000);
        expect(sizeOf(targets.get(memberId)) - fewest).toBeLessThanOrEqual(1);
      }
    }
  }
});

test("a thousand members of a thousand partitions take a few milliseconds", () => {
  const topics = ["a", "b"];
  const members = Array.from({ length: 1_000 }, (_, i) => member(`m${i}`, topics));
  const targets = uniformAssignor.assign({ members, partitionCount: () => 500 });
  expect([...targets.values()].every((target) => sizeOf(target) === 1)).toBe(true);
});
