/**
 * Makes very many small files durable, as at a start after a crash and at a shutdown. The work on
 * each log yields where it has written and is to sync next; a group of logs goes from one such place
 * to the next together, and in between the disk gets a hint to write all of it out in one go.
 *
 *     log 1   write ─┐        ┌─ sync the files, rename ─┐        ┌─ sync the folder
 *     log 2   write ─┼─ hint ─┼─ sync the files, rename ─┼─ hint ─┼─ sync the folder
 *     log 3   write ─┘        └─ sync the files, rename ─┘        └─ sync the folder
 *
 * What is durable hangs on each log's own syncs alone: the hint makes them find less to do. It is
 * left out where few logs wait for it, and when it has taken too long once: other programs' writes
 * to the same file system go along with it.
 */
import type { Clock, Disk } from "../core/io.ts";

/** Work on one log that yields where its syncs begin. */
export type SyncSteps<T> = AsyncGenerator<void, T, void>;

/** Seams, and the path of the data directory. */
export interface SyncStepsContext {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly path: string;
  /** How many logs are worked on at a time. */
  readonly parallelLogs: number;
}

/** How many logs go together: some handles of each stay open between its writes and its syncs. */
const GROUP_LOGS = 250;
/** For fewer logs the hint costs more than it saves. */
const HINT_MIN_LOGS = 64;
/** How long a hint is waited for. */
const HINT_WAIT_MS = 2000;

/** Does all of the work, in groups. Throws the first failure, when nothing is under way any more. */
export async function inStep(
  context: SyncStepsContext,
  works: readonly SyncSteps<void>[],
): Promise<void> {
  const hints = new Hints(context);
  for (let first = 0; first < works.length; first += GROUP_LOGS) {
    await runGroup(works.slice(first, first + GROUP_LOGS), context.parallelLogs, hints);
  }
}

async function runGroup(
  works: readonly SyncSteps<void>[],
  parallelLogs: number,
  hints: Hints,
): Promise<void> {
  try {
    let left = works;
    while (left.length > 0) {
      const waiting: SyncSteps<void>[] = [];
      await forEachAtOnce(left, parallelLogs, async (work) => {
        if ((await work.next()).done !== true) waiting.push(work);
      });
      if (waiting.length >= HINT_MIN_LOGS) await hints.give();
      left = waiting;
    }
  } finally {
    // After a failure, the others let go of what they hold.
    await Promise.allSettled(works.map((work) => work.return()));
  }
}

class Hints {
  private wasSlow = false;

  constructor(private readonly context: SyncStepsContext) {}

  /** Resolves when the disk has taken the hint, or has had its time. */
  async give(): Promise<void> {
    if (this.wasSlow) return;
    const { clock, disk, path } = this.context;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(HINT_WAIT_MS, () => {
        this.wasSlow = true;
        resolve();
      });
      void disk.flushHint(path).then(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}

/** Runs the action on all items, at most `limit` at a time; throws the first failure. */
async function forEachAtOnce<T>(
  items: readonly T[],
  limit: number,
  action: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await action(items[next++]!);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}
