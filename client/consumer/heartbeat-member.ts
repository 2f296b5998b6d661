/**
 * A member of a group whose broker assigns (KIP-848 and those after it): one heartbeat says and hears
 * everything. What is assigned is got to beside the heartbeats, one step at a time; what it is, its role
 * knows: partitions of a consumer (`modern-membership.ts`), tasks of a stream application
 * (`stream/runtime/streams-group-role.ts`).
 */
import { asError } from "../../core/as-error.ts";
import type { Connection } from "../../core/connection.ts";
import { type Deferred, deferred } from "../../core/deferred.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import type { Cluster } from "../cluster.ts";
import { ConnectionError, KafkaError } from "../errors.ts";
import { memberIdOf } from "./member-id.ts";
import { isPassing, Patience, withDeadline } from "./membership.ts";
import { Session } from "./session.ts";

export const JOINING_EPOCH = 0;
const LEAVING_EPOCH = -1;
const LEAVE_TIMEOUT_MS = 3000;

/** How the group knows a member. */
export interface MemberIdentity {
  readonly groupId: string;
  readonly memberId: string;
  readonly memberEpoch: number;
}

/** What a heartbeat was answered with, besides what is its role's. */
export interface HeartbeatAnswer {
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
}

export interface HeartbeatOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What a member says, and does with what it hears. `reconcile` runs beside heartbeats, nothing else does. */
export interface HeartbeatRole {
  /** Throws where the broker does not serve such groups. */
  requireServed(connection: Connection): void;
  /**
   * One heartbeat; `everything`: what the broker knows is uncertain. Throws what it was refused with,
   * `FencedError` where the group has gone on without this member, another error to end it.
   */
  beat(
    connection: Connection,
    identity: MemberIdentity,
    everything: boolean,
    options: HeartbeatOptions,
  ): Promise<HeartbeatAnswer>;
  /** There is something to get to. */
  readonly isBehind: boolean;
  /**
   * Gives up what is to go and takes what has come; the next heartbeat says so. `isCurrent`: asked after
   * each wait, whether this is still of use. The signal is that of the session.
   */
  reconcile(isCurrent: () => boolean, session: AbortSignal): Promise<void>;
  /** The session is over, or `lose` is to follow: called at once, also while `reconcile` runs. */
  sessionOver?(): void;
  /** Others may have all by now. */
  lose(): Promise<void>;
  /** The last heartbeat, which leaves the group. */
  leave(connection: Connection, identity: MemberIdentity, timeoutMs: number): Promise<void>;
  /** Trouble that lasts; the member goes on trying unless it is `isFatal`. */
  failed(error: Error, isFatal: boolean): void;
  /** What was told of as trouble is over. */
  recovered?(): void;
}

export interface HeartbeatMemberOptions {
  /** After it, without an answer, what the member has is lost. */
  readonly sessionTimeoutMs: number;
  /** Until the broker has said how often it wants to hear. */
  readonly firstIntervalMs: number;
  /** Trouble that lasts so long is told of; default: as long as an operation may take. */
  readonly tellAfterMs?: number;
}

/** The group has gone on without this member, which has to join again. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}

/** See the head of the file. */
export class HeartbeatMember {
  readonly memberId: string;
  #epoch = JOINING_EPOCH;
  #intervalMs: number;
  /** The broker knows what it was told. */
  #hasSaidAll = false;
  /** It was told something, whether or not its answer has come: the member is to leave. */
  #mayHaveJoined = false;
  #reconciling: Promise<void> | null = null;
  #reconcileAfterMs = 0;
  /** Counts joins, so that what belongs to an earlier one stops. */
  #joins = 0;
  readonly #session: Session;
  #wake = new AbortController();
  #nextBeat: Deferred<void> = deferred();
  #running: Promise<void> | null = null;
  readonly #patience: Patience;
  readonly #reconcilePatience: Patience;
  readonly #stop = new AbortController();

  constructor(
    readonly cluster: Cluster,
    readonly groupId: string,
    readonly options: HeartbeatMemberOptions,
    readonly role: HeartbeatRole,
  ) {
    this.memberId = memberIdOf(cluster.io.random);
    this.#patience = new Patience(cluster, options.tellAfterMs);
    this.#reconcilePatience = new Patience(cluster);
    this.#intervalMs = options.firstIntervalMs;
    const { sessionTimeoutMs } = options;
    this.#session = new Session(cluster.io.clock, sessionTimeoutMs, () => role.sessionOver?.());
  }

  get session(): Session {
    return this.#session;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Is aborted when the member is to end. */
  get stopping(): AbortSignal {
    return this.#stop.signal;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves once a heartbeat has been answered. */
  get nextBeat(): Promise<void> {
    return this.#nextBeat.promise;
  }

  /** Has the next heartbeat sent at once. */
  beatSoon(): void {
    this.#wake.abort();
  }

  /** Leaves the group. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#reconciling;
    this.#session.end();
    if (!this.#mayHaveJoined) return;
    const timeoutMs = LEAVE_TIMEOUT_MS;
    try {
      const connection = await this.#connection({ timeoutMs });
      await this.role.leave(connection, this.#identity(LEAVING_EPOCH), timeoutMs);
    } catch (error) {
      // The session's end does the same, later.
      if (!(error instanceof ConnectionError || error instanceof KafkaError)) throw error;
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const { attemptMs: timeoutMs } = this.#patience;
        await this.#beat(await this.#inSession(this.#connection({ signal, timeoutMs })));
        if (this.#patience.reset()) this.role.recovered?.();
        this.#reconcile();
        await this.#sleep(this.#intervalMs);
      } catch (error) {
        if (signal.aborted) break;
        this.#hasSaidAll = false;
        const isFenced = error instanceof FencedError;
        if (isFenced && this.#epoch !== JOINING_EPOCH) await this.#beginAnew();
        else if (isFenced || mayPass(error)) await this.#pause(asError(error));
        else return this.role.failed(asError(error), true);
      }
    }
  }

  #identity(memberEpoch: number): MemberIdentity {
    return { groupId: this.groupId, memberId: this.memberId, memberEpoch };
  }

  /** Sleeps until something is to be said. */
  async #sleep(delayMs: number): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, this.#wake.signal]);
    await sleep(this.cluster.io.clock, delayMs, signal).catch(() => {});
    if (this.#wake.signal.aborted) this.#wake = new AbortController();
  }

  async #connection(
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<Connection> {
    const node = await this.cluster.coordinator("group", this.groupId, options);
    const connection = await this.cluster.connect(node, "coordinator");
    this.role.requireServed(connection);
    return connection;
  }

  async #pause(error: Error): Promise<void> {
    this.cluster.forgetCoordinator("group", this.groupId);
    const pauseMs = this.#patience.failed();
    if (this.#patience.isExhausted) this.role.failed(error, false);
    // At the end of the session the rest of the group takes over.
    if (this.#epoch > 0 && this.#session.leftMs <= pauseMs) await this.#beginAnew();
    await sleep(this.cluster.io.clock, pauseMs, this.#stop.signal).catch(() => {});
  }

  /** No longer than the session lasts, where there is something to lose. */
  async #inSession<T>(work: Promise<T>): Promise<T> {
    const leftMs = this.#epoch <= 0 ? Infinity : this.#session.leftMs;
    return await withDeadline(this.cluster.io.clock, work, leftMs, this.#stop.signal, () => {
      return new FencedError("the session has ended");
    });
  }

  /** Everything is lost; the next heartbeat joins. */
  async #beginAnew(): Promise<void> {
    this.#joins++;
    this.#epoch = JOINING_EPOCH;
    this.#mayHaveJoined = false;
    this.#hasSaidAll = false;
    this.#session.end();
    this.role.sessionOver?.();
    await this.#reconciling;
    try {
      await this.role.lose();
    } catch (error) {
      this.role.failed(asError(error), true);
      this.#stop.abort();
    }
  }

  async #beat(connection: Connection): Promise<void> {
    const { requestTimeoutMs } = this.cluster.options;
    const sentMs = this.cluster.io.clock.monotonicMs();
    const timeoutMs = this.#epoch > 0
      ? Math.max(1, Math.min(requestTimeoutMs, this.#session.leftMs))
      : requestTimeoutMs;
    const identity = this.#identity(this.#epoch);
    const options = { timeoutMs, signal: this.#stop.signal };
    this.#mayHaveJoined = true;
    const beating = this.role.beat(connection, identity, !this.#hasSaidAll, options);
    const answer = await this.#patience.hearing(beating, (error) => {
      this.role.failed(error, false);
    });
    this.#session.heard(sentMs);
    this.#epoch = answer.memberEpoch;
    this.#intervalMs = answer.heartbeatIntervalMs;
    this.#hasSaidAll = true;
    this.#nextBeat.resolve();
    this.#nextBeat = deferred();
  }

  /** Gets to what is assigned in the background, one step at a time. */
  #reconcile(): void {
    const nowMs = this.cluster.io.clock.monotonicMs();
    if (!this.role.isBehind || this.#reconciling !== null || nowMs < this.#reconcileAfterMs) return;
    const joins = this.#joins;
    const isCurrent = () =>
      joins === this.#joins && !this.#stop.signal.aborted && this.#session.leftMs > 0;
    this.#reconciling = this.role.reconcile(isCurrent, this.#session.signal).then(
      () => void this.#reconcilePatience.reset(),
      (error: unknown) => this.#notReconciled(asError(error), isCurrent()),
    ).finally(() => {
      this.#reconciling = null;
      this.#wake.abort();
    });
  }

  #notReconciled(error: Error, isCurrent: boolean): void {
    if (!isCurrent) return;
    if (!mayPass(error)) {
      this.#stop.abort();
      return this.role.failed(error, true);
    }
    this.#reconcileAfterMs = this.cluster.io.clock.monotonicMs() + this.#reconcilePatience.failed();
    if (this.#reconcilePatience.isExhausted) this.role.failed(error, false);
  }
}

function mayPass(error: unknown): boolean {
  return isPassing(error) || isUnreleased(error);
}

/** The last process of this static member has not left: it is there until its session ends. */
function isUnreleased(error: unknown): boolean {
  return error instanceof KafkaError && error.code === Errors.UNRELEASED_INSTANCE_ID;
}
