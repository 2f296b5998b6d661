/**
 * Moves a log to another data directory while it is read and written (KIP-113's future replica):
 *
 *     1. its batches are copied to a log there that does not count yet
 *     2. when it has them all, each append goes to both     acknowledged when both are durable
 *     3. what is there is made durable, and counts          both count, and are equal
 *     4. the broker goes over to it, the old one goes
 *
 * A crash before 3 leaves the old log, one after it either or both, of which the longer one is
 * kept: it has everything that was acknowledged.
 */
import { errorName } from "../core/errors.ts";
import { baseOffset } from "../core/records/batch-header.ts";
import type { Throttle } from "./cleaner/throttle.ts";
import type { DataDir } from "./data-dir.ts";
import type { PartitionLog } from "./partition-log.ts";

/** What is copied at a time, unless a batch is larger. */
const COPY_BYTES = 512 * 1024;

/** Why a log was not moved; it is as it was. */
export class MoveError extends Error {
  override readonly name = "MoveError";
}

/** Records were deleted or cut before they were copied: it has to begin anew, at the new start. */
export class OvertakenError extends MoveError {
  constructor() {
    super("records were deleted or cut before they could be copied");
  }
}

/** What is moved, and who has to know. */
export interface Move {
  readonly source: PartitionLog;
  readonly from: DataDir;
  readonly to: DataDir;
  readonly throttle: Throttle;
  /** Aborted when the log is to stay. */
  readonly signal: AbortSignal;
  /** Whether the log goes away meanwhile. */
  readonly isGone: () => boolean;
  /** Appends go to this log, too: nothing is to be acknowledged that it lacks. Null: no more. */
  readonly onMirror: (future: PartitionLog | null) => void;
  /** The log is this one from now on. */
  readonly onMoved: (moved: PartitionLog) => void;
}

/** Moves the log. Throws a `MoveError`, the signal's reason or a `DiskError`. */
export async function moveLog(move: Move): Promise<void> {
  const { source, from, to } = move;
  const { generation } = source;
  let future: PartitionLog | null = null;
  source.isMoving = true;
  try {
    future = await to.createFuture(source, await firstOffset(source));
    await copy(move, future, generation);
    source.mirrorTo(future);
    move.onMirror(future);
    await to.confirmFuture(future);
    check(move, generation);
    if (source.mirror !== future) throw new MoveError("its new disk has refused an append");
    future.succeed(source);
    to.admitFuture(future);
    move.onMoved(future);
  } catch (error) {
    source.isMoving = false;
    source.mirrorTo(null);
    move.onMirror(null);
    if (future !== null) await to.dropFuture(future);
    throw error;
  }
  await from.delete(source);
}

/** Where the copy begins: with the batch that holds the log's start. */
async function firstOffset(source: PartitionLog): Promise<number> {
  const start = source.logStartOffset;
  if (start === source.logEndOffset) return start;
  const { records } = await readBatches(source, start, 1);
  return records.length === 0 ? start : Math.min(start, baseOffset(records, 0));
}

/** Returns, without a turn of the event loop after the last look, when `future` has all batches. */
async function copy(move: Move, future: PartitionLog, generation: number): Promise<void> {
  const { source, throttle, signal } = move;
  for (;;) {
    check(move, generation);
    const offset = future.logEndOffset;
    if (offset === source.logEndOffset) return;
    if (offset < source.logStartOffset) throw new OvertakenError();
    const { records } = await readBatches(source, offset);
    check(move, generation);
    if (records.length === 0) throw new MoveError(`nothing can be read at offset ${offset}`);
    const appended = future.append(records, { leaderEpoch: -1, origin: "replication" });
    if (!appended.ok) throw new MoveError(appended.message);
    if (future.logEndOffset === source.logEndOffset) return;
    await throttle.spend(records.length, signal);
  }
}

async function readBatches(source: PartitionLog, offset: number, maxBytes = COPY_BYTES) {
  const read = await source.read(offset, maxBytes, Infinity, true);
  if (read.ok) return read;
  if (offset < source.logStartOffset) throw new OvertakenError();
  throw new MoveError(`it cannot be read at offset ${offset}: ${errorName(read.error)}`);
}

function check({ source, signal, isGone, from, to }: Move, generation: number): void {
  signal.throwIfAborted();
  if (isGone()) throw new MoveError("it is being deleted");
  if (source.generation !== generation) throw new OvertakenError();
  const failed = [from, to].find((dir) => dir.failure !== null);
  if (failed !== undefined) throw new MoveError(`${failed.path} has failed`);
}
