import { expect, test } from "bun:test";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { assign, type AssignableWorker, NO_MEMORY } from "./assignor.ts";
import type { Work } from "./work.ts";

const TIMES = { nowMs: 0, maxDelayMs: 10_000 };

/** Rebalances until nobody has to give anything up; what each worker has then, in order. */
function settle(
  workers: readonly AssignableWorker[],
  work: readonly Work[],
  times = TIMES,
): Record<string, Work[]> {
  let held = workers;
  let memory = NO_MEMORY;
  for (let round = 0; round < 5; round++) {
    const assignment = assign(held, work, memory, times);
    memory = assignment.memory;
    held = held.map(({ memberId }) => ({
      memberId,
      held: assignment.parts.get(memberId)!.assigned,
    }));
    if ([...assignment.parts.values()].every(({ revoked }) => revoked.length === 0)) break;
  }
  return Object.fromEntries(held.map(({ memberId, held }) => [memberId, [...held].sort()]));
}

const worker = (memberId: string, ...held: Work[]) => ({ memberId, held });

test("connectors and tasks are spread evenly, each kind for itself", () => {
  const work = ["c:a", "c:b", "t:a:0", "t:a:1", "t:a:2", "t:a:3"];
  expect(settle([worker("x"), worker("y")], work)).toEqual({
    x: ["c:a", "t:a:0", "t:a:2"],
    y: ["c:b", "t:a:1", "t:a:3"],
  });
});

test("who comes is given its part, and nothing else moves", () => {
  const work = ["t:a:0", "t:a:1", "t:a:2", "t:a:3", "t:a:4", "t:a:5"];
  const workers = [worker("x", ...work.slice(0, 3)), worker("y", ...work.slice(3)), worker("z")];
  expect(settle(workers, work)).toEqual({
    x: ["t:a:0", "t:a:1"],
    y: ["t:a:3", "t:a:4"],
    z: ["t:a:2", "t:a:5"],
  });
});

test("a piece that has to move is with nobody in between", () => {
  const { parts } = assign([worker("x", "t:a:0", "t:a:1"), worker("y")], ["t:a:0", "t:a:1"], {
    ...NO_MEMORY,
    given: new Set(["t:a:0", "t:a:1"]),
  }, TIMES);
  expect(parts.get("x")).toEqual({ assigned: ["t:a:0"], revoked: ["t:a:1"] });
  expect(parts.get("y")).toEqual({ assigned: [], revoked: [] });
});

test("what two workers say they have is taken from both", () => {
  const { parts } = assign(
    [worker("x", "t:a:0"), worker("y", "t:a:0")],
    ["t:a:0"],
    NO_MEMORY,
    TIMES,
  );
  expect([...parts.values()]).toEqual([
    { assigned: [], revoked: ["t:a:0"] },
    { assigned: [], revoked: ["t:a:0"] },
  ]);
});

test("what is not wanted any more is given up", () => {
  const { parts } = assign([worker("x", "c:a", "t:a:0")], ["c:a"], NO_MEMORY, TIMES);
  expect(parts.get("x")).toEqual({ assigned: ["c:a"], revoked: ["t:a:0"] });
});

test("work of a worker that is gone waits for it, and is given to others in the end", () => {
  const work = ["t:a:0", "t:a:1"];
  const before = assign([worker("x", "t:a:0"), worker("y", "t:a:1")], work, NO_MEMORY, TIMES);
  const gone = assign([worker("x", "t:a:0")], work, before.memory, { ...TIMES, nowMs: 1000 });
  expect(gone.parts.get("x")?.assigned).toEqual(["t:a:0"]);
  expect(gone.memory.lostUntilMs).toBe(11_000);
  const later = assign([worker("x", "t:a:0")], work, gone.memory, { ...TIMES, nowMs: 11_000 });
  expect(later.parts.get("x")?.assigned).toEqual(["t:a:0", "t:a:1"]);
  expect(later.memory.lostUntilMs).toBeNull();
});

test("a worker that comes back gets what it had, at once", () => {
  const work = ["t:a:0", "t:a:1"];
  const before = assign([worker("x", "t:a:0"), worker("y", "t:a:1")], work, NO_MEMORY, TIMES);
  const gone = assign([worker("x", "t:a:0")], work, before.memory, TIMES);
  const back = assign([worker("x", "t:a:0"), worker("z")], work, gone.memory, TIMES);
  expect(back.parts.get("z")?.assigned).toEqual(["t:a:1"]);
});

test("without a wait it goes to others at once, and so does what has just been revoked", () => {
  const work = ["t:a:0", "t:a:1"];
  const before = assign([worker("x", "t:a:0"), worker("y", "t:a:1")], work, NO_MEMORY, TIMES);
  const times = { nowMs: 5, maxDelayMs: 0 };
  const gone = assign([worker("x", "t:a:0")], work, before.memory, times);
  expect(gone.parts.get("x")?.assigned).toEqual(["t:a:0", "t:a:1"]);
});

test("whatever workers come and go: no piece is with two, and all are with somebody in the end", () => {
  const random = new SimRandom(7);
  for (let run = 0; run < 200; run++) {
    const work = Array.from(
      { length: random.below(30) },
      (_, i) => `${i % 3 === 0 ? "c" : "t"}:${i}:0`,
    );
    let workers: AssignableWorker[] = [];
    let memory = NO_MEMORY;
    for (let round = 0; round < 12; round++) {
      const times = { nowMs: round * 3000, maxDelayMs: 10_000 };
      if (random.chance(50)) workers.push(worker(`w${run}-${round}`));
      if (random.chance(30)) workers.splice(random.below(workers.length + 1), 1);
      if (workers.length === 0) memory = NO_MEMORY;
      const assignment = assign(workers, work, memory, times);
      memory = assignment.memory;
      const all = [...assignment.parts.values()].flatMap(({ assigned }) => assigned);
      expect(new Set(all).size).toBe(all.length);
      workers = workers.map(({ memberId, held }) => {
        const part = assignment.parts.get(memberId)!;
        // Nobody gets what another one has, not even what that gives up now.
        const others = workers.filter((other) => other.memberId !== memberId);
        const got = part.assigned.filter((piece) => !held.includes(piece));
        expect(others.flatMap((other) => other.held.filter((piece) => got.includes(piece))))
          .toEqual([]);
        return { memberId, held: part.assigned };
      });
    }
    if (workers.length === 0) continue;
    const settled = settle(workers, work, { nowMs: 100_000, maxDelayMs: 0 });
    expect(Object.values(settled).flat().sort()).toEqual([...work].sort());
    for (const kind of ["c", "t"]) {
      const counts = Object.values(settled).map((held) =>
        held.filter((p) => p.startsWith(kind)).length
      );
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }
  }
});
