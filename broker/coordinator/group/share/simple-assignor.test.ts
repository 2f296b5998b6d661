import { expect, test } from "bun:test";
import { SeededRandom } from "../../coordinator.test-helper.ts";
import { type Assignment, NO_PARTITIONS } from "../modern/topic-partitions.ts";
import { assignSimply, type SharingMember } from "./simple-assignor.ts";

const partitions = (count: number) => new Set(Array.from({ length: count }, (_, i) => i));
const member = (
  memberId: string,
  topics: readonly string[],
  target: Assignment = NO_PARTITIONS,
): SharingMember => ({ memberId, topicIds: new Set(topics), target });
const shown = (assignment: Assignment | undefined) =>
  [...assignment ?? []].flatMap(([topic, of]) => [...of].map((each) => `${topic}${each}`));

test("partitions are spread over members, and members over partitions", () => {
  const few = assignSimply(
    [member("a", ["t"]), member("b", ["t"])],
    new Map([["t", partitions(4)]]),
  );
  expect([...few.values()].map((each) => shown(each).length)).toEqual([2, 2]);
  const many = assignSimply(
    ["a", "b", "c", "d"].map((id) => member(id, ["t"])),
    new Map([["t", partitions(2)]]),
  );
  expect([...many.values()].map((each) => shown(each))).toEqual([["t0"], ["t1"], ["t0"], ["t1"]]);
});

test("what may not be assigned is not, and who subscribes to nothing has nothing", () => {
  const targets = assignSimply(
    [member("a", ["t", "u"]), member("b", [])],
    new Map([["t", new Set([2])], ["u", new Set<number>()]]),
  );
  expect(shown(targets.get("a"))).toEqual(["t2"]);
  expect(shown(targets.get("b"))).toEqual([]);
});

test("members of any groups: every partition is read, nobody is idle, and it stays so", () => {
  const random = new SeededRandom(5);
  for (let round = 0; round < 300; round++) {
    const assignable = new Map(
      ["t", "u", "v"].map((topic) => [topic, partitions(random.below(6))]),
    );
    let members: SharingMember[] = Array.from(
      { length: 1 + random.below(8) },
      (_, i) => member(`m${i}`, ["t", "u", "v"].filter(() => random.below(2) === 0)),
    );
    let before: Map<string, Assignment> | null = null;
    for (let again = 0; again < 2; again++) {
      const targets = assignSimply(members, assignable);
      const read = new Set([...targets.values()].flatMap(shown));
      for (const [topic, of] of assignable) {
        const isSubscribed = members.some(({ topicIds }) => topicIds.has(topic));
        for (const each of of) expect(read.has(`${topic}${each}`)).toBe(isSubscribed);
      }
      for (const { memberId, topicIds } of members) {
        const has = shown(targets.get(memberId));
        const mayHave = [...topicIds].some((topic) => assignable.get(topic)!.size > 0);
        expect(has.length > 0).toBe(mayHave);
        expect(has.every((each) => topicIds.has(each[0]!))).toBe(true);
      }
      if (before !== null) {
        const kept = before;
        for (const [memberId, target] of targets) {
          expect(shown(target).toSorted()).toEqual(shown(kept.get(memberId)).toSorted());
        }
      }
      before = targets;
      members = members.map((each) => ({ ...each, target: targets.get(each.memberId)! }));
    }
  }
});
