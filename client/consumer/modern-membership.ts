/**
 * Membership in a consumer group of KIP-848 (Kafka's `ConsumerMembershipManager` and
 * `AbstractHeartbeatRequestManager`). What is to go is given up first, then what has come is taken, then
 * the broker is told; heartbeats go on meanwhile, and so does reading from all else.
 */
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { consumerGroupHeartbeat } from "../../core/protocol/68-consumer-group-heartbeat.ts";
import type { EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import type { Cluster } from "../cluster.ts";
import { commitOffsets } from "../commit-offsets.ts";
import type { CommittingMember } from "../commit-offsets.ts";
import { KafkaError, throwOnError, UnsupportedError } from "../errors.ts";
import type { TopicPartition } from "../group-protocol.ts";
import type { OperationOptions } from "../options.ts";
import {
  FencedError,
  type HeartbeatAnswer,
  HeartbeatMember,
  type HeartbeatOptions,
  type HeartbeatRole,
  JOINING_EPOCH,
  type MemberIdentity,
} from "./heartbeat-member.ts";
import type { Membership, MembershipEvents, TopicSelection } from "./membership.ts";
import type { PartitionPosition, ResolvedConsumerOptions } from "./options.ts";
import { OwnedPartitions } from "./owned-partitions.ts";

type HeartbeatRequest = EncodableRequest<typeof consumerGroupHeartbeat>;
type Assignment = ResponseOf<typeof consumerGroupHeartbeat>["assignment"];
type IdPartitions = NonNullable<Assignment>["topicPartitions"];

const STATIC_LEAVING_EPOCH = -2;
const FIRST_INTERVAL_MS = 1000;

/** See the head of the file. */
export class ModernMembership implements Membership, HeartbeatRole {
  readonly #member: HeartbeatMember;
  /** What the broker wants this member to have, as it last said; null once that is so. */
  #target: IdPartitions | null = null;
  /** By topic id, as the broker has it. */
  readonly #ids = new Map<string, string>();
  readonly #owned = new OwnedPartitions();
  /** Something new is to be said of the partitions. */
  #ownedChanged = false;
  /** How often everything was lost. */
  #losses = 0;

  constructor(
    readonly cluster: Cluster,
    readonly groupId: string,
    readonly selection: TopicSelection,
    readonly options: ResolvedConsumerOptions,
    readonly events: MembershipEvents,
  ) {
    this.#member = new HeartbeatMember(cluster, groupId, {
      sessionTimeoutMs: options.sessionTimeoutMs,
      firstIntervalMs: FIRST_INTERVAL_MS,
    }, this);
  }

  get member(): CommittingMember {
    const { epoch, memberId } = this.#member;
    return { generation: epoch, memberId, groupInstanceId: this.options.groupInstanceId };
  }

  start(): void {
    this.#member.start();
  }

  stop(): Promise<void> {
    return this.#member.stop();
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
      const losses = this.#losses;
      const { nextBeat, stopping } = this.#member;
      const { member } = this;
      try {
        return await commitOffsets(this.cluster, this.groupId, offsets, member, options);
      } catch (error) {
        const stale = error instanceof KafkaError && error.code === Errors.STALE_MEMBER_EPOCH;
        if (!stale || clock.monotonicMs() >= deadlineMs) throw error;
        if (member.generation === this.#member.epoch) {
          this.#member.beatSoon();
          const enough = sleep(clock, deadlineMs - clock.monotonicMs(), stopping).catch(() => {});
          await Promise.race([nextBeat, enough]);
        }
        options.signal?.throwIfAborted();
        const lost = losses !== this.#losses || this.#owned.missing(offsets).length > 0;
        if (stopping.aborted || lost) throw error;
      }
    }
  }

  requireServed(connection: Connection): void {
    if (connection.versionOf(consumerGroupHeartbeat) !== null) return;
    throw new UnsupportedError(
      `the broker does not serve groupProtocol "consumer" (ConsumerGroupHeartbeat): ` +
        `use "classic" there`,
    );
  }

  async beat(
    connection: Connection,
    identity: MemberIdentity,
    everything: boolean,
    options: HeartbeatOptions,
  ): Promise<HeartbeatAnswer> {
    const saysOwned = this.#ownedChanged;
    this.#ownedChanged = false;
    const request = this.#request(connection, identity, everything, saysOwned);
    const response = await connection.request(consumerGroupHeartbeat, request, options);
    this.#check(response.errorCode, response.errorMessage);
    if (response.assignment !== null) this.#target = response.assignment.topicPartitions;
    return response;
  }

  get isBehind(): boolean {
    return this.#target !== null;
  }

  async reconcile(isCurrent: () => boolean, session: AbortSignal): Promise<void> {
    const target = this.#target;
    if (target === null) return;
    const { wanted, complete } = await this.#resolve(target);
    if (!isCurrent()) return;
    const gone = this.#owned.beside(wanted);
    if (gone.length > 0) {
      await this.events.revoked(gone, session);
      this.#owned.remove(gone);
    }
    if (!isCurrent()) return;
    const added = this.#owned.missing(wanted);
    if (!await this.events.assigned(added, isCurrent, session)) return;
    // Also if the member was fenced meanwhile: whoever began anew takes them back.
    this.#owned.add(added);
    if (!isCurrent()) return;
    this.#ownedChanged = true;
    // A topic that this cluster's brokers do not show yet is asked for again.
    if (this.#target === target && complete) this.#target = null;
  }

  async lose(): Promise<void> {
    this.#losses++;
    this.#target = null;
    const lost = this.#owned.list();
    if (lost.length === 0) return;
    try {
      await this.events.lost(lost);
    } finally {
      this.#owned.remove(lost);
    }
  }

  async leave(connection: Connection, identity: MemberIdentity, timeoutMs: number): Promise<void> {
    const { groupInstanceId } = this.options;
    const leaving = groupInstanceId === null
      ? identity
      : { ...identity, memberEpoch: STATIC_LEAVING_EPOCH, instanceId: groupInstanceId };
    await connection.request(consumerGroupHeartbeat, leaving, { timeoutMs });
  }

  failed(error: Error, isFatal: boolean): void {
    this.events.failed(error, isFatal);
  }

  #request(
    connection: Connection,
    named: MemberIdentity,
    everything: boolean,
    saysOwned: boolean,
  ): HeartbeatRequest {
    const { groupInstanceId, serverAssignor, rebalanceTimeoutMs, rackId } = this.options;
    const identity = {
      ...named,
      ...(groupInstanceId === null ? {} : { instanceId: groupInstanceId }),
    };
    const topicPartitions = named.memberEpoch === JOINING_EPOCH ? [] : this.#ownedById();
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

  /** Topic ids by their names. */
  async #resolve(
    target: IdPartitions,
  ): Promise<{ wanted: TopicPartition[]; complete: boolean }> {
    const wanted: TopicPartition[] = [];
    let complete = true;
    for (const { topicId, partitions } of target) {
      const topic = this.#ids.get(topicId) ??
        await this.cluster.topicName(topicId, this.#member.stopping);
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
