import { describe, expect, test } from "bun:test";
import { SeededRandom } from "../../coordinator.test-helper.ts";
import { assignTasks, type StreamsAssignorMember } from "./sticky-assignor.ts";
import { NO_TASKS, type Tasks } from "./tasks.ts";

const SUBTOPOLOGIES = [
  { id: "0", taskCount: 6, isStateful: false },
  { id: "1", taskCount: 4, isStateful: true },
];

function member(memberId: string, processId: string, target: Tasks = NO_TASKS) {
  return { memberId, processId, target };
}

function tasksOf(set: Tasks["active"]): string[] {
  return [...set].flatMap(([id, tasks]) => [...tasks].map((task) => `${id}_${task}`)).toSorted();
}

function next(
  members: readonly StreamsAssignorMember[],
  targets: ReadonlyMap<string, Tasks>,
): StreamsAssignorMember[] {
  return members.map((each) => ({ ...each, target: targets.get(each.memberId) ?? NO_TASKS }));
}

/** What must hold for every assignment. */
function check(
  members: readonly StreamsAssignorMember[],
  subtopologies: readonly { id: string; taskCount: number; isStateful: boolean }[],
  standbyReplicas: number,
  targets: ReadonlyMap<string, Tasks>,
): void {
  const all = subtopologies.flatMap(({ id, taskCount }) =>
    Array.from({ length: taskCount }, (_, task) => `${id}_${task}`)
  ).toSorted();
  const active = [...targets.values()].flatMap((tasks) => tasksOf(tasks.active));
  expect(active.toSorted()).toEqual(all);
  const counts = members.map(({ memberId }) => tasksOf(targets.get(memberId)!.active).length);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  const byProcess = Map.groupBy(members, (each) => each.processId);
  const onProcess = new Map<string, number>();
  for (const [, ofProcess] of byProcess) {
    const own = ofProcess.flatMap(({ memberId }) => {
      const { active, standby } = targets.get(memberId)!;
      return [...tasksOf(active), ...tasksOf(standby)];
    });
    expect(new Set(own).size).toBe(own.length);
    for (const task of own) onProcess.set(task, (onProcess.get(task) ?? 0) + 1);
  }
  for (const { id, taskCount, isStateful } of subtopologies) {
    const copies = 1 + (isStateful ? Math.min(standbyReplicas, byProcess.size - 1) : 0);
    for (let task = 0; task < taskCount; task++) {
      expect(onProcess.get(`${id}_${task}`)).toBe(copies);
    }
  }
}

describe("assignTasks", () => {
  test("one member gets all", () => {
    const targets = assignTasks({
      members: [member("a", "p")],
      subtopologies: SUBTOPOLOGIES,
      standbyReplicas: 1,
    });
    expect(tasksOf(targets.get("a")!.active)).toHaveLength(10);
    expect(tasksOf(targets.get("a")!.standby)).toEqual([]);
  });

  test("nobody, and nothing", () => {
    expect(assignTasks({ members: [], subtopologies: SUBTOPOLOGIES, standbyReplicas: 0 }).size)
      .toBe(0);
    const targets = assignTasks({
      members: [member("a", "p")],
      subtopologies: [],
      standbyReplicas: 1,
    });
    expect(targets.get("a")).toEqual(NO_TASKS);
  });

  test("a new process gets its part, and nothing else moves", () => {
    const first = [member("a", "p"), member("b", "p")];
    const before = assignTasks({
      members: first,
      subtopologies: SUBTOPOLOGIES,
      standbyReplicas: 0,
    });
    const members = [...next(first, before), member("c", "q"), member("d", "q")];
    const after = assignTasks({ members, subtopologies: SUBTOPOLOGIES, standbyReplicas: 0 });
    check(members, SUBTOPOLOGIES, 0, after);
    for (const id of ["a", "b"]) {
      const kept = tasksOf(after.get(id)!.active);
      expect(tasksOf(before.get(id)!.active)).toEqual(expect.arrayContaining(kept));
    }
  });

  test("four threads of a new process take half of four tasks", () => {
    const subtopologies = [{ id: "0", taskCount: 4, isStateful: false }];
    const threads = (process: string) =>
      [0, 1, 2, 3].map((thread) => member(`${process}${thread}`, process));
    const before = assignTasks({ members: threads("p"), subtopologies, standbyReplicas: 0 });
    const members = [...next(threads("p"), before), ...threads("q")];
    const after = assignTasks({ members, subtopologies, standbyReplicas: 0 });
    const onQ = threads("q").flatMap(({ memberId }) => tasksOf(after.get(memberId)!.active));
    expect(onQ).toHaveLength(2);
  });

  test("a standby takes over from a process that has gone", () => {
    const subtopologies = [{ id: "0", taskCount: 4, isStateful: true }];
    const all = ["a", "b", "c"].map((id) => member(id, id));
    const before = assignTasks({ members: all, subtopologies, standbyReplicas: 1 });
    const rest = next(all, before).filter((each) => each.memberId !== "a");
    const after = assignTasks({ members: rest, subtopologies, standbyReplicas: 1 });
    check(rest, subtopologies, 1, after);
    const orphans = tasksOf(before.get("a")!.active);
    const warm = orphans.filter((task) =>
      rest.some(({ memberId }) =>
        tasksOf(after.get(memberId)!.active).includes(task) &&
        tasksOf(before.get(memberId)!.standby).includes(task)
      )
    );
    expect(warm.length).toBeGreaterThan(0);
  });

  test("through random churn all holds, and an assignment of itself changes nothing", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new SeededRandom(seed);
      const subtopologies = Array.from({ length: 1 + random.below(4) }, (_, index) => ({
        id: String(index),
        taskCount: 1 + random.below(12),
        isStateful: random.below(2) === 0,
      }));
      const standbyReplicas = random.below(3);
      let members: StreamsAssignorMember[] = [member("m0", "p0")];
      for (let step = 1; step <= 12; step++) {
        if (random.below(3) > 0) members.push(member(`m${step}`, `p${random.below(5)}`));
        else if (members.length > 1) members.splice(random.below(members.length), 1);
        const targets = assignTasks({ members, subtopologies, standbyReplicas });
        check(members, subtopologies, standbyReplicas, targets);
        members = next(members, targets);
        const again = assignTasks({ members, subtopologies, standbyReplicas });
        for (const { memberId } of members) {
          expect(tasksOf(again.get(memberId)!.active))
            .toEqual(tasksOf(targets.get(memberId)!.active));
        }
      }
    }
  });
});
