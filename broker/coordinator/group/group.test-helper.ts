/** A group coordinator's shard in its runtime, over a log in memory and a clock moved by hand. */
import { type ErrorCode, Errors } from "../../../core/errors.ts";
import { type Outcome as Checked, refuse } from "../../outcome.ts";
import { ZERO_UUID } from "../../../core/protocol/schema.ts";
import {
  ListLogger,
  ManualClock,
  MemoryLog,
  SeededRandom,
  settle,
} from "../coordinator.test-helper.ts";
import { CoordinatorRuntime } from "../runtime.ts";
import type { JoinResponse, SyncResponse } from "./classic/classic-group.ts";
import { DEFAULT_GROUP_CONFIG, type GroupConfig } from "./group-config.ts";
import { groupRecordCodec } from "./group-codec.ts";
import type { GroupRecord } from "./group-records.ts";
import type { HeartbeatRequest, HeartbeatResponse } from "./consumer/heartbeat.ts";
import type { Topics, TopicsChange } from "./group.ts";
import { GroupShard } from "./group-shard.ts";
import type { JoinRequest } from "./classic/join.ts";
import type { SyncRequest } from "./classic/membership.ts";

export const GROUP = "g";

/** A ConsumerProtocolSubscription of version 0. */
export function subscription(...topics: string[]): Uint8Array {
  const names = topics.map((topic) => Buffer.from(topic));
  const parts = [Buffer.from([0, 0, 0, 0, 0, names.length])];
  for (const name of names) parts.push(Buffer.from([0, name.length]), name);
  parts.push(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  return new Uint8Array(Buffer.concat(parts));
}

/** A topic id that tells its name. */
export function topicIdOf(name: string): string {
  return Buffer.from(name.padEnd(16, "_").slice(0, 16)).toString("base64url");
}

/** A request that waits, and its answer when it has come. */
export interface Waiting<T> {
  answer: T | null;
}

/** See the header. */
export class GroupHarness {
  readonly clock = new ManualClock();
  readonly logger = new ListLogger();
  readonly topics = new Map<string, string>([["t", ZERO_UUID.replace("A", "B")]]);
  /** How many partitions topics have, where it is not one. */
  readonly partitionCounts = new Map<string, number>();
  metadataVersion = 1;
  runtime: CoordinatorRuntime<GroupRecord, GroupShard>;

  constructor(
    readonly config: Partial<GroupConfig> = {},
    readonly log = new MemoryLog(),
    readonly random = new SeededRandom(1),
  ) {
    this.runtime = this.#newRuntime();
  }

  /** Loads the log; also as a restart that keeps nothing but the log. */
  async start(): Promise<this> {
    this.runtime.close();
    this.runtime = this.#newRuntime();
    void this.runtime.elect(0, this.log);
    for (let turn = 0; turn < 10_000; turn++) {
      await this.clock.advance(0);
      const loaded = this.runtime.now(0, () => true);
      if (loaded.ok) return this;
    }
    throw new Error("the shard was not loaded");
  }

  #newRuntime(): CoordinatorRuntime<GroupRecord, GroupShard> {
    const { clock, logger, random } = this;
    return new CoordinatorRuntime({
      name: "group coordinator",
      clock,
      logger,
      codecs: {},
      recordCodec: groupRecordCodec,
      commitTimeoutMs: 5_000,
      newShard: (_partition, timers) =>
        new GroupShard({
          config: { ...DEFAULT_GROUP_CONFIG, initialRebalanceDelayMs: 0, ...this.config },
          clock,
          random,
          logger,
          timers,
          topics: this.#topicsView(),
        }),
    });
  }

  #topicsView(): Topics {
    const view = (name: string, id: string) => {
      return { id, name, partitions: { length: this.partitionCounts.get(name) ?? 1 } };
    };
    return {
      byName: (name) => {
        const id = this.topics.get(name);
        return id === undefined ? undefined : view(name, id);
      },
      byId: (id) => {
        const name = [...this.topics].find((each) => each[1] === id)?.[0];
        return name === undefined ? undefined : view(name, id);
      },
      all: () => [...this.topics].map(([name, id]) => view(name, id)),
      version: () => this.metadataVersion,
    };
  }

  /** Makes or changes a topic, and tells the shard. */
  setTopic(name: string, partitions: number): void {
    const created = !this.topics.has(name);
    if (created) this.topics.set(name, topicIdOf(name));
    this.partitionCounts.set(name, partitions);
    this.#topicsChanged({ names: [name], created, deleted: false });
  }

  deleteTopic(name: string): void {
    this.topics.delete(name);
    this.#topicsChanged({ names: [name], created: false, deleted: true });
  }

  #topicsChanged(change: TopicsChange): void {
    this.metadataVersion++;
    this.runtime.now(0, (shard) => shard.onTopicsChanged(change));
  }

  /** Sends a ConsumerGroupHeartbeat. */
  async consumerHeartbeat(
    request: Partial<HeartbeatRequest>,
  ): Promise<Checked<HeartbeatResponse>> {
    const full: HeartbeatRequest = {
      groupId: GROUP,
      memberId: "m",
      memberEpoch: 0,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: -1,
      subscribedTopicNames: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      owned: null,
      clientId: "c",
      clientHost: "/127.0.0.1",
      canDescribe: () => true,
      ...request,
    };
    const outcome = await this.runtime.write(0, (shard) => shard.consumer.heartbeat(full));
    return outcome.ok ? outcome.value : refuse(outcome.error, "the log refused");
  }

  /** Sends a JoinGroup and does not wait for its answer. */
  join(request: Partial<JoinRequest> = {}): Waiting<JoinResponse> {
    const waiting: Waiting<JoinResponse> = { answer: null };
    const full: JoinRequest = {
      groupId: GROUP,
      memberId: "",
      groupInstanceId: null,
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: subscription("t") }],
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 60_000,
      reason: null,
      clientId: "c",
      clientHost: "/127.0.0.1",
      requiresKnownMemberId: true,
      supportsSkippingAssignment: true,
      ...request,
    };
    void this.runtime.write(0, (shard) =>
      shard.join(full, (response) => {
        if (waiting.answer !== null) throw new Error("answered twice");
        waiting.answer = response;
      }));
    return waiting;
  }

  /** Gets a member id as clients do (KIP-394), then joins with it. */
  joinNew(request: Partial<JoinRequest> = {}): Waiting<JoinResponse> & { memberId: string } {
    const first = this.join(request);
    if (first.answer?.error !== Errors.MEMBER_ID_REQUIRED) throw new Error("no member id given");
    const { memberId } = first.answer;
    return Object.assign(this.join({ ...request, memberId }), { memberId });
  }

  sync(request: Partial<SyncRequest> & { memberId: string }): Waiting<SyncResponse> {
    const waiting: Waiting<SyncResponse> = { answer: null };
    const full: SyncRequest = {
      groupId: GROUP,
      groupInstanceId: null,
      generationId: 1,
      protocolType: null,
      protocolName: null,
      assignments: new Map(),
      ...request,
    };
    void this.runtime.write(0, (shard) =>
      shard.sync(full, (response) => {
        if (waiting.answer !== null) throw new Error("answered twice");
        waiting.answer = response;
      }));
    return waiting;
  }

  heartbeat(memberId: string, generationId: number, instanceId: string | null = null): ErrorCode {
    const outcome = this.runtime.now(
      0,
      (shard) =>
        shard.heartbeat({
          groupId: GROUP,
          memberId,
          groupInstanceId: instanceId,
          generationId,
        }),
    );
    return outcome.ok ? outcome.value : outcome.error;
  }

  /** Removes one member; the error of that member. */
  async leave(memberId: string, groupInstanceId: string | null = null): Promise<ErrorCode> {
    const outcome = await this.runtime.write(
      0,
      (shard) => shard.leave(GROUP, [{ memberId, groupInstanceId, reason: null }]),
    );
    return outcome.ok ? outcome.value[0]!.error : outcome.error;
  }

  /** Commits an offset of partition 0; the error of that partition or of all. */
  async commit(
    offset: bigint,
    more: { memberId?: string; generationId?: number; metadata?: string; topic?: string } = {},
  ): Promise<ErrorCode> {
    const topic = more.topic ?? "t";
    const outcome = await this.runtime.write(0, (shard) =>
      shard.offsets.commit({
        groupId: GROUP,
        memberId: more.memberId ?? "",
        groupInstanceId: null,
        generationId: more.generationId ?? -1,
        retentionMs: null,
        knowsGroupIdNotFound: true,
        knowsStaleMemberEpoch: true,
        isTransactional: false,
        topics: [{
          name: topic,
          topicId: this.topics.get(topic) ?? ZERO_UUID,
          partitions: [{ partition: 0, offset, leaderEpoch: -1, metadata: more.metadata ?? "" }],
        }],
      }));
    if (!outcome.ok) return outcome.error;
    return outcome.value.ok ? outcome.value.topics[0]!.partitions[0]!.error : outcome.value.error;
  }

  offset(topic = "t"): bigint | null {
    const outcome = this.runtime.now(0, (shard) => shard.offsets.get(GROUP, topic, 0));
    return (outcome.ok ? outcome.value?.offset : undefined) ?? null;
  }

  state(): string {
    const outcome = this.runtime.now(0, (shard) => shard.find(GROUP));
    return (outcome.ok ? outcome.value?.state : undefined) ?? "Dead";
  }

  /** A stable group of `count` members of one session each, all assigned their own number. */
  async stable(count: number, request: Partial<JoinRequest> = {}): Promise<string[]> {
    const joins = Array.from({ length: count }, () => this.joinNew(request));
    await this.clock.advance(0);
    const generationId = joins[0]!.answer?.generationId ?? -1;
    const leader = joins[0]!.answer?.leader ?? "";
    const memberIds = joins.map((join) => join.memberId);
    const assignments = new Map(memberIds.map((id, i) => [id, Uint8Array.of(i)]));
    for (const memberId of memberIds) {
      this.sync({
        memberId,
        generationId,
        assignments: memberId === leader ? assignments : new Map(),
      });
    }
    await settle();
    return memberIds;
  }
}
