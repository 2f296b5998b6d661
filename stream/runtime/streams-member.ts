/**
 * A member of an application at work: it reads for its tasks, has them process, and commits. One thing at
 * a time: a turn of processing, a commit, or a change of what tasks there are.
 *
 *     turn: process for a while ─▶ commit, if it is due ─▶ let others in ─▶ turn …
 *
 * What fails is begun again from the last commit (`Commits`). Who is no more in the group lets go of
 * everything.
 */
import type { Consumer, PartitionPosition } from "../../client/consumer.ts";
import { isGoneError, isRetriableError, TimeoutError } from "../../client/errors.ts";
import type { ClientIo } from "../../client/options.ts";
import { asError } from "../../core/as-error.ts";
import { sleep, type Timer } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { Mutex } from "../../core/mutex.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { TaskId } from "../assignor/index.ts";
import { CorruptStoreError } from "../stores/log-structured/run-format.ts";
import { Commits } from "./commits.ts";
import type { GroupMembership, TaskHolder } from "./group-membership.ts";
import { idleMs, processTurn } from "./process-turn.ts";
import { ProducerSlot } from "./producer-slot.ts";
import type { StreamsConfig } from "./streams-config.ts";
import type { StreamsProducer } from "./streams-producer.ts";
import { inWords } from "./task-failures.ts";
import type { TaskEvents, TaskTable } from "./task-table.ts";

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

/** See the head of the file. */
export class StreamsMember implements TaskHolder, TaskEvents {
  readonly table: TaskTable;
  readonly group: GroupMembership;
  readonly #parts: MemberParts;
  readonly #producer: ProducerSlot;
  readonly #commits: Commits;
  readonly #stopping = new AbortController();
  #ended: Promise<unknown> = Promise.resolve();
  #isCommitWanted = false;
  #wake: (() => void) | null = null;
  /** Something has come since the last turn began. */
  #isStirred = false;
  #tellUnreadAtMs = 0;
  /** Why all members are to end. */
  #endingWith: Error | null = null;
  #giveUpLater: Timer | null = null;
  /** It was told that the group is out of reach. */
  #isOutageTold = false;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.table = parts.table(this);
    this.group = parts.group(this);
    const { io, config, logger, makeProducer, onCommit } = parts;
    const stopping = this.#stopping.signal;
    this.#producer = new ProducerSlot(io, logger, makeProducer, stopping);
    this.#commits = new Commits({
      ...{ io, config, logger, table: this.table, producer: this.#producer, stopping },
      member: () => this.group.member,
      onCommit: (positions) => onCommit(positions),
      onLastFailure: (error) => this.#end(error),
      onFatal: (error) => this.#fatal(error),
    });
  }

  /** Begins, after `prepare`, which has the producer. Throws where the cluster does not let it. */
  async start(prepare: () => Promise<void>): Promise<void> {
    await this.#producer.renew();
    if (this.#stopping.signal.aborted) return;
    await prepare();
    this.#ended = Promise.all([this.#run(), this.#pump()]);
    this.group.start();
  }

  /** Commits, leaves the group and ends. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#giveUpLater?.cancel();
    this.#stir();
    const { io: { clock }, logger } = this.#parts;
    const late = clock.setTimer(LAST_COMMIT_MS, () => {
      logger.warn("what was done last is not committed: it is done again the next time");
      this.#producer.giveUp();
    });
    await this.#parts.exclusively.run(async () => {
      try {
        if (this.#producer.isThere) await this.#commits.commit();
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
    await this.#parts.exclusively.run(() => this.#commits.commit());
  }

  async revoke(active: readonly TaskId[]): Promise<void> {
    await this.#parts.exclusively.run(async () => {
      await this.#commits.commit();
      this.table.close(active);
      this.#commits.forget(active);
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
    await this.#commits.commit();
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
    if (isFatal) this.#fatal(this.#endingWith ?? error);
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
    // A store that is damaged begins with nothing the next time.
    const isForOperator = error instanceof OperatorError && !(error instanceof CorruptStoreError);
    try {
      // Somebody has to put it right first: another time it would be the same.
      if (isForOperator) this.#end(error);
      else await this.#commits.taskFailed(id, error);
    } catch (why) {
      this.#fatal(asError(why));
    }
  }

  // What follows is its own.

  #fatal(error: Error): void {
    this.#parts.onFatal(inWords(error, this.#parts.config));
  }

  /** There may be something to do. */
  #stir(): void {
    this.#isStirred = true;
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
        return this.#fatal(asError(error));
      }
    }
  }

  /** Until the time is over or something has come, which it may have during the turn before. */
  #rest(ms: number): Promise<void> {
    if (this.#isStirred) return sleep(this.#parts.io.clock, 0);
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
    const { consumer, logger, io: { clock } } = this.#parts;
    for (;;) {
      try {
        const chunk = await consumer.nextChunk();
        if (chunk === null) return;
        this.table.readerOf(chunk.topic, chunk.partition)?.arrived(chunk);
        this.#stir();
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        if (isGoneError(error)) {
          this.table.goOn(error).catch((why: unknown) => this.#fatal(asError(why)));
          continue;
        }
        if (!isRetriableError(error) && !(error instanceof TimeoutError)) {
          return this.#fatal(asError(error));
        }
        // One for each partition would be a flood.
        if (clock.monotonicMs() < this.#tellUnreadAtMs) continue;
        this.#tellUnreadAtMs = clock.monotonicMs() + TELL_UNREAD_EVERY_MS;
        logger.warn("nothing can be read now", { error: asError(error).message });
      }
    }
  }

  /** Milliseconds until there may be something to do. */
  async #turn(): Promise<number> {
    if (this.#stopping.signal.aborted) return 0;
    this.#isStirred = false;
    if (this.#producer.isGivenUp) await this.#commits.beginAgain();
    const pauseMs = this.#commits.pauseLeftMs;
    if (pauseMs > 0) return Math.min(pauseMs, PAUSE_LOOK_MS);
    // While others may have the tasks. The group tells soon whether they have.
    if (!this.group.isInSession) return PAUSE_LOOK_MS;
    if (!await this.#drain()) return 0;
    const isBusy = this.#mayProcess() && await this.#process();
    const { running } = this.table;
    if ((this.#isCommitWanted || this.#commits.dueInMs <= 0) && this.#mayCommit()) {
      this.#isCommitWanted = false;
      await this.#commits.commit();
    }
    if (isBusy) return 0;
    return idleMs(running, this.#parts.io.clock, this.#mayCommit() ? this.#commits.dueInMs : null);
  }

  /** What was written and found no room yet is under way. False: it went wrong, which is dealt with. */
  async #drain(): Promise<boolean> {
    const { output } = this.producer;
    try {
      output.throwFailure();
      if (output.isFull) await output.drain();
      return true;
    } catch (error) {
      await this.#commits.rollBack(asError(error));
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

  /** Whether there may be more to process at once. */
  async #process(): Promise<boolean> {
    const turn = processTurn(this.table.running, this.producer, this.#parts.io.clock);
    this.processed += turn.records;
    this.#isCommitWanted ||= turn.isCommitWanted;
    if (turn.failure !== null) {
      await this.#commits.taskFailed(turn.failure.id, asError(turn.failure.error));
    }
    return turn.isBusy;
  }

  /** Ends, with all members where that is set, which the leader of the group tells them. */
  #end(error: Error): void {
    const { config, io } = this.#parts;
    if (config.onTaskFailure !== "shutdown-application") return this.#fatal(error);
    if (this.#endingWith !== null) return;
    this.#endingWith = error;
    this.group.shutDownAll();
    // The group may be out of reach.
    this.#giveUpLater = io.clock.setTimer(config.sessionTimeoutMs, () => this.#fatal(error));
  }
}
