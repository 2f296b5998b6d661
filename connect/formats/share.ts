/** Files of a place among the tasks of a connector: by their names, so that nobody has to agree. */
import { string } from "../index.ts";
import type { RawConfig } from "../index.ts";

export const shareFields = {
  "task.share": string().default("0/1").importance("LOW")
    .check((text) => shareOf(text) === null ? "must be TASK/TASKS, as 0/1" : null)
    .doc("Which share of the files a task reads, as TASK/TASKS. The connector fills it in."),
};

/** Configs of so many tasks. */
export function sharedConfigs(raw: RawConfig, tasks: number): RawConfig[] {
  if (tasks <= 1) return [raw];
  return Array.from({ length: tasks }, (_, task) => ({ ...raw, "task.share": `${task}/${tasks}` }));
}

/** Whether a file is of this share. */
export function isOfShare(share: string): (name: string) => boolean {
  const { task, tasks } = shareOf(share) ?? { task: 0, tasks: 1 };
  return tasks === 1 ? () => true : (name) => Bun.hash.crc32(name) % tasks === task;
}

function shareOf(text: string): { readonly task: number; readonly tasks: number } | null {
  const [, task = "", tasks = ""] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  return task !== "" && Number(task) < Number(tasks)
    ? { task: Number(task), tasks: Number(tasks) }
    : null;
}
