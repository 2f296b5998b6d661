/**
 * A consumer's membership by the classic protocol (Kafka's `ConsumerCoordinator`), over
 * `ClassicMember`. With eager assignors everything is given back before a join; with cooperative ones
 * (KIP-429) members read on, give up only what is to go elsewhere, and join once more so that it can.
 */
import { type Deferred, deferred } from "../../core/deferred.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { assignableMember, assignorOf, isCooperative, memberMetadata } from "../assignors.ts";
import type { Cluster } from "../cluster.ts";
import { commitOffsets } from "../commit-offsets.ts";
import type { CommittingMember } from "../commit-offsets.ts";
import { KafkaError } from "../errors.ts";
import { decodeAssignment, eachPartition, encodeAssignment } from "../group-protocol.ts";
import type { TopicPartition, TopicPartitions } from "../group-protocol.ts";
import type { OperationOptions } from "../options.ts";
import {
  ClassicMember,
  type ClassicRole,
  type JoinResponse,
  RejoinError,
} from "./classic-member.ts";
import type { Membership, MembershipEvents, TopicSelection } from "./membership.ts";
import type { PartitionPosition, ResolvedConsumerOptions } from "./options.ts";
import { OwnedPartitions } from "./owned-partitions.ts";

/** See the head of the file. */
export class ClassicMembership implements Membership, ClassicRole {
  /** As leader: the partitions that were spread, by topic. */
  #spread: ReadonlyMap<string, number> | null = null;
  /** The topics that were asked for; with a pattern those that match. */
  #topics: readonly string[] = [];
  /** Resolves when the rebalance that is under way has its generation; null outside of one. */
  #rebalance: Deferred<void> | null = null;
  #inEvent = false;
  #patternCheckedMs = 0;
  /** What an eager member had before it gave everything back, for `sticky`. */
  #before: { owned: TopicPartitions[]; generation: number } = { owned: [], generation: -1 };
  readonly #owned = new OwnedPartitions();
  readonly #cooperative: boolean;
  readonly #member: ClassicMember;

  constructor(
    readonly cluster: Cluster,
    readonly groupId: string,
    readonly selection: TopicSelection,
    readonly options: ResolvedConsumerOptions,
    readonly events: MembershipEvents,
  ) {
    this.#cooperative = isCooperative(options.assignors);
    this.#member = new ClassicMember(cluster, groupId, {
      protocolType: "consumer",
      sessionTimeoutMs: options.sessionTimeoutMs,
      heartbeatIntervalMs: options.heartbeatIntervalMs,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs,
      groupInstanceId: options.groupInstanceId,
    }, this);
  }

  get member(): CommittingMember {
    return {
      generation: this.#member.generation,
      memberId: this.#member.memberId,
      groupInstanceId: this.options.groupInstanceId,
    };
  }

  start(): void {
    this.#member.start();
  }

  async stop(): Promise<void> {
    const stopped = this.#member.stop();
    this.#rebalance?.resolve();
    await stopped;
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
            (error.code === Errors.ILLEGAL_GENERATION && generation !== this.#member.generation));
        if (!goesOn || clock.monotonicMs() >= deadlineMs) throw error;
        await this.#rebalanced(deadlineMs, options.signal);
        if (this.#member.stopping.aborted || this.#owned.missing(offsets).length > 0) throw error;
      }
    }
  }

  /** Waits for the end of the rebalance, or a moment if it has not begun here. */
  async #rebalanced(deadlineMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.cluster.io;
    const leftMs = Math.max(0, deadlineMs - clock.monotonicMs());
    const pauseMs = this.#rebalance === null ? this.cluster.backoffMs(0) : leftMs;
    const signals = signal === undefined
      ? [this.#member.stopping]
      : [this.#member.stopping, signal];
    const ended = new AbortController();
    const pause = sleep(clock, pauseMs, AbortSignal.any([ended.signal, ...signals]));
    await Promise.race([this.#rebalance?.promise ?? pause, pause]).catch(() => {});
    ended.abort();
    signal?.throwIfAborted();
  }

  hasSomething(): boolean {
    return this.#owned.size > 0;
  }

  async beforeJoin(): Promise<void> {
    if (this.#cooperative || this.#owned.size === 0) return;
    this.#before = { owned: this.#owned.byTopic(), generation: this.#member.generation };
    await this.#giveUp(this.#owned.list());
  }

  joined(): void {
    this.#rebalance?.resolve();
    this.#rebalance = null;
  }

  async settle(assignment: Uint8Array): Promise<boolean> {
    const assigned = eachPartition(decodeAssignment(assignment));
    const { session } = this.#member;
    // The session that there is now: another one may begin while the events run.
    const { signal } = session;
    const gone = this.#owned.beside(assigned);
    if (gone.length > 0) await this.#giveUp(gone);
    const added = this.#owned.missing(assigned);
    const { generation } = this.#member;
    const isMine = () => generation === this.#member.generation && session.leftMs > 0;
    await this.#event(async () => {
      if (!await this.events.assigned(added, isMine, signal)) throw new RejoinError(true);
    });
    this.#owned.add(added);
    return gone.length > 0;
  }

  async #giveUp(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#event(() => this.events.revoked(partitions, this.#member.session.signal));
    this.#owned.remove(partitions);
  }

  async lose(): Promise<void> {
    const partitions = this.#owned.list();
    if (partitions.length === 0) return;
    await this.#event(() => this.events.lost(partitions));
    this.#owned.remove(partitions);
  }

  failed(error: Error, fatal: boolean): void {
    this.events.failed(error, fatal);
  }

  async #event(run: () => Promise<void>): Promise<void> {
    this.#inEvent = true;
    try {
      await run();
    } finally {
      this.#inEvent = false;
    }
  }

  async protocols(): Promise<{ name: string; metadata: Uint8Array }[]> {
    this.#rebalance ??= deferred();
    this.#spread = null;
    await this.#select();
    const owned = this.#owned.byTopic();
    const subscription = {
      topics: this.#topics,
      owned,
      generation: owned.length === 0 ? -1 : this.#member.generation,
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
    const { topics } = await this.cluster.refresh(null, { signal: this.#member.stopping });
    this.#topics = topics.flatMap(({ name, isInternal }) =>
      name !== null && !isInternal && pattern.test(name) ? [name] : []
    );
  }

  /** The leader's part: it spreads the partitions with the assignor that all members know. */
  async assign(
    { members, protocolName }: JoinResponse,
  ): Promise<{ memberId: string; assignment: Uint8Array }[]> {
    const assignor = assignorOf(protocolName);
    if (assignor === null || protocolName === null) {
      throw new KafkaError(Errors.INCONSISTENT_GROUP_PROTOCOL, `group "${this.groupId}"`);
    }
    const subscribed = members.map((member) => assignableMember(protocolName, member));
    const topics = [...new Set(subscribed.flatMap((member) => member.topics))];
    await this.cluster.refresh(topics, { signal: this.#member.stopping });
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

  async check(): Promise<void> {
    this.#checkSpread();
    await this.#checkPattern();
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
}
