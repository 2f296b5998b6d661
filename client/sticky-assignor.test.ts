import { expect, test } from "bun:test";
import { SimRandom } from "../tests/sim/sim-random.ts";
import { assignableMember, memberMetadata } from "./assignors.ts";
import {
  type AssignableMember,
  eachPartition,
  partitionKey,
  type TopicPartitions,
} from "./group-protocol.ts";
import {
  cooperativeStickyAssignor,
  decodeStickyUserData,
  encodeStickyUserData,
  stickyAssignor,
} from "./sticky-assignor.ts";

type Assigned = Map<string, TopicPartitions[]>;

const member = (
  memberId: string,
  topics: string[],
  owned: readonly TopicPartitions[] = [],
  generation = 1,
): AssignableMember => ({ memberId, groupInstanceId: null, topics, owned, generation });

const keys = (partitions: readonly TopicPartitions[] = []) =>
  eachPartition(partitions).map(({ topic, partition }) => partitionKey(topic, partition));

const sizes = (assigned: Assigned) => [...assigned.values()].map((each) => keys(each).length);

function expectEachOnce(assigned: Assigned, total: number): void {
  const all = [...assigned.values()].flatMap(keys);
  expect(all.length).toBe(total);
  expect(new Set(all).size).toBe(total);
}

test("a member that joins takes only what balance demands; one that leaves moves only its own", () => {
  const counts = new Map([["t", 9]]);
  const two = stickyAssignor([member("a", ["t"]), member("b", ["t"])], counts);
  const three = stickyAssignor([
    member("a", ["t"], two.get("a")),
    member("b", ["t"], two.get("b")),
    member("c", ["t"]),
  ], counts);
  expectEachOnce(three, 9);
  expect(sizes(three)).toEqual([3, 3, 3]);
  for (const id of ["a", "b"]) {
    expect(keys(two.get(id))).toEqual(expect.arrayContaining(keys(three.get(id))));
  }
  const left = stickyAssignor(
    [member("a", ["t"], three.get("a")), member("c", ["t"], three.get("c"))],
    counts,
  );
  expectEachOnce(left, 9);
  for (const id of ["a", "c"]) {
    expect(keys(left.get(id))).toEqual(expect.arrayContaining(keys(three.get(id))));
  }
});

test("of two who claim a partition the later generation has it, of equals nobody", () => {
  const claim = [{ topic: "t", partitions: [0] }];
  const counts = new Map([["t", 1]]);
  const later = stickyAssignor(
    [member("a", ["t"], claim, 3), member("b", ["t"], claim, 4)],
    counts,
  );
  expect(keys(later.get("b"))).toEqual(["t/0"]);
  const members = [member("a", ["t"], claim, 4), member("b", ["t"], claim, 4)];
  expect(sizes(cooperativeStickyAssignor(members, counts))).toEqual([0, 0]);
});

test("cooperatively, what moves is nobody's until its owner has given it up", () => {
  const counts = new Map([["t", 4]]);
  const all = [{ topic: "t", partitions: [0, 1, 2, 3] }];
  const first = cooperativeStickyAssignor([member("a", ["t"], all), member("b", ["t"])], counts);
  expect(sizes(first)).toEqual([2, 0]);
  const second = cooperativeStickyAssignor(
    [member("a", ["t"], first.get("a"), 2), member("b", ["t"], [], 2)],
    counts,
  );
  expectEachOnce(second, 4);
  expect(second.get("a")).toEqual(first.get("a")!);
});

test("whatever members want and have: each partition once, balanced, and stable", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new SimRandom(seed);
    const topics = ["s", "t", "u"];
    const counts = new Map(topics.map((topic) => [topic, random.below(12)]));
    const wish = () => random.chance(50) ? topics : topics.filter(() => random.chance(70));
    let members = Array.from({ length: random.between(1, 7) }, (_, i) => member(`m${i}`, wish()));
    for (let round = 0; round < 4; round++) {
      const assigned = stickyAssignor(members, counts);
      const wanted = topics.filter((topic) => members.some((each) => each.topics.includes(topic)));
      const total = wanted.reduce((sum, topic) => sum + counts.get(topic)!, 0);
      expectEachOnce(assigned, total);
      const owning = members.map((each) =>
        member(each.memberId, [...each.topics], assigned.get(each.memberId), round)
      );
      expect(stickyAssignor(owning, counts)).toEqual(assigned);
      for (const giver of owning) {
        for (const topic of new Set(keys(giver.owned).map((key) => key.split("/")[0]!))) {
          for (const taker of owning.filter((each) => each.topics.includes(topic))) {
            expect(keys(giver.owned).length - keys(taker.owned).length).toBeLessThan(2);
          }
        }
      }
      members = owning.filter(() => random.chance(80));
      if (members.length === 0 || random.chance(50)) members.push(member(`n${round}`, wish()));
    }
  }
});

test("what members say of themselves is in the bytes of Java's assignors", () => {
  const owned = [{ topic: "té", partitions: [1, 513] }];
  const bytes = encodeStickyUserData(owned, 7);
  expect(Buffer.from(bytes).toString("hex")).toBe(
    "00000001" + "0003" + "74c3a9" + "00000002" + "00000001" + "00000201" + "00000007",
  );
  expect(decodeStickyUserData(bytes)).toEqual({ owned, generation: 7 });
  // The first version ends before the generation; what makes no sense says nothing.
  expect(decodeStickyUserData(bytes.subarray(0, -4))).toEqual({ owned, generation: -1 });
  expect(decodeStickyUserData(bytes.subarray(0, 7))).toEqual({ owned: [], generation: -1 });
  const subscription = { topics: ["t"], owned, generation: 7, rackId: null };
  const metadata = memberMetadata("cooperative-sticky", subscription, subscription);
  // A version 1 subscription, as of an older Java: its generation is in the user data alone.
  const older = metadata.slice();
  older[1] = 1;
  for (const each of [metadata, older]) {
    expect(
      assignableMember("cooperative-sticky", {
        memberId: "m",
        groupInstanceId: null,
        metadata: each,
      }),
    ).toEqual({ memberId: "m", groupInstanceId: null, topics: ["t"], owned, generation: 7 });
  }
});
