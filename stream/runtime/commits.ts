/**
 * What the tasks of a member have done is committed, all at once; or it is done again:
 *
 *     a task fails          it is closed and begins again from the last commit, after a pause; under
 *                           exactly-once the transaction is aborted, which is that of all tasks, so
 *                           those that have done something since the last commit begin again, too
 *     a commit fails        so do all that have done something; without transactions, and where all is
 *                           written, offsets come with the next commit
 *     the session is over   all begin again, with another producer
 *
 * Called while nothing else goes on. What goes wrong is dealt with here; what is thrown ends the member.
 */
import type { CommittingMember } from "../../client/commit-offsets.ts";
import { isTooLate } from "../../client/consumer/auto-commit.ts";
import type { PartitionPosition } from "../../client/consumer.ts";
import { isAuthorizationError, isRetriableError, TimeoutError } from "../../client/errors.ts";
import type { ClientIo } from "../../client/options.ts";
import { asError } from "../../core/as-error.ts";
import { Backoff } from "../../core/backoff.ts";
import type { Logger } from "../../core/logger.ts";
import type { TaskId } from "../assignor/index.ts";
import { CorruptStoreError } from "../stores/log-structured/run-format.ts";
import { ProcessingError } from "../task/running-nodes.ts";
import { isFencing } from "./producer-errors.ts";
import type { ProducerSlot } from "./producer-slot.ts";
import type { StreamsConfig } from "./streams-config.ts";
import { lastFailure } from "./task-failures.ts";
import type { TaskTable } from "./task-table.ts";
import { placeOf } from "./task-world.ts";

export interface CommitParts {
  readonly io: ClientIo;
  readonly config: StreamsConfig;
  readonly logger: Logger;
  readonly table: TaskTable;
  readonly producer: ProducerSlot;
  /** The member is to end: nothing begins again. */
  readonly stopping: AbortSignal;
  /** As whom it commits now. */
  member(): CommittingMember;
  /** Hears of what was committed. */
  onCommit(positions: readonly PartitionPosition[]): void;
  /** A task has failed so often, or has such a reason, that the application ends. */
  onLastFailure(error: Error): void;
  /** The member can do no more. */
  onFatal(error: Error): void;
}

const FIRST_PAUSE_MS = 500;
const PAUSE_MAX_MS = 30_000;

/** See the head of the file. */
export class Commits {
  #lastMs: number;
  #pausedUntilMs = 0;
  readonly #pauses: Backoff;
  /** By task that failed since it was committed last. */
  readonly #failures = new Map<TaskId, Backoff>();

  constructor(private readonly parts: CommitParts) {
    this.#pauses = this.#newPauses();
    this.#lastMs = this.#nowMs;
  }

  /** Milliseconds until the next commit is due. */
  get dueInMs(): number {
    return this.#lastMs + this.parts.config.commitIntervalMs - this.#nowMs;
  }

  /** Milliseconds in which nothing is to be processed: what failed is tried again later. */
  get pauseLeftMs(): number {
    return this.#pausedUntilMs - this.#nowMs;
  }

  /** Commits what tasks have done. */
  async commit(): Promise<void> {
    const { table, producer, onCommit, member, config: { applicationId: groupId } } = this.parts;
    if (producer.isGivenUp) return await this.beginAgain();
    this.#lastMs = this.#nowMs;
    const dirty = table.running.filter(({ isDirty }) => isDirty);
    if (dirty.length === 0) return table.takeSnapshots();
    for (const active of dirty) {
      try {
        active.task.flush();
      } catch (error) {
        return await this.taskFailed(active.id, asError(error));
      }
    }
    const offsets = dirty.flatMap((active) => active.uncommitted());
    let endOf;
    try {
      endOf = await producer.current.commit(offsets, { groupId, member: member() });
    } catch (error) {
      return await this.#commitFailed(asError(error));
    }
    this.#pauses.reset();
    const damaged: [TaskId, CorruptStoreError][] = [];
    for (const active of dirty) {
      active.committed(offsets);
      try {
        active.stores.commit(endOf);
        this.#failures.delete(active.id);
      } catch (error) {
        if (!(error instanceof CorruptStoreError)) throw error;
        damaged.push([active.id, error]);
      }
    }
    // Changelogs have all of it.
    for (const [id, error] of damaged) await this.taskFailed(id, error);
    table.takeSnapshots();
    onCommit(offsets);
    this.#lastMs = this.#nowMs;
  }

  /** Of tasks that others have from now on nothing is remembered. */
  forget(ids: readonly TaskId[]): void {
    for (const id of ids) this.#failures.delete(id);
  }

  /** After the end of a session: from what was committed, unless the group says that others have the tasks. */
  async beginAgain(): Promise<void> {
    const { table, producer, stopping } = this.parts;
    const ids = table.running.map(({ id }) => id);
    table.close(ids);
    if (stopping.aborted) return;
    await producer.renew();
    table.open(ids);
  }

  /** Something that was written since the last commit is lost: tasks that have done something do it again. */
  async rollBack(error: Error): Promise<void> {
    const { table, producer, config, logger, stopping, onFatal } = this.parts;
    if (producer.isGivenUp) return await this.beginAgain();
    const ids = table.running.filter(({ isDirty }) => isDirty).map(({ id }) => id);
    // What is not allowed an operator has to allow, who hears of it by the application's end.
    const isLast = isAuthorizationError(error) || this.#pauses.attempts >= config.taskRestartsMax;
    if (!isPassing(error) && !isFencing(error) && isLast) return onFatal(error);
    logger.warn("what was done since the last commit is done again", {
      error: error.message,
      tasks: ids.join(","),
    });
    table.close(ids);
    this.#pausedUntilMs = this.#nowMs + this.#pauses.nextMs();
    await producer.abort();
    if (!stopping.aborted) table.open(ids);
  }

  /** Ends with the error where the task has failed too often. */
  async taskFailed(id: TaskId, error: Error): Promise<void> {
    const { table, producer, stopping, config, logger } = this.parts;
    const { isExactlyOnce, onTaskFailure, taskRestartsMax } = config;
    const pauses = this.#failures.get(id) ?? this.#newPauses();
    this.#failures.set(id, pauses);
    const isLast = onTaskFailure !== "replace" || pauses.attempts >= taskRestartsMax;
    const others = table.running
      .filter((active) => isExactlyOnce && active.isDirty && active.id !== id)
      .map((active) => active.id);
    table.close([id, ...others]);
    if (isExactlyOnce) await producer.abort();
    else await this.#settle();
    if (isLast) return this.parts.onLastFailure(lastFailure(id, error, config));
    const pauseMs = pauses.nextMs();
    const isStep = error instanceof ProcessingError;
    const place = isStep ? { node: error.node, ...placeOf(error.origin) } : {};
    const cause = asError(isStep ? error.cause : error);
    logger.error("a task has failed and begins again", {
      ...{ task: id, ...place, error: cause.message, pauseMs },
      attempt: pauses.attempts,
    });
    logger.debug("where the task has failed", { task: id, stack: cause.stack ?? "" });
    if (stopping.aborted) return;
    table.open([id], pauseMs);
    table.open(others);
  }

  async #commitFailed(error: Error): Promise<void> {
    const { producer, config: { isExactlyOnce }, logger, onFatal } = this.parts;
    if (producer.isGivenUp) return await this.beginAgain();
    if (isExactlyOnce || producer.current.output.hasFailed) return await this.rollBack(error);
    if (!isPassing(error)) return onFatal(error);
    // All that was written is safe; the offsets come with the next commit, or are others' business.
    logger.warn("offsets are not committed now", { error: error.message });
    this.#pausedUntilMs = this.#nowMs + this.#pauses.nextMs();
  }

  /** What a task has written before it failed is in its changelogs before they are read. */
  async #settle(): Promise<void> {
    try {
      await this.parts.producer.current.output.settle();
    } catch (error) {
      await this.rollBack(asError(error));
    }
  }

  get #nowMs(): number {
    return this.parts.io.clock.monotonicMs();
  }

  #newPauses(): Backoff {
    return new Backoff(this.parts.io.random, FIRST_PAUSE_MS, PAUSE_MAX_MS);
  }
}

/** The next commit may bring it, or the group has gone on and others do it again. */
function isPassing(error: Error): boolean {
  return isTooLate(error) || isRetriableError(error) || error instanceof TimeoutError;
}
