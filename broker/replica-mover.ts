import { assert } from "../core/assert.ts";
import { type ErrorCode, Errors } from "../core/errors.ts";
import { type Clock, DiskError } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import { Throttle } from "../storage/cleaner/throttle.ts";
import type { DataDir } from "../storage/data-dir.ts";
import type { DataDirs } from "../storage/data-dirs.ts";
import { MoveError, moveLog, OvertakenError } from "../storage/log-move.ts";
import type { Partition } from "./partition.ts";
import type { PartitionSet } from "./partition-set.ts";

/** How often a move begins anew because retention is faster. */
const TRIES_MAX = 5;

/** A move that waits or runs. */
interface QueuedMove {
  readonly partition: Partition;
  readonly to: DataDir;
  readonly stop: AbortController;
}

/** A move was called off. */
class CalledOff extends Error {
  override readonly name = "CalledOff";
}

/**
 * Moves the logs of partitions between the data directories of this broker, one after the other
 * (KIP-113; Kafka's `ReplicaAlterLogDirsThread`). A move that a stop interrupts begins anew with
 * the next start.
 */
export class ReplicaMover {
  readonly #moves = new Map<Partition, QueuedMove>();
  readonly #throttle: Throttle;
  #tail: Promise<void> = Promise.resolve();

  constructor(
    clock: Clock,
    private readonly logger: Logger,
    private readonly dirs: DataDirs,
    private readonly partitions: PartitionSet,
  ) {
    this.#throttle = new Throttle(clock, () => Infinity);
  }

  /**
   * Has the partition's log moved to the directory with this path, in place of where it was to go
   * before. LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR, UNKNOWN_TOPIC_OR_PARTITION.
   */
  move(topic: string, index: number, path: string): ErrorCode {
    const to = this.dirs.byPath(path);
    if (to === undefined) return Errors.LOG_DIR_NOT_FOUND;
    const partition = this.partitions.find(topic, index);
    if (typeof partition === "number") return partition;
    if (to.failure !== null || partition.failed) return Errors.KAFKA_STORAGE_ERROR;
    const current = this.#moves.get(partition);
    if (current?.to === to) return Errors.NONE;
    current?.stop.abort(new CalledOff("it is to stay, or to go elsewhere"));
    this.#moves.delete(partition);
    if (this.dirs.dirOf(partition.log) === to) return Errors.NONE;
    const move = { partition, to, stop: new AbortController() };
    this.#moves.set(partition, move);
    this.#tail = this.#tail.then(() => this.#run(move));
    return Errors.NONE;
  }

  /** Begins anew what an earlier process could not finish. */
  resume(): void {
    for (const dir of this.dirs.all) {
      for (const { topic, partition } of dir.interruptedMoves) {
        this.move(topic, partition, dir.path);
      }
    }
  }

  /** Calls off what waits, ends what runs, and resolves when nothing is moved any more. */
  async close(): Promise<void> {
    for (const { stop } of this.#moves.values()) stop.abort(new CalledOff("the broker stops"));
    await this.#tail;
  }

  async #run(move: QueuedMove): Promise<void> {
    const { partition, to } = move;
    const { name } = partition.log;
    try {
      for (let tries = 1; !await this.#try(move, tries === TRIES_MAX); tries++);
      this.logger.info("a log has been moved", { log: name, to: to.path });
    } catch (error) {
      if (!(error instanceof CalledOff)) {
        if (!(error instanceof MoveError || error instanceof DiskError)) throw error;
        this.logger.error("a log cannot be moved", { log: name, to: to.path, why: error.message });
      }
    } finally {
      if (this.#moves.get(partition) === move) this.#moves.delete(partition);
    }
  }

  /** False if it has to begin anew. */
  async #try({ partition, to, stop }: QueuedMove, isLast: boolean): Promise<boolean> {
    const source = partition.log;
    const from = this.dirs.dirOf(source);
    stop.signal.throwIfAborted();
    if (from === to) return true;
    if (from === undefined) throw new MoveError("it is being deleted");
    try {
      await moveLog({
        source,
        from,
        to,
        throttle: this.#throttle,
        signal: stop.signal,
        isGone: () => partition.closed || partition.log !== source,
        onMirror: (future) => partition.setFuture(future),
        onMoved: (moved) => {
          assert(!partition.closed, "a partition that is closed is not moved");
          partition.replaceLog(moved);
        },
      });
      return true;
    } catch (error) {
      if (error instanceof OvertakenError && !isLast) return false;
      throw error;
    }
  }
}
