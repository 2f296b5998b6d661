/**
 * A member of a group by the classic protocol (Kafka's `AbstractCoordinator`), whatever the group
 * shares out: it joins, gets an assignment, sends heartbeats, and on a rebalance joins again. What is
 * shared out and how is its role's: partitions (`classic-membership.ts`), connectors and tasks.
 */
import { asError } from "../../core/as-error.ts";
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { joinGroup } from "../../core/protocol/11-join-group.ts";
import { heartbeat } from "../../core/protocol/12-heartbeat.ts";
import { leaveGroup } from "../../core/protocol/13-leave-group.ts";
import { syncGroup } from "../../core/protocol/14-sync-group.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import { nullIfAborted } from "../../core/unless-aborted.ts";
import type { BrokerNode, Cluster } from "../cluster.ts";
import { ConnectionError, KafkaError, throwOnError } from "../errors.ts";
import { isPassing, Patience, withDeadline } from "./membership.ts";
import { Session } from "./session.ts";

/** A join is answered at the end of the rebalance; it is given this much longer. */
const JOIN_SLACK_MS = 5000;
/** How long who is to end waits for the answer to its first join. */
const LAST_ANSWER_MS = 1000;
/** After it others are asked, now and then, whether the coordinator is still there. */
const JOIN_WAIT_MS = 3000;

/** The member must join again; what it has is lost if the group went on without it. */
export class RejoinError extends Error {
  override readonly name = "RejoinError";
  constructor(readonly lost: boolean) {
    super("the group rebalances");
  }
}

export type JoinResponse = ResponseOf<typeof joinGroup>;

/** What a member joins with. */
export interface ClassicMemberOptions {
  readonly protocolType: string;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly groupInstanceId: string | null;
  /** By so much earlier than the group the member takes its session for ended. Default 0. */
  readonly sessionMarginMs?: number;
  /** Trouble that lasts so long is told of; default: as long as an operation may take. */
  readonly tellAfterMs?: number | undefined;
}

/** What a member does in its group. Nothing is called while another call runs, but `hasSomething`. */
export interface ClassicRole {
  /** Whether there is something that others get when the session ends. */
  hasSomething(): boolean;
  /** Before a join, with the member's heartbeats going on: what has to be given up for it. */
  beforeJoin(): Promise<void>;
  /** Protocols by preference, with what this member says of itself. */
  protocols(): Promise<{ readonly name: string; readonly metadata: Uint8Array }[]>;
  /** The leader's part: what each member gets. */
  assign(
    response: JoinResponse,
  ): Promise<{ readonly memberId: string; readonly assignment: Uint8Array }[]>;
  /**
   * Takes up what was assigned and gives up the rest; heartbeats go on meanwhile. True: the group has
   * to join once more. May throw `RejoinError`.
   */
  settle(assignment: Uint8Array): Promise<boolean>;
  /** After each heartbeat: throws `RejoinError` where there is reason to join again. */
  check(): Promise<void>;
  /** The group has gone on without this member, or may have. */
  lose(): Promise<void>;
  /** Trouble that lasts; the member goes on trying unless it is `fatal`. */
  failed(error: Error, fatal: boolean): void;
  /** What was told of as trouble is over. */
  recovered?(): void;
  /** A rebalance has its generation. */
  joined?(): void;
  /** The session is over: called at once, also while another call runs, before `lose` or another session. */
  sessionOver?(): void;
}

/** See the head of the file. */
export class ClassicMember {
  #memberId = "";
  #generation = -1;
  #running: Promise<void> | null = null;
  #rejoin = new AbortController();
  readonly #session: Session;
  readonly #patience: Patience;
  readonly #stop = new AbortController();
  /**
   * Follows `#stop` a little later. With the answer to its first join a member hears its id (KIP-394).
   * Rebalances wait for whoever has one and does not join, until its session ends; so who is to end
   * waits a little for that answer, to leave under the id.
   */
  readonly #late = new AbortController();

  constructor(
    readonly cluster: Cluster,
    readonly groupId: string,
    readonly options: ClassicMemberOptions,
    readonly role: ClassicRole,
  ) {
    const { sessionTimeoutMs, sessionMarginMs = 0, tellAfterMs } = options;
    this.#patience = new Patience(cluster, tellAfterMs);
    const timeoutMs = sessionTimeoutMs - sessionMarginMs;
    this.#session = new Session(cluster.io.clock, timeoutMs, () => role.sessionOver?.());
  }

  get memberId(): string {
    return this.#memberId;
  }

  get generation(): number {
    return this.#generation;
  }

  get session(): Session {
    return this.#session;
  }

  /** Is aborted when the member is to end. */
  get stopping(): AbortSignal {
    return this.#stop.signal;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Joins again as soon as it can. A leader has the whole group rebalance so. */
  rejoin(): void {
    this.#rejoin.abort();
  }

  /** Leaves the group; a static member stays in it until its session ends. */
  async stop(): Promise<void> {
    this.#stop.abort();
    const late = this.cluster.io.clock.setTimer(LAST_ANSWER_MS, () => this.#late.abort());
    await this.#running;
    late.cancel();
    this.#session.end();
    if (this.#memberId === "" || this.options.groupInstanceId !== null) return;
    const memberId = this.#memberId;
    this.#memberId = "";
    try {
      const { heartbeatIntervalMs: timeoutMs } = this.options;
      const node = await this.cluster.coordinator("group", this.groupId, { timeoutMs });
      // On the coordinator's own connection it might wait behind a join.
      const connection = await this.cluster.connect(node, "main");
      await connection.request(
        leaveGroup,
        (connection.versionOf(leaveGroup) ?? 0) >= 3
          ? { groupId: this.groupId, members: [{ memberId }] }
          : { groupId: this.groupId, memberId },
        { timeoutMs },
      );
    } catch (error) {
      // The session's end does the same, later.
      if (!(error instanceof ConnectionError || error instanceof KafkaError)) throw error;
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#round();
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof RejoinError) {
          if (error.lost) await this.#guarded(() => this.#lose());
          continue;
        }
        if (!isPassing(error)) return this.role.failed(asError(error), true);
        await this.#pause(asError(error));
      }
    }
  }

  /** From one join to the need for the next, which throws. */
  async #round(): Promise<void> {
    const connection = await this.#inSession(this.#coordinator());
    await this.#beatDuring(connection, this.role.beforeJoin());
    this.#rejoin = new AbortController();
    const assignment = await this.#stayingAlive(connection, this.#join(connection));
    this.role.joined?.();
    let joinsAgain = false;
    const settling = this.role.settle(assignment).then((again) => {
      joinsAgain = again;
    });
    await this.#beatDuring(connection, settling);
    // What was given up can go to its new owner once this member has joined again.
    if (joinsAgain) throw new RejoinError(false);
    await this.#remain(connection);
  }

  /**
   * Sends heartbeats until a rebalance or a failure for good throws. A group does not change by the
   * move of its coordinator, so within its session a member just goes on with the next one.
   */
  async #remain(first: Connection): Promise<never> {
    let connection: Connection | null = first;
    for (;;) {
      try {
        connection ??= await this.#inSession(this.#coordinator());
        return await this.#beat(connection);
      } catch (error) {
        const isOver = this.#stop.signal.aborted || error instanceof RejoinError;
        if (isOver || !isPassing(error)) throw error;
        await this.#pause(asError(error));
        if (this.#generation < 0) throw new RejoinError(false);
        connection = null;
      }
    }
  }

  async #lose(): Promise<void> {
    this.#generation = -1;
    this.#session.end();
    await this.role.lose();
  }

  async #guarded(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.role.failed(asError(error), true);
      this.#stop.abort();
    }
  }

  async #pause(error: Error): Promise<void> {
    this.cluster.forgetCoordinator("group", this.groupId);
    const pauseMs = this.#patience.failed();
    if (this.#patience.isExhausted) this.role.failed(error, false);
    // At the end of the session the rest of the group takes over.
    if (this.#session.leftMs <= pauseMs) await this.#guarded(() => this.#lose());
    await sleep(this.cluster.io.clock, pauseMs, this.#stop.signal).catch(() => {});
  }

  /** No longer than the session lasts, where there is something to lose. */
  async #inSession<T>(work: Promise<T>): Promise<T> {
    const leftMs = this.role.hasSomething() ? this.#session.leftMs : Infinity;
    return await withDeadline(this.cluster.io.clock, work, leftMs, this.#stop.signal, () => {
      return new RejoinError(true);
    });
  }

  #heard(sentMs: number): void {
    this.#session.heard(sentMs);
    if (this.#patience.reset()) this.role.recovered?.();
  }

  async #coordinator(): Promise<Connection> {
    return await this.cluster.connect(await this.#coordinatorNode(), "coordinator");
  }

  #coordinatorNode(): Promise<BrokerNode> {
    const { signal } = this.#stop;
    const { attemptMs: timeoutMs } = this.#patience;
    return this.cluster.coordinator("group", this.groupId, { signal, timeoutMs });
  }

  /** What the requests about this member have in common. */
  #named<R extends object>(request: R) {
    const { groupInstanceId } = this.options;
    return {
      groupId: this.groupId,
      memberId: this.#memberId,
      ...(groupInstanceId === null ? {} : { groupInstanceId }),
      ...request,
    };
  }

  /** Joins and waits for the assignment. */
  async #join(connection: Connection): Promise<Uint8Array> {
    const { sessionTimeoutMs, rebalanceTimeoutMs, protocolType } = this.options;
    const waiting = {
      timeoutMs: rebalanceTimeoutMs + JOIN_SLACK_MS,
      mayWaitMs: JOIN_WAIT_MS,
      signal: this.#stop.signal,
    };
    const protocols = await this.role.protocols();
    waiting.signal.throwIfAborted();
    const getsId = this.#memberId === "" && this.options.groupInstanceId === null;
    const response = await connection.request(
      joinGroup,
      this.#named({ sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols }),
      getsId ? { ...waiting, signal: this.#late.signal } : waiting,
    );
    if (response.errorCode === Errors.MEMBER_ID_REQUIRED) {
      // KIP-394: the id comes first, so that abandoned joins leave nothing behind.
      this.#memberId = response.memberId;
      return await this.#join(connection);
    }
    this.#check(response.errorCode, "join");
    this.#memberId = response.memberId;
    this.#generation = response.generationId;
    const leads = response.leader === response.memberId;
    const assignments = leads ? await this.role.assign(response) : [];
    const answer = await connection.request(
      syncGroup,
      this.#named({
        generationId: this.#generation,
        protocolType,
        protocolName: response.protocolName,
        assignments: response.skipAssignment ? [] : assignments,
      }),
      waiting,
    );
    this.#check(answer.errorCode, "sync with");
    // Who joins a stable group again gets what it has, but its session goes on from before.
    const code = await this.#heartbeat(connection);
    if (code !== Errors.REBALANCE_IN_PROGRESS) this.#check(code, "send a heartbeat to");
    return answer.assignment;
  }

  /** Until a rebalance or failure throws. */
  async #beat(connection: Connection): Promise<never> {
    const { clock } = this.cluster.io;
    const signal = AbortSignal.any([this.#stop.signal, this.#rejoin.signal]);
    for (;;) {
      // On a new connection one may be due for long: the session is not to end meanwhile.
      const dueMs = this.options.heartbeatIntervalMs - this.#session.silentMs;
      await sleep(clock, Math.max(0, dueMs), signal).catch((error: unknown) => {
        if (this.#stop.signal.aborted) throw error;
      });
      if (this.#rejoin.signal.aborted) throw new RejoinError(false);
      this.#check(await this.#heartbeat(connection), "send a heartbeat to");
      await this.role.check();
    }
  }

  /** A member stays alive while it is busy with what it has, even if others wait for it. */
  async #beatDuring(connection: Connection, work: Promise<void>): Promise<void> {
    const done = new AbortController();
    const finished = work.finally(() => done.abort());
    const signal = AbortSignal.any([done.signal, this.#stop.signal]);
    const beating = (async () => {
      while (!signal.aborted) {
        try {
          await sleep(this.cluster.io.clock, this.options.heartbeatIntervalMs, signal);
          // Of another generation is what was sent while a join was being answered.
          await this.#heartbeat(connection);
        } catch {
          // What is wrong with the connection shows again in what follows.
          return;
        }
      }
    })();
    await finished;
    await beating;
  }

  /**
   * What a member keeps it goes on with while others join, which may take longer than its session:
   * that it is still in the group it hears by heartbeats beside the join, on a connection that the
   * join does not hold up.
   */
  async #stayingAlive<T>(connection: Connection, joining: Promise<T>): Promise<T> {
    if (!this.role.hasSomething()) return await joining;
    const { signal } = this.#session;
    const beating = this.#beatBeside(joining);
    const joined = await nullIfAborted(joining.then((value) => ({ value })), signal);
    // The join would hold up the next one.
    if (joined === null) connection.close();
    await beating;
    if (joined === null) throw new RejoinError(true);
    return joined.value;
  }

  async #beatBeside(joining: Promise<unknown>): Promise<void> {
    const { signal } = this.#session;
    const ended = nullIfAborted(joining, signal).then(() => {}, () => {});
    const connecting = this.#coordinatorNode().then((node) => this.cluster.connect(node, "main"));
    const beside = await nullIfAborted(connecting.catch(() => null), signal);
    if (beside !== null) await this.#beatDuring(beside, ended);
  }

  async #heartbeat(connection: Connection): Promise<number> {
    const sentMs = this.cluster.io.clock.monotonicMs();
    const { requestTimeoutMs } = this.cluster.options;
    const hasSession = !this.#session.signal.aborted;
    const request = this.#named({ generationId: this.#generation });
    const answer = connection.request(heartbeat, request, {
      timeoutMs: hasSession ? Math.max(1, this.#session.leftMs) : requestTimeoutMs,
      signal: this.#stop.signal,
    });
    const { errorCode } = await this.#patience.hearing(answer, (error) => {
      this.role.failed(error, false);
    });
    // One of another generation is not counted on any more.
    if (errorCode === Errors.NONE || errorCode === Errors.REBALANCE_IN_PROGRESS) {
      this.#heard(sentMs);
    }
    return errorCode;
  }

  /** Throws `RejoinError` where joining again helps, else a `KafkaError`. */
  #check(code: number, what: string): void {
    switch (code) {
      case Errors.REBALANCE_IN_PROGRESS:
        throw new RejoinError(false);
      case Errors.ILLEGAL_GENERATION:
        throw new RejoinError(true);
      case Errors.UNKNOWN_MEMBER_ID:
        this.#memberId = "";
        throw new RejoinError(true);
      default:
        throwOnError(code, `${what} group "${this.groupId}"`);
    }
  }
}
