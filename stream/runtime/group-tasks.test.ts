import { expect, test } from "bun:test";
import { endpointOf, endpointText, sameTasks, taskIds, tasksIn } from "./group-tasks.ts";

test("endpoints come back as they went, those of threads too", () => {
  for (
    const text of ["10.0.0.1:8090", "[::1]:1", "shop.example:8090/threads/2", "[::1]:8/threads/1"]
  ) {
    expect(endpointText(endpointOf(text))).toBe(text);
  }
  expect(endpointOf("[::1]:8090")).toEqual({ host: "::1", port: 8090 });
});

test("tasks come back as they went, in any order", () => {
  const tasks = ["0_0", "10_3", "0_2"];
  expect(tasksIn(taskIds(tasks)).sort()).toEqual([...tasks].sort());
  const none = { standby: [], warmup: [] };
  expect(sameTasks({ active: tasks, ...none }, { active: [...tasks].reverse(), ...none })).toBe(
    true,
  );
  expect(sameTasks({ active: tasks, ...none }, { active: ["0_0"], ...none })).toBe(false);
});
