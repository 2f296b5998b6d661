/**
 * The group coordinator of this broker: which groups it coordinates, and one call per API. Groups
 * are spread over the partitions of `__consumer_offsets` by their id; whoever leads a partition
 * coordinates its groups (Kafka's `GroupCoordinatorService`).
 */
import { type ErrorCode, errorName, Errors } from "../../../core/errors.ts";
import type { Codecs } from "../../../core/compression/codec.ts";
import type { EndTxnMarker } from "../../../core/records/control-records.ts";
import type { Clock, Random } from "../../../core/io.ts";
import type { Logger } from "../../../core/logger.ts";
import { type CoordinatorTopic, findCoordinator } from "../coordinator-topic.ts";
import { coordinatorPartition } from "../java-hash.ts";
import { CoordinatorRuntime, type LoadingState } from "../runtime.ts";
import { type Outcome as Checked, refuse } from "../../outcome.ts";
import type { CoordinatorResult, Outcome, RecordTransaction, TimerKind } from "../shard.ts";
import {
  joinError,
  type JoinResponse,
  type Reply,
  syncError,
  type SyncResponse,
} from "./classic/classic-group.ts";
import type { ConsumerGroupDescription } from "./consumer/describe.ts";
import type { HeartbeatRequest, HeartbeatResponse } from "./consumer/heartbeat.ts";
import type { ConsumerGroupConfig, GroupConfig, StreamsGroupConfig } from "./group-config.ts";
import { groupRecordCodec } from "./group-codec.ts";
import type { GroupRecord } from "./group-records.ts";
import type { GroupDescription } from "./classic/classic-groups.ts";
import type { Group, Topics, TopicsChange } from "./group.ts";
import type { GroupOffsets } from "./offsets/group-offsets.ts";
import { type GroupListing, GroupShard } from "./group-shard.ts";
import type { JoinRequest } from "./classic/join.ts";
import type {
  LeavingMember,
  LeftMember,
  MemberRequest,
  SyncRequest,
} from "./classic/membership.ts";
import type { CommitRequest, PartitionErrors } from "./offsets/offsets.ts";
import type { Step } from "./classic/rebalance.ts";
import type { StreamsGroupDescription } from "./streams/describe.ts";
import type { StreamsHeartbeatRequest, StreamsHeartbeatResponse } from "./streams/parts.ts";

/** What a coordinator is made of. */
export interface GroupCoordinatorOptions {
  readonly clock: Clock;
  /** The clocks of timers, where they are not that one. */
  readonly timerClocks?: Readonly<Record<TimerKind, Clock>> | undefined;
  readonly random: Random;
  readonly logger: Logger;
  readonly codecs: Codecs;
  readonly config: GroupConfig;
  /** offsets.commit.timeout.ms */
  readonly commitTimeoutMs: number;
  /** The topic with the groups. */
  readonly topic: CoordinatorTopic;
  readonly topics: Topics;
}

/** What ends the wait of a parked request before its answer is there. */
export interface ParkSignals {
  /** The connection is gone; nobody hears the answer. */
  readonly connection: AbortSignal;
  /** The broker stops: COORDINATOR_NOT_AVAILABLE, and the client looks for another coordinator. */
  readonly stopping: AbortSignal;
}

/** See the header. Group ids may be empty only where Kafka lets old clients do so. */
export class GroupCoordinator {
  readonly #options: GroupCoordinatorOptions;
  readonly #runtime: CoordinatorRuntime<GroupRecord, GroupShard>;
  #closed = false;

  constructor(options: GroupCoordinatorOptions) {
    this.#options = options;
    const { clock, random, logger, codecs, config, topics } = options;
    this.#runtime = new CoordinatorRuntime({
      name: "group coordinator",
      clock,
      timerClocks: options.timerClocks,
      logger,
      codecs,
      recordCodec: groupRecordCodec,
      commitTimeoutMs: options.commitTimeoutMs,
      newShard: (_partition, timers) =>
        new GroupShard({ config, clock, random, logger, timers, topics }),
    });
  }

  /** What is led here and cannot be used yet, or at all. */
  loadingState(): LoadingState {
    return this.#runtime.loadingState();
  }

  /** Takes up the partitions that are led here now and gives up the others. */
  follow(): void {
    if (!this.#closed) this.#runtime.follow(this.#options.topic.led());
  }

  /** Topics have come, gone or grown; the offsets of those that are gone go too. */
  onTopicsChanged(change: TopicsChange): void {
    for (const partition of this.#runtime.partitions()) {
      this.#runtime.now(partition, (shard) => shard.onTopicsChanged(change));
      if (!change.deleted) continue;
      void this.#runtime.write(partition, (shard) => shard.offsets.dropDeleted());
    }
  }

  /** Answers everybody who waits; nothing is coordinated here any more. */
  close(): void {
    this.#closed = true;
    this.#runtime.close();
  }

  /** The broker that coordinates the group; creates the topic and waits for loading. */
  find(groupId: string): Promise<Outcome<number>> {
    return findCoordinator(
      this.#options.topic,
      () => this.partitionOf(groupId),
      (partition) => this.#runtime.ready(partition),
    );
  }

  /** Answers when the generation is complete, or at once. */
  joinGroup(request: JoinRequest, signals: ParkSignals): Promise<JoinResponse> {
    const { config } = this.#options;
    if (request.groupId === "") {
      return Promise.resolve(joinError(Errors.INVALID_GROUP_ID, request.memberId));
    }
    if (
      request.sessionTimeoutMs < config.minSessionTimeoutMs ||
      request.sessionTimeoutMs > config.maxSessionTimeoutMs
    ) return Promise.resolve(joinError(Errors.INVALID_SESSION_TIMEOUT, request.memberId));
    return this.#parked(
      request.groupId,
      signals,
      (shard, reply) => shard.join(request, reply),
      (error) => joinError(error, request.memberId),
    );
  }

  /** Answers when the leader's assignment is committed. */
  syncGroup(request: SyncRequest, signals: ParkSignals): Promise<SyncResponse> {
    if (request.groupId === "") return Promise.resolve(syncError(Errors.INVALID_GROUP_ID));
    return this.#parked(
      request.groupId,
      signals,
      (shard, reply) => shard.sync(request, reply),
      syncError,
    );
  }

  heartbeat(request: MemberRequest): ErrorCode {
    if (request.groupId === "") return Errors.INVALID_GROUP_ID;
    const outcome = this.#runtime.now(
      this.partitionOf(request.groupId),
      (shard) => shard.heartbeat(request),
    );
    if (outcome.ok) return outcome.value;
    // The session starts again when the group is loaded, so this beat is as good as heard.
    return outcome.error === Errors.COORDINATOR_LOAD_IN_PROGRESS ? Errors.NONE : outcome.error;
  }

  /** How consumer groups are configured. */
  get consumerConfig(): ConsumerGroupConfig {
    return this.#options.config.consumer;
  }

  /** How streams groups are configured. */
  get streamsConfig(): StreamsGroupConfig {
    return this.#options.config.streams;
  }

  /** Answers when what the member has changed is committed. */
  async consumerHeartbeat(request: HeartbeatRequest): Promise<Checked<HeartbeatResponse>> {
    const outcome = await this.#runtime.write(
      this.partitionOf(request.groupId),
      (shard) => shard.consumer.heartbeat(request),
    );
    return outcome.ok ? outcome.value : refuse(outcome.error, errorName(outcome.error));
  }

  /** A consumer group with its members. */
  async describeConsumerGroup(groupId: string): Promise<Checked<ConsumerGroupDescription>> {
    const outcome = await this.#runtime.read(
      this.partitionOf(groupId),
      (shard) => shard.consumer.describe(groupId),
    );
    return outcome.ok ? outcome.value : refuse(outcome.error, errorName(outcome.error));
  }

  /** Answers when what the member has changed is committed. */
  async streamsHeartbeat(
    request: StreamsHeartbeatRequest,
  ): Promise<Checked<StreamsHeartbeatResponse>> {
    const outcome = await this.#runtime.write(
      this.partitionOf(request.groupId),
      (shard) => shard.streams.heartbeat(request),
    );
    return outcome.ok ? outcome.value : refuse(outcome.error, errorName(outcome.error));
  }

  /** A streams group with its members. */
  async describeStreamsGroup(groupId: string): Promise<Checked<StreamsGroupDescription>> {
    const outcome = await this.#runtime.read(
      this.partitionOf(groupId),
      (shard) => shard.streams.describe(groupId),
    );
    return outcome.ok ? outcome.value : refuse(outcome.error, errorName(outcome.error));
  }

  leaveGroup(
    groupId: string,
    members: readonly LeavingMember[],
  ): Promise<Outcome<readonly LeftMember[]>> {
    if (groupId === "") return Promise.resolve({ ok: false, error: Errors.INVALID_GROUP_ID });
    return this.#runtime.write(
      this.partitionOf(groupId),
      (shard) => shard.leave(groupId, members),
    );
  }

  /** With `transaction` the offsets count once that is committed. */
  async commitOffsets(
    request: CommitRequest,
    transaction?: RecordTransaction,
  ): Promise<PartitionErrors> {
    const partition = this.partitionOf(request.groupId);
    const outcome = await this.#runtime.write(
      partition,
      (shard) => shard.offsets.commit(request, transaction),
    );
    return outcome.ok ? outcome.value : outcome;
  }

  /** Writes the end of a transaction into a partition of the groups' topic. */
  async completeTransaction(
    partition: number,
    marker: EndTxnMarker,
    transactionVersion: number,
  ): Promise<ErrorCode> {
    const ended = await this.#runtime.completeTransaction(partition, marker, transactionVersion);
    return ended.ok ? Errors.NONE : ended.error;
  }

  /** Looks at a group's offsets; answers when what it saw is committed. */
  fetchOffsets<T>(groupId: string, look: (shard: GroupShard) => T): Promise<Outcome<T>> {
    return this.#runtime.read(this.partitionOf(groupId), look);
  }

  async deleteOffsets(
    groupId: string,
    topics: readonly { readonly name: string; readonly partitions: readonly number[] }[],
  ): Promise<PartitionErrors> {
    if (groupId === "") return { ok: false, error: Errors.INVALID_GROUP_ID };
    const outcome = await this.#runtime.write(
      this.partitionOf(groupId),
      (shard) => shard.offsets.delete(groupId, topics),
    );
    return outcome.ok ? outcome.value : outcome;
  }

  /** Runs an operation on the shard of a group; answers when its records are committed. */
  run<T>(
    groupId: string,
    operation: (shard: GroupShard) => CoordinatorResult<GroupRecord, T>,
  ): Promise<Outcome<T>> {
    return this.#runtime.write(this.partitionOf(groupId), operation);
  }

  /** How often members of a share group are to send a heartbeat. */
  shareHeartbeatIntervalMs(groupId: string): number {
    return this.#options.config.share.heartbeatIntervalMs(groupId);
  }

  /** All groups that are coordinated here. */
  async listGroups(): Promise<Outcome<readonly GroupListing[]>> {
    const partitions = this.#runtime.partitions();
    const outcomes = await Promise.all(
      partitions.map((partition) => this.#runtime.read(partition, (shard) => shard.list())),
    );
    const groups: GroupListing[] = [];
    for (const outcome of outcomes) {
      if (outcome.ok) groups.push(...outcome.value);
      else if (outcome.error !== Errors.NOT_COORDINATOR) return outcome;
    }
    return { ok: true, value: groups };
  }

  /** Shows all groups that are coordinated here with what they have committed, committed by the log or not. */
  visit(look: (group: Group, offsets: GroupOffsets) => void): void {
    for (const partition of this.#runtime.partitions()) {
      this.#runtime.now(partition, (shard) => shard.visit(look));
    }
  }

  /** A group, undefined if there is none of that id. */
  describeGroup(groupId: string): Promise<Outcome<GroupDescription | undefined>> {
    return this.#runtime.read(
      this.partitionOf(groupId),
      (shard) => shard.classic.describe(groupId),
    );
  }

  /** How it went for each of the groups. */
  async deleteGroups(groupIds: readonly string[]): Promise<ReadonlyMap<string, ErrorCode>> {
    const byPartition = Map.groupBy(groupIds, (groupId) => this.partitionOf(groupId));
    const errors = new Map<string, ErrorCode>();
    await Promise.all(
      [...byPartition].map(async ([partition, ids]) => {
        const outcome = await this.#runtime.write(partition, (shard) => shard.deleteGroups(ids));
        for (const groupId of ids) {
          const error = outcome.ok ? outcome.value.get(groupId) : outcome.error;
          errors.set(groupId, error ?? Errors.GROUP_ID_NOT_FOUND);
        }
      }),
    );
    return errors;
  }

  /** The partition of the groups' topic that a group belongs to. */
  partitionOf(groupId: string): number {
    return coordinatorPartition(groupId, this.#options.topic.partitionCount());
  }

  /** Runs an operation whose answer may come much later, or never if the connection goes. */
  #parked<T extends JoinResponse | SyncResponse>(
    groupId: string,
    signals: ParkSignals,
    operation: (shard: GroupShard, reply: Reply<T>) => Step,
    refused: (error: ErrorCode) => T,
  ): Promise<T> {
    const { connection, stopping } = signals;
    if (connection.aborted || stopping.aborted) {
      return Promise.resolve(refused(Errors.COORDINATOR_NOT_AVAILABLE));
    }
    const partition = this.partitionOf(groupId);
    return new Promise((resolve) => {
      const reply = (response: T) => {
        connection.removeEventListener("abort", abandon);
        stopping.removeEventListener("abort", abandon);
        resolve(response);
      };
      const abandon = () => {
        const abandoned = reply as Reply<never>;
        void this.#runtime.write(partition, (shard) => shard.classic.abandon(groupId, abandoned));
        reply(refused(Errors.COORDINATOR_NOT_AVAILABLE));
      };
      connection.addEventListener("abort", abandon, { once: true });
      stopping.addEventListener("abort", abandon, { once: true });
      void this.#runtime.write(partition, (shard) => operation(shard, reply)).then((outcome) => {
        if (!outcome.ok) reply(refused(outcome.error));
      });
    });
  }
}
