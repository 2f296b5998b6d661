/**
 * Folders of tests. Scripts remove theirs when they end well; the test runner tells nobody how it ended,
 * so what its processes have left, as what was killed has, is removed by a later process, once it was
 * there long enough for somebody to look at what has failed.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How long folders of processes that have ended stay. */
const KEPT_MS = 30 * 60_000;
/** More than so many are left for the process after this one. */
const REMOVED_MAX = 300;
const NAME = /^kstream-.+-p(\d+)-[A-Za-z0-9]{6}$/;

let made: string[] | null = null;

/** A fresh, empty directory. */
export function freshDir(prefix: string): string {
  if (made === null) {
    made = [];
    void removeLeft();
    process.on("exit", (code) => {
      for (const dir of code === 0 ? made ?? [] : []) {
        rmSync(dir, { recursive: true, force: true });
      }
    });
  }
  const dir = mkdtempSync(join(tmpdir(), `kstream-${prefix}-p${process.pid}-`));
  made.push(dir);
  return dir;
}

/** Removes what processes have left that are no more; `nowMs` is what time it is. */
export async function removeLeft(folder = tmpdir(), nowMs = Date.now()): Promise<void> {
  const left = readdirSync(folder).filter((name) => {
    const [, pid] = NAME.exec(name) ?? [];
    if (pid === undefined || isAlive(Number(pid))) return false;
    const stats = statSync(join(folder, name), { throwIfNoEntry: false });
    return stats !== undefined && nowMs - stats.mtimeMs > KEPT_MS;
  });
  for (const name of left.slice(0, REMOVED_MAX)) {
    // Others may be about it as well.
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => {});
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
