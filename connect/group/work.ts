/** What workers share out: connectors themselves, and their tasks. */
import type { TaskId } from "../worker/status.ts";

/** One of them, as text: `c:NAME` or `t:NAME:3`; names may have anything in them. */
export type Work = string;

export function connectorWork(name: string): Work {
  return `c:${name}`;
}

export function taskWork({ connector, task }: TaskId): Work {
  return `t:${connector}:${task}`;
}

/** What a text names. */
export function parseWork(
  work: Work,
): { readonly connector: string } | { readonly task: TaskId } | null {
  if (work.startsWith("c:")) return { connector: work.slice(2) };
  const [, connector, task] = /^t:(.+):(\d{1,9})$/s.exec(work) ?? [];
  if (connector === undefined || task === undefined) return null;
  return { task: { connector, task: Number(task) } };
}
