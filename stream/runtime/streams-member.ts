/**
 * A member of an application at work: it reads for its tasks, has them process, and commits. One thing at
 * a time: a turn of processing, a commit, or a change of what tasks there are.
 *
 *     turn: process for a while ─▶ commit, if it is due ─▶ let others in ─▶ turn …
 *
 * A task that fails is closed and begins again from the last commit, after a pause. Under exactly-once
 * the transaction is aborted with it, which is that of all tasks: those that have done something since
 * the last commit begin again, too. Who is no more in the group lets go of everything.
 */
import { isTooLate } from "../../client/consumer/auto-commit.ts";
import type { Consumer, PartitionPosition } from "../../client/consumer.ts";
import {
  isAuthorizationError,
  isGoneError,
  isRetriableError,
  KafkaError,
  TimeoutError,
} from "../../client/errors.ts";
import type { ClientIo } from "../../client/options.ts";
import { asError } from "../../core/as-error.ts";
import { Backoff } from "../../core/backoff.ts";
import { Errors } from "../../core/errors.ts";
import { DiskError, sleep, type Timer } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { Mutex } from "../../core/mutex.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { TaskId } from "../assignor/index.ts";
import { CorruptStoreError } from "../stores/log-structured/run-format.ts";
import { type FailureKind, ProcessingError } from "../task/running-nodes.ts";
import type { GroupMembership, TaskHolder } from "./group-membership.ts";
import { idleMs, processTurn } from "./process-turn.ts";
import { ProducerSlot } from "./producer-slot.ts";
import type { StreamsConfig } from "./streams-config.ts";
import type { StreamsProducer } from "./streams-producer.ts";
import type { TaskEvents, TaskTable } from "./task-table.ts";
import { placeOf } from "./task-world.ts";

/** What a member works with. */
export interface MemberParts {
  readonly io: ClientIo;
  readonly consumer: Consumer;
  readonly config: StreamsConfig;
  readonly logger: Logger;
  readonly exclusively: Mutex;
  /** A producer that fences the one before it. */
  makeProducer(): StreamsProducer;
  table(events: TaskEvents): TaskTable;
  group(holder: TaskHolder): GroupMembership;
  /** Hears of what was committed. */
  onCommit(positions: readonly PartitionPosition[]): void;
  /** It can do no more; it is still to be closed. */
  onFatal(error: Error): void;
}

/** While nothing may be processed it is looked so often whether that is over. */
const PAUSE_LOOK_MS = 500;
/** Who is to end waits no longer for brokers that do not take what was done. */
const LAST_COMMIT_MS = 15_000;
/** What cannot be read is told of so often at the most. */
const TELL_UNREAD_EVERY_MS = 10_000;
const FIRST_PAUSE_MS = 500;
const PAUSE_MAX_MS = 30_000;

const FENCING: ReadonlySet<number> = new Set([
  Errors.PRODUCER_FENCED,
  Errors.INVALID_PRODUCER_EPOCH,
  Errors.INVALID_PRODUCER_ID_MAPPING,
  Errors.INVALID_TXN_STATE,
]);

/** See the head of the file. */
export class StreamsMember implements TaskHolder, TaskEvents {
  readonly table: TaskTable;
  readonly group: GroupMembership;
  readonly #parts: MemberParts;
  readonly #producer: ProducerSlot;
  readonly #stopping = new AbortController();
  #ended: Promise<unknown> = Promise.resolve();
  #lastCommitMs = 0;
  #isCommitWanted = false;
  /** Nothing is processed before this time: what failed is tried again later. */
  #tellUnreadAtMs = 0;
  #pausedUntilMs = 0;
  readonly #commitPauses: Backoff;
  /** By task that failed since it was committed last. */
  readonly #failures = new Map<TaskId, Backoff>();
  #wake: (() => void) | null = null;
  /** Why all members are to end. */
  #endingWith: Error | null = null;
  /** It was told that the group is out of reach. */
  #isOutageTold = false;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.table = parts.table(this);
    this.group = parts.group(this);
    this.#commitPauses = this.#pauses();
    const { io, logger, makeProducer } = parts;
    this.#producer = new ProducerSlot(io, logger, makeProducer, this.#stopping.signal);
  }

  /** Begins, after `prepare`, which has the producer. Throws where the cluster does not let it. */
  async start(prepare: () => Promise<void>): Promise<void> {
    await this.#producer.renew();
    await prepare();
    this.#lastCommitMs = this.#nowMs;
    this.#ended = Promise.all([this.#run(), this.#pump()]);
    this.group.start();
  }

  /** Commits, leaves the group and ends. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#stir();
    const { io: { clock }, logger } = this.#parts;
    const late = clock.setTimer(LAST_COMMIT_MS, () => {
      logger.warn("what was done last is not committed: it is done again the next time");
      this.#producer.giveUp();
    });
    await this.#parts.exclusively.run(async () => {
      try {
        if (this.#producer.isThere) await this.#commit();
      } catch (error) {
        // It is restored from its changelogs; others are to have the tasks at once all the same.
        logger.warn("the last state is not kept here", {
          error: asError(error).message,
        });
      }
      this.table.close([...this.table.active(), ...this.table.standby()]);
    });
    late.cancel();
    await this.group.stop();
    await this.#parts.consumer.close();
    await this.#ended;
    await this.#producer.close();
  }

  /** Records since the start. */
  processed = 0;

  get sent(): number {
    return this.#producer.sent;
  }

  /** Where tasks write: that of the producer that there is now. */
  get producer(): StreamsProducer {
    return this.#producer.current;
  }

  /** A task wants to be committed soon. */
  requestCommit(): void {
    this.#isCommitWanted = true;
  }

  // What follows is asked by the group.

  active(): readonly TaskId[] {
    return this.table.active();
  }

  standby(): readonly TaskId[] {
    return this.table.standby();
  }

  positions(): ReadonlyMap<TaskId, bigint> {
    return this.table.positions();
  }

  async beforeJoin(): Promise<void> {
    await this.#parts.exclusively.run(() => this.#commit());
  }

  async revoke(active: readonly TaskId[]): Promise<void> {
    await this.#parts.exclusively.run(async () => {
      await this.#commit();
      this.table.close(active);
      for (const id of active) this.#failures.delete(id);
    });
    this.#parts.logger.info("tasks given up", { tasks: active.join(",") });
  }

  async take(active: readonly TaskId[], standby: readonly TaskId[]): Promise<void> {
    this.recovered();
    await this.#parts.exclusively.run(async () => {
      await this.#closeOutdated();
      const [haveActive, haveStandby] = [new Set(this.active()), new Set(this.standby())];
      const taken = active.filter((id) => !haveActive.has(id));
      this.table.close([...haveStandby].filter((id) => {
        return !standby.includes(id) && !active.includes(id);
      }));
      this.table.open(taken);
      this.table.standBy(standby.filter((id) => !haveStandby.has(id)));
      const tasks = { active: active.join(","), standby: standby.join(",") };
      this.#parts.logger.info("tasks assigned", { ...tasks, taken: taken.join(",") });
    });
    this.#stir();
  }

  /** Tasks that read other topics or partitions by now are to be opened anew. */
  async #closeOutdated(): Promise<void> {
    if (this.table.outdated().length === 0) return;
    await this.#commit();
    this.table.close(this.table.outdated());
  }

  /**
   * What waits for brokers that do not answer would have all that follows wait, and be written when they
   * do, into changelogs that others go on with by then.
   */
  sessionOver(): void {
    // Else the group has said that it goes on without this member.
    if (!this.group.isInSession) this.#tellOutage("nothing was heard from it for the session");
    this.#producer.giveUp();
    this.#stir();
  }

  async lose(): Promise<void> {
    this.sessionOver();
    await this.#parts.exclusively.run(async () => {
      this.#parts.logger.warn("the group has gone on without this member: its tasks are others'");
      this.table.close([...this.active(), ...this.standby()]);
      if (!this.#stopping.signal.aborted) await this.#producer.renew();
    });
  }

  failed(error: Error, isFatal: boolean): void {
    if (isFatal) this.#parts.onFatal(this.#endingWith ?? error);
    else this.#tellOutage(error.message);
  }

  #tellOutage(error: string): void {
    if (this.#isOutageTold) return;
    this.#isOutageTold = true;
    this.#parts.logger.warn("the group is not to be reached", { error });
  }

  recovered(): void {
    if (!this.#isOutageTold) return;
    this.#isOutageTold = false;
    this.#parts.logger.info("the group is reached again");
  }

  // What follows is told by the tasks that are opened.

  opened(): void {
    this.#stir();
  }

  async notOpened(id: TaskId, error: Error): Promise<void> {
    // Somebody has to put it right first: another time it would be the same. A damaged store begins anew.
    if (error instanceof OperatorError && !(error instanceof CorruptStoreError)) this.#end(error);
    else await this.#taskFailed(id, error);
  }

  // What follows is its own.

  get #nowMs(): number {
    return this.#parts.io.clock.monotonicMs();
  }

  #pauses(): Backoff {
    return new Backoff(this.#parts.io.random, FIRST_PAUSE_MS, PAUSE_MAX_MS);
  }

  #stir(): void {
    this.#wake?.();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const waitMs = await this.#parts.exclusively.run(() => this.#turn());
        if (waitMs > 0) await this.#rest(waitMs);
        else await sleep(this.#parts.io.clock, 0);
      } catch (error) {
        if (signal.aborted) return;
        this.#parts.onFatal(inWords(asError(error), this.#parts.config));
        return;
      }
    }
  }

  /** Until the time is over or something has come. */
  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#wake = null;
        timer.cancel();
        resolve();
      };
      const timer: Timer = this.#parts.io.clock.setTimer(ms, done);
      this.#wake = done;
      if (this.#stopping.signal.aborted) done();
    });
  }

  async #pump(): Promise<void> {
    const { consumer, logger, onFatal } = this.#parts;
    for (;;) {
      try {
        const chunk = await consumer.nextChunk();
        if (chunk === null) return;
        const reader = this.table.readerOf(chunk.topic, chunk.partition);
        reader?.feedOf(chunk.topic)?.add(chunk);
        this.#stir();
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        if (isGoneError(error)) {
          this.table.goOn(error).catch((why: unknown) => onFatal(asError(why)));
          continue;
        }
        if (!isRetriableError(error) && !(error instanceof TimeoutError)) {
          return onFatal(asError(error));
        }
        // One for each partition would be a flood.
        if (this.#nowMs < this.#tellUnreadAtMs) continue;
        this.#tellUnreadAtMs = this.#nowMs + TELL_UNREAD_EVERY_MS;
        logger.warn("nothing can be read now", { error: asError(error).message });
      }
    }
  }

  /** Milliseconds until there may be something to do. */
  async #turn(): Promise<number> {
    if (this.#stopping.signal.aborted) return 0;
    if (this.#producer.isGivenUp) await this.#beginAgain();
    const pauseMs = this.#pausedUntilMs - this.#nowMs;
    if (pauseMs > 0) return Math.min(pauseMs, PAUSE_LOOK_MS);
    // While others may have the tasks. The group tells soon whether they have.
    if (!this.group.isInSession) return PAUSE_LOOK_MS;
    if (!await this.#drain()) return 0;
    const isBusy = this.#mayProcess() && await this.#process();
    if ((this.#isCommitWanted || this.#commitMs <= 0) && this.#mayCommit()) await this.#commit();
    return isBusy ? 0 : idleMs(this.table.running, this.#parts.io.clock, this.#commitMs);
  }

  /** What was written and found no room yet is under way. False: it went wrong, which is dealt with. */
  async #drain(): Promise<boolean> {
    const { output } = this.producer;
    try {
      output.throwFailure();
      if (output.isFull) await output.drain();
      return true;
    } catch (error) {
      await this.#rollBack(asError(error));
      return false;
    }
  }

  /** A transaction that stays open too long, since nothing can be committed, is not made longer. */
  #mayProcess(): boolean {
    const { isExactlyOnce, transactionTimeoutMs } = this.#parts.config;
    return !isExactlyOnce || this.producer.openForMs < transactionTimeoutMs / 2;
  }

  #mayCommit(): boolean {
    return !this.group.isJoining || !this.#mayProcess();
  }

  /** Milliseconds until the next commit. */
  get #commitMs(): number {
    return this.#lastCommitMs + this.#parts.config.commitIntervalMs - this.#nowMs;
  }

  /** Whether there may be more to process at once. */
  async #process(): Promise<boolean> {
    const turn = processTurn(this.table.running, this.producer, this.#parts.io.clock);
    this.processed += turn.records;
    this.#isCommitWanted ||= turn.isCommitWanted;
    if (turn.failure !== null) {
      await this.#taskFailed(turn.failure.id, asError(turn.failure.error));
    }
    return turn.isBusy;
  }

  /** Commits what tasks have done; what goes wrong is dealt with. */
  async #commit(): Promise<void> {
    if (this.#producer.isGivenUp) return await this.#beginAgain();
    this.#isCommitWanted = false;
    this.#lastCommitMs = this.#nowMs;
    const dirty = this.table.running.filter(({ isDirty }) => isDirty);
    if (dirty.length === 0) return this.table.takeSnapshots();
    for (const active of dirty) {
      try {
        active.task.flush();
      } catch (error) {
        return await this.#taskFailed(active.id, asError(error));
      }
    }
    const offsets = dirty.flatMap((active) => active.uncommitted());
    const { applicationId: groupId } = this.#parts.config;
    try {
      await this.producer.commit(offsets, { groupId, member: this.group.member });
    } catch (error) {
      return await this.#commitFailed(asError(error));
    }
    this.#commitPauses.reset();
    const { output } = this.producer;
    const damaged: [TaskId, CorruptStoreError][] = [];
    for (const active of dirty) {
      active.committed(offsets);
      try {
        active.stores.commit((topic, partition) => output.endOf(topic, partition));
        this.#failures.delete(active.id);
      } catch (error) {
        if (!(error instanceof CorruptStoreError)) throw error;
        damaged.push([active.id, error]);
      }
    }
    // Changelogs have all of it.
    for (const [id, error] of damaged) await this.#taskFailed(id, error);
    this.table.takeSnapshots();
    this.#parts.onCommit(offsets);
    this.#lastCommitMs = this.#nowMs;
  }

  /** After the end of a session: from what was committed, unless the group says that others have the tasks. */
  async #beginAgain(): Promise<void> {
    const ids = this.table.running.map(({ id }) => id);
    this.table.close(ids);
    if (this.#stopping.signal.aborted) return;
    await this.#producer.renew();
    this.table.open(ids);
  }

  async #commitFailed(error: Error): Promise<void> {
    if (this.#producer.isGivenUp) return await this.#beginAgain();
    const { isExactlyOnce } = this.#parts.config;
    let hasLost = isExactlyOnce;
    try {
      this.producer.output.throwFailure();
    } catch {
      hasLost = true;
    }
    if (hasLost) return await this.#rollBack(error);
    const isPassing = isTooLate(error) || isRetriableError(error) || error instanceof TimeoutError;
    if (!isPassing) return this.#parts.onFatal(error);
    // All that was written is safe; the offsets come with the next commit, or are others' business.
    this.#parts.logger.warn("offsets are not committed now", { error: error.message });
    this.#pausedUntilMs = this.#nowMs + this.#commitPauses.nextMs();
  }

  /** Tasks that have done something since the last commit do it again. */
  async #rollBack(error: Error): Promise<void> {
    if (this.#producer.isGivenUp) return await this.#beginAgain();
    const { config, logger } = this.#parts;
    const ids = this.table.running.filter(({ isDirty }) => isDirty).map(({ id }) => id);
    const isPassing = isTooLate(error) || isRetriableError(error) || isFencing(error) ||
      error instanceof TimeoutError;
    // What is not allowed an operator has to allow, who hears of it by the application's end.
    const isLast = isAuthorizationError(error) ||
      this.#commitPauses.attempts >= config.taskRestartsMax;
    if (!isPassing && isLast) {
      return this.#parts.onFatal(error);
    }
    logger.warn("what was done since the last commit is done again", {
      error: error.message,
      tasks: ids.join(","),
    });
    this.table.close(ids);
    this.#pausedUntilMs = this.#nowMs + this.#commitPauses.nextMs();
    await this.#producer.abort();
    if (!this.#stopping.signal.aborted) this.table.open(ids);
  }

  async #taskFailed(id: TaskId, error: Error): Promise<void> {
    const { config, logger } = this.#parts;
    const { isExactlyOnce, onTaskFailure, taskRestartsMax } = config;
    const pauses = this.#failures.get(id) ?? this.#pauses();
    this.#failures.set(id, pauses);
    const cause = error instanceof ProcessingError ? error.cause : error;
    const place = error instanceof ProcessingError
      ? { node: error.node, ...placeOf(error.origin) }
      : {};
    const kind = error instanceof ProcessingError ? error.kind : "processing";
    const isLast = onTaskFailure !== "replace" || pauses.attempts >= taskRestartsMax;
    const others = this.table.running
      .filter((active) => isExactlyOnce && active.isDirty && active.id !== id)
      .map((active) => active.id);
    this.table.close([id, ...others]);
    if (isExactlyOnce) await this.#producer.abort();
    else await this.#settle();
    if (isLast) {
      const isDisk = cause instanceof DiskError;
      return this.#end(
        isDisk ? inWords(cause, config) : lastFailure(id, place, kind, asError(cause)),
      );
    }
    const pauseMs = pauses.nextMs();
    logger.error("a task has failed and begins again", {
      ...{ task: id, ...place, error: asError(cause).message, pauseMs },
      attempt: pauses.attempts,
    });
    logger.debug("where the task has failed", { task: id, stack: asError(cause).stack ?? "" });
    if (this.#stopping.signal.aborted) return;
    this.table.open([id], pauseMs);
    this.table.open(others);
  }

  /** Ends, with all members where that is set, which the leader of the group tells them. */
  #end(error: Error): void {
    const { config, io, onFatal } = this.#parts;
    if (config.onTaskFailure !== "shutdown-application") return onFatal(error);
    if (this.#endingWith !== null) return;
    this.#endingWith = error;
    this.group.shutDownAll();
    // The group may be out of reach.
    io.clock.setTimer(config.sessionTimeoutMs, () => onFatal(error));
  }

  /** What a task has written before it failed is in its changelogs before they are read. */
  async #settle(): Promise<void> {
    try {
      await this.producer.output.settle();
    } catch (error) {
      await this.#rollBack(asError(error));
    }
  }
}

/** Another producer has this one's name by now, or the coordinator has given it up. */
function isFencing(error: Error): boolean {
  return error instanceof KafkaError && FENCING.has(error.code);
}

/** What the disk refuses is for whoever runs the application to see to. */
function inWords(error: Error, { stateDir }: StreamsConfig): Error {
  if (!(error instanceof DiskError)) return error;
  const whatToDo = "make room there, or set state.dir to a folder that can be written";
  return new OperatorError(`state cannot be kept in ${stateDir}`, error.message, whatToDo);
}

function lastFailure(
  id: TaskId,
  { node, topic, partition, offset }: Readonly<Record<string, string | number | bigint>>,
  kind: FailureKind,
  cause: Error,
): OperatorError {
  const at = topic === undefined ? "" : ` at ${topic}-${partition} offset ${offset}`;
  return new OperatorError(
    `task ${id} fails${node === undefined ? "" : ` in step "${node}"`}${at}`,
    cause.message,
    `mend it, or leave such records out with --set ${kind}.exception.handler=continue (or dlq)`,
  );
}
