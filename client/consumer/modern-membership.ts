/**
 * Membership in a consumer group of KIP-848 (Kafka's `ConsumerMembershipManager` and
 * `AbstractHeartbeatRequestManager`). The broker assigns; one heartbeat says and hears everything.
 * What is to go is given up first, then what has come is taken, then the broker is told; heartbeats
 * go on meanwhile, and so does reading from all else.
 */
import { asError } from "../../core/as-error.ts";
import { deferred } from "../../core/deferred.ts";
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { consumerGroupHeartbeat } from "../../core/protocol/68-consumer-group-heartbeat.ts";
import type { EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import type { Cluster } from "../cluster.ts";
import { commitOffsets } from "../commit-offsets.ts";
import type { CommittingMember } from "../commit-offsets.ts";
import { ConnectionError, KafkaError, throwOnError, UnsupportedError } from "../errors.ts";
import type { TopicPartition } from "../group-protocol.ts";
import type { OperationOptions } from "../options.ts";
import { memberIdOf } from "./member-id.ts";
import {
  isPassing,
  type Membership,
  type MembershipEvents,
  Patience,
  type TopicSelection,
  withDeadline,
} from "./membership.ts";
import type { PartitionPosition, ResolvedConsumerOptions } from "./options.ts";
import { Session } from "./session.ts";
import { OwnedPartitions } from "./owned-partitions.ts";

type HeartbeatRequest = EncodableRequest<typeof consumerGroupHeartbeat>;
type Assignment = ResponseOf<typeof consumerGroupHeartbeat>["assignment"];
type IdPartitions = NonNullable<Assignment>["topicPartitions"];

const JOINING_EPOCH = 0;
const LEAVING_EPOCH = -1;
const STATIC_LEAVING_EPOCH = -2;
const FIRST_INTERVAL_MS = 1000;

/** The group has gone on without this member, which has to join again. */
class FencedError extends Error {
  override readonly name = "FencedError";
}

/** See the head of the file. */
export class ModernMembership implements Membership {
  readonly #memberId: string;
  #epoch = JOINING_EPOCH;
  #intervalMs = FIRST_INTERVAL_MS;
  /** What the broker wants this member to have, as it last said; null once that is so. */
  #target: IdPartitions | null = null;
  /** By topic id, as the broker has it. */
  readonly #ids = new Map<string, string>();
  readonly #owned = new OwnedPartitions();
  /** Whether the broker has heard everything, so that only changes are to be said. */
  #saidAll = false;
  /** Something new is to be said of the partitions. */
  #ownedChanged = false;
  #reconciling: Promise<void> | null = null;
  #reconcileAfterMs = 0;
  /** Counts joins, so that what belongs to an earlier one stops. */
  #joins = 0;
  readonly #session: Session;
  #wake = new AbortController();
  #beats = deferred<void>();
  #running: Promise<void> | null = null;
  readonly #patience: Patience;
  readonly #reconcilePatience: Patience;
  readonly #stop = new AbortController();

  constructor(
    readonly cluster: Cluster,
    readonly groupId: string,
    readonly selection: TopicSelection,
    readonly options: ResolvedConsumerOptions,
    readonly events: MembershipEvents,
  ) {
    this.#memberId = memberIdOf(cluster.io.random);
    this.#patience = new Patience(cluster);
    this.#reconcilePatience = new Patience(cluster);
    this.#session = new Session(cluster.io.clock, options.sessionTimeoutMs);
  }

  get member(): CommittingMember {
    return {
      generation: this.#epoch,
      memberId: this.#memberId,
      groupInstanceId: this.options.groupInstanceId,
    };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#reconciling;
    this.#session.end();
    if (this.#epoch === JOINING_EPOCH) return;
    const { groupInstanceId } = this.options;
    try {
      const connection = await this.#connection();
      await connection.request(consumerGroupHeartbeat, {
        groupId: this.groupId,
        memberId: this.#memberId,
        memberEpoch: groupInstanceId === null ? LEAVING_EPOCH : STATIC_LEAVING_EPOCH,
        instanceId: groupInstanceId,
      }, { timeoutMs: this.options.heartbeatIntervalMs });
    } catch (error) {
      // The session's end does the same, later.
      if (!(error instanceof ConnectionError || error instanceof KafkaError)) throw error;
    }
  }

  /** After STALE_MEMBER_EPOCH it commits once more with the epoch that the next heartbeat brings. */
  async commit(
    offsets: readonly PartitionPosition[],
    options: OperationOptions = {},
  ): Promise<void> {
    const { clock } = this.cluster.io;
    const deadlineMs = clock.monotonicMs() +
      (options.timeoutMs ?? this.cluster.options.apiTimeoutMs);
    for (;;) {
      const joins = this.#joins;
      const beat = this.#beats.promise;
      const { member } = this;
      try {
        return await commitOffsets(this.cluster, this.groupId, offsets, member, options);
      } catch (error) {
        const stale = error instanceof KafkaError && error.code === Errors.STALE_MEMBER_EPOCH;
        if (!stale || clock.monotonicMs() >= deadlineMs) throw error;
        if (member.generation === this.#epoch) {
          this.#wake.abort();
          await Promise.race([beat, this.#sleep(deadlineMs - clock.monotonicMs())]);
        }
        options.signal?.throwIfAborted();
        const lost = joins !== this.#joins || this.#owned.missing(offsets).length > 0;
        if (this.#stop.signal.aborted || lost) throw error;
      }
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#beat(await this.#inSession(this.#connection()));
        this.#patience.reset();
        this.#reconcile();
        await this.#sleep(this.#ownedChanged ? 0 : this.#intervalMs);
      } catch (error) {
        if (signal.aborted) break;
        // What the broker has heard is not known.
        this.#saidAll = false;
        if (error instanceof FencedError) await this.#beginAnew();
        else if (isPassing(error) || isUnreleased(error)) await this.#pause(asError(error));
        else return this.events.failed(asError(error), true);
      }
    }
  }

  /** Sleeps until something is to be said. */
  async #sleep(delayMs: number): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, this.#wake.signal]);
    if (delayMs > 0) await sleep(this.cluster.io.clock, delayMs, signal).catch(() => {});
    if (this.#wake.signal.aborted) this.#wake = new AbortController();
  }

  async #connection(): Promise<Connection> {
    const signal = this.#stop.signal.aborted ? undefined : this.#stop.signal;
    const options = signal === undefined
      ? { timeoutMs: this.options.heartbeatIntervalMs }
      : { signal };
    const node = await this.cluster.coordinator("group", this.groupId, options);
    const connection = await this.cluster.connect(node, "coordinator");
    if (connection.versionOf(consumerGroupHeartbeat) === null) {
      throw new UnsupportedError(
        `the broker does not serve groupProtocol "consumer" (ConsumerGroupHeartbeat): ` +
          `use "classic" there`,
      );
    }
    return connection;
  }

  async #pause(error: Error): Promise<void> {
    this.cluster.forgetCoordinator("group", this.groupId);
    const pauseMs = this.#patience.failed();
    if (this.#patience.isExhausted) this.events.failed(error, false);
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
    this.#saidAll = false;
    this.#target = null;
    this.#session.end();
    await this.#reconciling;
    const lost = this.#owned.list();
    if (lost.length === 0) return;
    try {
      await this.events.lost(lost);
    } catch (error) {
      this.events.failed(asError(error), true);
      this.#stop.abort();
    }
    this.#owned.remove(lost);
  }

  async #beat(connection: Connection): Promise<void> {
    const saysOwned = this.#ownedChanged;
    const everything = !this.#saidAll;
    this.#ownedChanged = false;
    const request = this.#request(connection, everything, saysOwned);
    const sentMs = this.cluster.io.clock.monotonicMs();
    const response = await connection.request(consumerGroupHeartbeat, request, {
      timeoutMs: this.#epoch > 0
        ? Math.max(1, Math.min(this.cluster.options.requestTimeoutMs, this.#session.leftMs))
        : this.cluster.options.requestTimeoutMs,
      signal: this.#stop.signal,
    });
    this.#check(response.errorCode, response.errorMessage);
    this.#session.heard(sentMs);
    this.#epoch = response.memberEpoch;
    this.#saidAll = true;
    this.#intervalMs = response.heartbeatIntervalMs;
    if (response.assignment !== null) this.#target = response.assignment.topicPartitions;
    this.#beats.resolve();
    this.#beats = deferred();
  }

  #request(connection: Connection, everything: boolean, saysOwned: boolean): HeartbeatRequest {
    const { groupInstanceId, serverAssignor, rebalanceTimeoutMs, rackId } = this.options;
    const identity = {
      groupId: this.groupId,
      memberId: this.#memberId,
      memberEpoch: this.#epoch,
      ...(groupInstanceId === null ? {} : { instanceId: groupInstanceId }),
    };
    const topicPartitions = this.#epoch === JOINING_EPOCH ? [] : this.#ownedById();
    if (!everything) return saysOwned ? { ...identity, topicPartitions } : identity;
    return {
      ...identity,
      rebalanceTimeoutMs,
      topicPartitions,
      ...(rackId === null ? {} : { rackId }),
      ...(serverAssignor === null ? {} : { serverAssignor }),
      ...this.#subscription(connection),
    };
  }

  #subscription(connection: Connection): Partial<HeartbeatRequest> {
    if ("topics" in this.selection) return { subscribedTopicNames: [...this.selection.topics] };
    if ((connection.versionOf(consumerGroupHeartbeat) ?? 0) < 1) {
      throw new UnsupportedError("the broker cannot subscribe to a pattern: Kafka 4.0 can");
    }
    return { subscribedTopicNames: [], subscribedTopicRegex: this.selection.pattern };
  }

  #ownedById(): { topicId: string; partitions: readonly number[] }[] {
    const idOf = new Map([...this.#ids].map(([id, name]) => [name, id]));
    return this.#owned.byTopic().flatMap(({ topic, partitions }) => {
      const topicId = idOf.get(topic);
      return topicId === undefined ? [] : [{ topicId, partitions }];
    });
  }

  /** Gets to the target in the background, one step at a time. */
  #reconcile(): void {
    const nowMs = this.cluster.io.clock.monotonicMs();
    if (this.#target === null || this.#reconciling !== null || nowMs < this.#reconcileAfterMs) {
      return;
    }
    const joins = this.#joins;
    const work = this.#reconcileTo(this.#target, joins).then(
      () => this.#reconcilePatience.reset(),
      (error: unknown) => {
        if (this.#stop.signal.aborted || joins !== this.#joins) return;
        if (!isPassing(error)) {
          this.#stop.abort();
          return this.events.failed(asError(error), true);
        }
        const pauseMs = this.#reconcilePatience.failed();
        if (this.#reconcilePatience.isExhausted) this.events.failed(asError(error), false);
        this.#reconcileAfterMs = this.cluster.io.clock.monotonicMs() + pauseMs;
      },
    ).finally(() => {
      this.#reconciling = null;
      this.#wake.abort();
    });
    this.#reconciling = work;
  }

  async #reconcileTo(target: IdPartitions, joins: number): Promise<void> {
    const { signal } = this.#session;
    const { wanted, complete } = await this.#resolve(target);
    const current = () => joins === this.#joins && !this.#stop.signal.aborted;
    if (!current()) return;
    const gone = this.#owned.beside(wanted);
    if (gone.length > 0) {
      await this.events.revoked(gone, signal);
      this.#owned.remove(gone);
    }
    if (!current()) return;
    const added = this.#owned.missing(wanted);
    const isMine = () => current() && this.#session.leftMs > 0;
    if (!await this.events.assigned(added, isMine, signal)) return;
    // Also if the member was fenced meanwhile: whoever began anew takes them back.
    this.#owned.add(added);
    if (!current()) return;
    this.#ownedChanged = true;
    // A topic that this cluster's brokers do not show yet is asked for again.
    if (this.#target === target && complete) this.#target = null;
  }

  /** Topic ids by their names. */
  async #resolve(
    target: IdPartitions,
  ): Promise<{ wanted: TopicPartition[]; complete: boolean }> {
    const wanted: TopicPartition[] = [];
    let complete = true;
    for (const { topicId, partitions } of target) {
      const topic = this.#ids.get(topicId) ??
        await this.cluster.topicName(topicId, this.#stop.signal);
      if (topic === null) {
        complete = false;
        continue;
      }
      this.#ids.set(topicId, topic);
      for (const partition of partitions) wanted.push({ topic, partition });
    }
    return { wanted, complete };
  }

  #check(code: number, detail: string | null): void {
    switch (code) {
      case Errors.FENCED_MEMBER_EPOCH:
      case Errors.UNKNOWN_MEMBER_ID:
        throw new FencedError();
      default:
        throwOnError(code, `heartbeat of group "${this.groupId}"`, detail);
    }
  }
}

/** The last process of this static member has not left: it is there until its session ends. */
function isUnreleased(error: unknown): boolean {
  return error instanceof KafkaError && error.code === Errors.UNRELEASED_INSTANCE_ID;
}
