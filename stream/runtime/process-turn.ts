/** A turn of processing: the tasks of a member, one after the other, for a while. */
import type { Clock } from "../../core/io.ts";
import type { TaskId } from "../assignor/index.ts";
import type { ActiveTask } from "./active-task.ts";
import type { StreamsProducer } from "./streams-producer.ts";

/** What came of a turn. */
export interface Turn {
  /** How many records were processed. */
  readonly records: number;
  /** Stores hold so much in memory that it is to be committed. */
  readonly isCommitWanted: boolean;
  /** There may be more to process at once. */
  readonly isBusy: boolean;
  /** What ended the turn. */
  readonly failure: { readonly id: TaskId; readonly error: unknown } | null;
}

/** So long tasks process before others have their turn. */
const SLICE_MS = 10;
/** Records of a task before the clock is looked at, and the next task's turn comes. */
const RECORDS_IN_A_ROW = 100;
/** A task that has changed so much of its stores is committed. */
const UNCOMMITTED_BYTES_MAX = 32 * 1024 * 1024;
/** At least so often it is looked what there is to do. */
const IDLE_MS = 500;
/** A task waits for what a fetch has still to tell. */
const FETCH_LOOK_MS = 20;

/** See the head of the file. */
export function processTurn(
  tasks: readonly ActiveTask[],
  producer: StreamsProducer,
  clock: Clock,
): Turn {
  const startMs = clock.monotonicMs();
  const wallMs = clock.wallMs();
  let records = 0;
  const turn = (isBusy: boolean, failure: Turn["failure"] = null): Turn => ({
    ...{ records, isBusy, failure },
    isCommitWanted: tasks.some(({ stores }) => stores.uncommittedBytes > UNCOMMITTED_BYTES_MAX),
  });
  for (let nowMs = startMs; nowMs - startMs < SLICE_MS; nowMs = clock.monotonicMs()) {
    const before = records;
    for (const active of tasks) {
      if (producer.output.isFull) return turn(true);
      try {
        records += processSome(active, producer, nowMs, wallMs);
      } catch (error) {
        return turn(true, { id: active.id, error });
      }
    }
    if (records === before) return turn(records > 0);
  }
  return turn(true);
}

/**
 * Milliseconds until one of them may have something to do, `commitMs` if it has something to commit; null:
 * that is not to be done now, and whoever allows it again tells.
 */
export function idleMs(
  tasks: readonly ActiveTask[],
  clock: Clock,
  commitMs: number | null,
): number {
  const [nowMs, wallMs] = [clock.monotonicMs(), clock.wallMs()];
  let ms = IDLE_MS;
  for (const { idleUntilMs, isDirty, task, isWaitingForFetch } of tasks) {
    ms = Math.min(ms, idleUntilMs - nowMs);
    if (isWaitingForFetch) ms = Math.min(ms, FETCH_LOOK_MS);
    if (task.nextPunctuationMs !== null) ms = Math.min(ms, task.nextPunctuationMs - wallMs);
    if (isDirty && commitMs !== null) ms = Math.min(ms, commitMs);
  }
  return Math.max(1, ms);
}

function processSome(
  active: ActiveTask,
  producer: StreamsProducer,
  nowMs: number,
  wallMs: number,
): number {
  const { output } = producer;
  const { nextPunctuationMs } = active.task;
  if (nextPunctuationMs !== null && nextPunctuationMs <= wallMs) {
    producer.used();
    active.isDirty = true;
    active.task.punctuateByWallClock();
  }
  active.fill();
  let count = 0;
  while (count < RECORDS_IN_A_ROW && !output.isFull && active.isReady(nowMs)) {
    if (count === 0) producer.used();
    if (!active.process()) break;
    count++;
  }
  return count;
}
