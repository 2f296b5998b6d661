/** Folders for files in the making, each of one task; those of tasks that are dead are removed. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { safePart } from "./path-template.ts";

/** `DIRECTORY/kstream-CONNECTOR-TASK-PID-XXXXXX`. Throws what the system says. */
export async function stagingFolder(
  directory: string,
  connector: string,
  task: number,
): Promise<string> {
  const own = `kstream-${safePart(connector)}-${task}-`;
  for (const name of await readdir(directory)) {
    if (!name.startsWith(own)) continue;
    const pid = Number(/^(\d+)-/.exec(name.slice(own.length))?.[1] ?? NaN);
    if (!Number.isNaN(pid) && !isAlive(pid)) {
      await rm(join(directory, name), { recursive: true, force: true });
    }
  }
  return await mkdtemp(join(directory, `${own}${process.pid}-`));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, and another user's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
