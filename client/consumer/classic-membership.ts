/**
 * Membership in a group by the classic protocol (Kafka's `AbstractCoordinator` and
 * `ConsumerCoordinator`): join, get an assignment, send heartbeats, and on a rebalance join again.
 * With eager assignors everything is given back before; with cooperative ones (KIP-429) members
 * read on, give up only what is to go elsewhere, and join once more so that it can.
 */
import { type Deferred, deferred } from "../../core/deferred.ts";
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { joinGroup } from "../../core/protocol/11-join-group.ts";
import { heartbeat } from "../../core/protocol/12-heartbeat.ts";
import { leaveGroup } from "../../core/protocol/13-leave-group.ts";
import { syncGroup } from "../../core/protocol/14-sync-group.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import { nullIfAborted } from "../../core/unless-aborted.ts";
import { assignableMember, assignorOf, isCooperative, memberMetadata } from "../assignors.ts";
import type { BrokerNode, Cluster } from "../cluster.ts";
import { commitOffsets } from "../commit-offsets.ts";
import type { CommittingMember } from "../commit-offsets.ts";
import { ConnectionError, KafkaError, throwOnError } from "../errors.ts";
import { decodeAssignment, eachPartition, encodeAssignment } from "../group-protocol.ts";
import type { TopicPartition, TopicPartitions } from "../group-protocol.ts";
import type { OperationOptions } from "../options.ts";
import {
  asError,
  isPassing,
  type Membership,
  type MembershipEvents,
  Patience,
  type TopicSelection,
  withDeadline,
} from "./membership.ts";
import type { PartitionPosition, ResolvedConsumerOptions } from "./options.ts";
import { OwnedPartitions } from "./owned-partitions.ts";
import { Session } from "./session.ts";

const PROTOCOL_TYPE = "consumer";
/** A join is answered at the end of the rebalance; it is given this much longer. */
const JOIN_SLACK_MS = 5000;
/** After it others are asked, now and then, whether the coordinator is still there. */
const JOIN_WAIT_MS = 3000;

/** The member must join again; its partitions are lost if the group went on without it. */
class RejoinError extends Error {
  override readonly name = "RejoinError";
  constructor(readonly lost: boolean) {
    super("the group rebalances");
  }
}

/** See the head of the file. */
export class ClassicMembership implements Membership {
  #memberId = "";
  #generation = -1;
  /** As leader: the partitions that were spread, by topic. */
  #spread: ReadonlyMap<string, number> | null = null;
  /** The topics that were asked for; with a pattern those that match. */
  #topics: readonly string[] = [];
  #running: Promise<void> | null = null;
  /** Resolves when the rebalance that is under way has its generation; null outside of one. */
  #rebalance: Deferred<void> | null = null;
  #inEvent = false;
  readonly #session: Session;
  #patternCheckedMs = 0;
  /** What an eager member had before it gave everything back, for `sticky`. */
  #before: { owned: TopicPartitions[]; generation: number } = { owned: [], generation: -1 };
  readonly #owned = new OwnedPartitions();
  readonly #patience: Patience;
  readonly #cooperative: boolean;
  readonly #stop = new AbortController();

  constructor(
    readonly cluster: Cluster,
    readonly groupId: string,
    readonly selection: TopicSelection,
    readonly options: ResolvedConsumerOptions,
    readonly events: MembershipEvents,
  ) {
    this.#patience = new Patience(cluster);
    this.#cooperative = isCooperative(options.assignors);
    this.#session = new Session(cluster.io.clock, options.sessionTimeoutMs);
  }

  get member(): CommittingMember {
    return {
      generation: this.#generation,
      memberId: this.#memberId,
      groupInstanceId: this.options.groupInstanceId,
    };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#rebalance?.resolve();
    await this.#running;
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

  /** During a cooperative rebalance it waits for its end, since what stays here is to be kept. */
  async commit(
    offsets: readonly PartitionPosition[],
    options: OperationOptions = {},
  ): Promise<void> {
    const { clock } = this.cluster.io;
    const deadlineMs = clock.monotonicMs() +
      (options.timeoutMs ?? this.cluster.options.apiTimeoutMs);
    for (;;) {
      const { generation } = this.member;
      try {
        return await commitOffsets(this.cluster, this.groupId, offsets, this.member, options);
      } catch (error) {
        const goesOn = error instanceof KafkaError && this.#cooperative && !this.#inEvent &&
          (error.code === Errors.REBALANCE_IN_PROGRESS ||
            (error.code === Errors.ILLEGAL_GENERATION && generation !== this.#generation));
        if (!goesOn || clock.monotonicMs() >= deadlineMs) throw error;
        await this.#rebalanced(deadlineMs, options.signal);
        if (this.#stop.signal.aborted || this.#owned.missing(offsets).length > 0) throw error;
      }
    }
  }

  /** Waits for the end of the rebalance, or a moment if it has not begun here. */
  async #rebalanced(deadlineMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.cluster.io;
    const leftMs = Math.max(0, deadlineMs - clock.monotonicMs());
    const pauseMs = this.#rebalance === null ? this.cluster.backoffMs(0) : leftMs;
    const signals = signal === undefined ? [this.#stop.signal] : [this.#stop.signal, signal];
    const ended = new AbortController();
    const pause = sleep(clock, pauseMs, AbortSignal.any([ended.signal, ...signals]));
    await Promise.race([this.#rebalance?.promise ?? pause, pause]).catch(() => {});
    ended.abort();
    signal?.throwIfAborted();
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
        if (!isPassing(error)) return this.events.failed(asError(error), true);
        await this.#pause(asError(error));
      }
    }
  }

  /** From one join to the need for the next, which throws. */
  async #round(): Promise<void> {
    const connection = await this.#inSession(this.#coordinator());
    if (!this.#cooperative && this.#owned.size > 0) {
      this.#before = { owned: this.#owned.byTopic(), generation: this.#generation };
      await this.#beatDuring(connection, this.#giveUp(this.#owned.list()));
    }
    const assigned = await this.#stayingAlive(connection, this.#join(connection));
    this.#rebalance?.resolve();
    this.#rebalance = null;
    const gone = this.#owned.beside(assigned);
    await this.#beatDuring(connection, this.#settle(gone, assigned));
    // What was given up can go to its new owner once this member has joined again.
    if (gone.length > 0) throw new RejoinError(false);
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

  async #settle(
    gone: readonly TopicPartition[],
    assigned: readonly TopicPartition[],
  ): Promise<void> {
    const { signal } = this.#session;
    if (gone.length > 0) await this.#giveUp(gone);
    const added = this.#owned.missing(assigned);
    const generation = this.#generation;
    const isMine = () => generation === this.#generation && this.#session.leftMs > 0;
    await this.#event(async () => {
      if (!await this.events.assigned(added, isMine, signal)) throw new RejoinError(true);
    });
    this.#owned.add(added);
  }

  async #giveUp(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#event(() => this.events.revoked(partitions, this.#session.signal));
    this.#owned.remove(partitions);
  }

  /** The group has gone on without this member, or may have. */
  async #lose(): Promise<void> {
    this.#generation = -1;
    this.#session.end();
    const partitions = this.#owned.list();
    if (partitions.length === 0) return;
    await this.#event(() => this.events.lost(partitions));
    this.#owned.remove(partitions);
  }

  async #event(run: () => Promise<void>): Promise<void> {
    this.#inEvent = true;
    try {
      await run();
    } finally {
      this.#inEvent = false;
    }
  }

  async #guarded(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.events.failed(asError(error), true);
      this.#stop.abort();
    }
  }

  async #pause(error: Error): Promise<void> {
    this.cluster.forgetCoordinator("group", this.groupId);
    const pauseMs = this.#patience.failed();
    if (this.#patience.isExhausted) this.events.failed(error, false);
    // At the end of the session the rest of the group takes over.
    if (this.#session.leftMs <= pauseMs) await this.#guarded(() => this.#lose());
    await sleep(this.cluster.io.clock, pauseMs, this.#stop.signal).catch(() => {});
  }

  /** No longer than the session lasts, where there is something to lose. */
  async #inSession<T>(work: Promise<T>): Promise<T> {
    const leftMs = this.#owned.size === 0 ? Infinity : this.#session.leftMs;
    return await withDeadline(this.cluster.io.clock, work, leftMs, this.#stop.signal, () => {
      return new RejoinError(true);
    });
  }

  #heard(sentMs: number): void {
    this.#session.heard(sentMs);
    this.#patience.reset();
  }

  async #coordinator(): Promise<Connection> {
    return await this.cluster.connect(await this.#coordinatorNode(), "coordinator");
  }

  #coordinatorNode(): Promise<BrokerNode> {
    const { signal } = this.#stop;
    return this.cluster.coordinator("group", this.groupId, { signal });
  }

  async #join(connection: Connection): Promise<TopicPartition[]> {
    const { sessionTimeoutMs, rebalanceTimeoutMs, groupInstanceId } = this.options;
    this.#rebalance ??= deferred();
    await this.#select();
    const response = await connection.request(joinGroup, {
      groupId: this.groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId: this.#memberId,
      ...(groupInstanceId === null ? {} : { groupInstanceId }),
      protocolType: PROTOCOL_TYPE,
      protocols: this.#protocols(),
    }, {
      timeoutMs: rebalanceTimeoutMs + JOIN_SLACK_MS,
      mayWaitMs: JOIN_WAIT_MS,
      signal: this.#stop.signal,
    });
    if (response.errorCode === Errors.MEMBER_ID_REQUIRED) {
      // KIP-394: the id comes first, so that abandoned joins leave nothing behind.
      this.#memberId = response.memberId;
      return await this.#join(connection);
    }
    this.#check(response.errorCode, "join");
    this.#memberId = response.memberId;
    this.#generation = response.generationId;
    this.#spread = null;
    const leads = response.leader === response.memberId;
    const assignments = leads ? await this.#assignments(response) : [];
    const answer = await connection.request(syncGroup, {
      groupId: this.groupId,
      generationId: this.#generation,
      memberId: this.#memberId,
      ...(groupInstanceId === null ? {} : { groupInstanceId }),
      protocolType: PROTOCOL_TYPE,
      protocolName: response.protocolName,
      assignments: response.skipAssignment ? [] : assignments,
    }, {
      timeoutMs: rebalanceTimeoutMs + JOIN_SLACK_MS,
      mayWaitMs: JOIN_WAIT_MS,
      signal: this.#stop.signal,
    });
    this.#check(answer.errorCode, "sync with");
    // Who joins a stable group again gets what it has, but its session goes on from before.
    const code = await this.#heartbeat(connection);
    if (code !== Errors.REBALANCE_IN_PROGRESS) this.#check(code, "send a heartbeat to");
    return eachPartition(decodeAssignment(answer.assignment));
  }

  #protocols(): { name: string; metadata: Uint8Array }[] {
    const owned = this.#owned.byTopic();
    const subscription = {
      topics: this.#topics,
      owned,
      generation: owned.length === 0 ? -1 : this.#generation,
      rackId: this.options.rackId,
    };
    return this.options.assignors.map((name) => ({
      name,
      metadata: memberMetadata(name, subscription, this.#before),
    }));
  }

  /** The topics to ask for: as they are, or what matches now. */
  async #select(): Promise<void> {
    if ("topics" in this.selection) {
      this.#topics = this.selection.topics;
      return;
    }
    const pattern = new RegExp(`^(?:${this.selection.pattern})$`);
    const { topics } = await this.cluster.refresh(null, { signal: this.#stop.signal });
    this.#topics = topics.flatMap(({ name, isInternal }) =>
      name !== null && !isInternal && pattern.test(name) ? [name] : []
    );
  }

  /** The leader's part: it spreads the partitions with the assignor that all members know. */
  async #assignments(
    { members, protocolName }: ResponseOf<typeof joinGroup>,
  ): Promise<{ memberId: string; assignment: Uint8Array }[]> {
    const assignor = assignorOf(protocolName);
    if (assignor === null || protocolName === null) {
      throw new KafkaError(Errors.INCONSISTENT_GROUP_PROTOCOL, `group "${this.groupId}"`);
    }
    const subscribed = members.map((member) => assignableMember(protocolName, member));
    const topics = [...new Set(subscribed.flatMap((member) => member.topics))];
    await this.cluster.refresh(topics, { signal: this.#stop.signal });
    const counts = new Map(topics.map((topic) => {
      return [topic, this.cluster.cached(topic)?.partitions.length ?? 0];
    }));
    this.#spread = counts;
    return [...assignor(subscribed, counts)].map(([memberId, assigned]) => ({
      memberId,
      assignment: encodeAssignment(assigned),
    }));
  }

  /** As leader, has the group join again where topics have grown; other members don't see it. */
  #checkSpread(): void {
    const spread = this.#spread;
    if (spread === null) return;
    for (const [topic, count] of spread) {
      // One that is to come, or that this broker has not heard of yet, is looked for all the time.
      if (count === 0) this.cluster.refresh([topic]).catch(() => {});
      else this.cluster.touch(topic);
      const known = this.cluster.cached(topic);
      if (known !== undefined && known.partitions.length !== count) throw new RejoinError(false);
    }
  }

  /** Until a rebalance or failure throws. */
  async #beat(connection: Connection): Promise<never> {
    for (;;) {
      await sleep(this.cluster.io.clock, this.options.heartbeatIntervalMs, this.#stop.signal);
      this.#check(await this.#heartbeat(connection), "send a heartbeat to");
      this.#checkSpread();
      await this.#checkPattern();
    }
  }

  /** A member stays alive while it is busy with its partitions, even if others wait for it. */
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
   * What a cooperative member has it reads on while others join, which may take longer than its
   * session: that it is still in the group it hears by heartbeats beside the join, on a connection
   * that the join does not hold up.
   */
  async #stayingAlive<T>(connection: Connection, joining: Promise<T>): Promise<T> {
    if (this.#owned.size === 0) return await joining;
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
    const { groupInstanceId } = this.options;
    const sentMs = this.cluster.io.clock.monotonicMs();
    const { requestTimeoutMs } = this.cluster.options;
    const hasSession = !this.#session.signal.aborted;
    const { errorCode } = await connection.request(heartbeat, {
      groupId: this.groupId,
      generationId: this.#generation,
      memberId: this.#memberId,
      ...(groupInstanceId === null ? {} : { groupInstanceId }),
    }, {
      timeoutMs: hasSession ? Math.max(1, this.#session.leftMs) : requestTimeoutMs,
      signal: this.#stop.signal,
    });
    // One of another generation is not counted on any more.
    if (errorCode === Errors.NONE || errorCode === Errors.REBALANCE_IN_PROGRESS) {
      this.#heard(sentMs);
    }
    return errorCode;
  }

  /** With a pattern, topics that begin or cease to match are a reason to join again. */
  async #checkPattern(): Promise<void> {
    if ("topics" in this.selection) return;
    const nowMs = this.cluster.io.clock.monotonicMs();
    if (nowMs - this.#patternCheckedMs < this.cluster.options.metadataMaxAgeMs) return;
    this.#patternCheckedMs = nowMs;
    const before = [...this.#topics].sort().join("\n");
    await this.#select();
    if ([...this.#topics].sort().join("\n") !== before) throw new RejoinError(false);
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
