/**
 * Membership in a group by the classic protocol, eagerly: join, get an assignment, send heartbeats,
 * and on a rebalance give everything back and join again (Kafka's `AbstractCoordinator`). The range
 * and round-robin assignors are those that every client knows.
 */
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { joinGroup } from "../../core/protocol/11-join-group.ts";
import { heartbeat } from "../../core/protocol/12-heartbeat.ts";
import { leaveGroup } from "../../core/protocol/13-leave-group.ts";
import { syncGroup } from "../../core/protocol/14-sync-group.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import type { Cluster } from "../cluster.ts";
import { commitOffsets } from "../commit-offsets.ts";
import { ConnectionError, KafkaError, throwOnError } from "../errors.ts";
import {
  ASSIGNORS,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "../group-protocol.ts";
import type { TopicPartitions } from "../group-protocol.ts";
import type { PartitionPosition, ResolvedConsumerOptions } from "./options.ts";

/** What a member does with its partitions. */
export interface MembershipEvents {
  /** The partitions are this member's now. */
  assigned(partitions: readonly TopicPartitions[]): Promise<void>;
  /** They go to others: the last chance to commit, unless they are `lost` already. */
  revoked(lost: boolean): Promise<void>;
  /** Membership has ended for good. */
  failed(error: Error): void;
}

const PROTOCOL_TYPE = "consumer";
/** A join is answered at the end of the rebalance; it is given this much longer. */
const JOIN_SLACK_MS = 5000;

/** The member must join again; its partitions are lost if the group went on without it. */
class RejoinError extends Error {
  override readonly name = "RejoinError";
  constructor(readonly lost: boolean) {
    super("the group rebalances");
  }
}

/** One member of a group, from `start` to `stop`. */
export class Membership {
  #memberId = "";
  #generation = -1;
  #failures = 0;
  #failingSinceMs = 0;
  /** As leader: the partitions that were spread, by topic. */
  #spread: ReadonlyMap<string, number> | null = null;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  constructor(
    readonly cluster: Cluster,
    readonly groupId: string,
    readonly topics: readonly string[],
    readonly options: ResolvedConsumerOptions,
    readonly events: MembershipEvents,
  ) {}

  start(): void {
    this.#running ??= this.#run();
  }

  /** Leaves the group (a static member stays in it until its session ends). */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (this.#memberId === "" || this.options.groupInstanceId !== null) return;
    const memberId = this.#memberId;
    this.#memberId = "";
    try {
      const connection = await this.#coordinator();
      await connection.request(
        leaveGroup,
        (connection.versionOf(leaveGroup) ?? 0) >= 3
          ? { groupId: this.groupId, members: [{ memberId }] }
          : { groupId: this.groupId, memberId },
        { timeoutMs: this.options.heartbeatIntervalMs },
      );
    } catch (error) {
      // The session's end does the same, later.
      if (!(error instanceof ConnectionError || error instanceof KafkaError)) throw error;
    }
  }

  /** Commits as this member. Throws `KafkaError`, also when the group has gone on without it. */
  async commit(offsets: readonly PartitionPosition[]): Promise<void> {
    await commitOffsets(this.cluster, this.groupId, offsets, {
      generation: this.#generation,
      memberId: this.#memberId,
      groupInstanceId: this.options.groupInstanceId,
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let lost = true;
      try {
        const connection = await this.#coordinator();
        const assigned = await this.#join(connection);
        this.#failures = 0;
        await this.events.assigned(assigned);
        await this.#beat(connection);
        lost = false;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof RejoinError) lost = error.lost;
        else if (!this.#canRetry(error)) return this.events.failed(asError(error));
      }
      if (signal.aborted) return;
      await this.events.revoked(lost);
      if (this.#failures > 0) {
        try {
          await sleep(this.cluster.io.clock, this.cluster.backoffMs(this.#failures - 1), signal);
        } catch {
          return;
        }
      }
    }
  }

  async #coordinator(): Promise<Connection> {
    const node = await this.cluster.coordinator("group", this.groupId, {
      signal: this.#stop.signal,
    });
    return await this.cluster.connect(node, "coordinator");
  }

  async #join(connection: Connection): Promise<readonly TopicPartitions[]> {
    const { sessionTimeoutMs, rebalanceTimeoutMs, groupInstanceId } = this.options;
    const metadata = encodeSubscription(this.topics);
    const response = await connection.request(joinGroup, {
      groupId: this.groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId: this.#memberId,
      ...(groupInstanceId === null ? {} : { groupInstanceId }),
      protocolType: PROTOCOL_TYPE,
      protocols: Object.keys(ASSIGNORS).map((name) => ({ name, metadata })),
    }, { timeoutMs: rebalanceTimeoutMs + JOIN_SLACK_MS, signal: this.#stop.signal });
    if (response.errorCode === Errors.MEMBER_ID_REQUIRED) {
      // KIP-394: the id comes first, so that abandoned joins leave nothing behind.
      this.#memberId = response.memberId;
      return await this.#join(connection);
    }
    this.#check(response.errorCode, "join");
    this.#memberId = response.memberId;
    this.#generation = response.generationId;
    this.#spread = null;
    const leads = response.leader === response.memberId && !response.skipAssignment;
    const answer = await connection.request(syncGroup, {
      groupId: this.groupId,
      generationId: this.#generation,
      memberId: this.#memberId,
      ...(groupInstanceId === null ? {} : { groupInstanceId }),
      protocolType: PROTOCOL_TYPE,
      protocolName: response.protocolName,
      assignments: leads ? await this.#assignments(response) : [],
    }, { timeoutMs: rebalanceTimeoutMs + JOIN_SLACK_MS, signal: this.#stop.signal });
    this.#check(answer.errorCode, "sync with");
    return decodeAssignment(answer.assignment);
  }

  /** The leader's part: it spreads the partitions with the assignor that all members know. */
  async #assignments(
    { members, protocolName }: ResponseOf<typeof joinGroup>,
  ): Promise<{ memberId: string; assignment: Uint8Array }[]> {
    const assignor = ASSIGNORS[protocolName ?? ""];
    if (assignor === undefined) {
      throw new KafkaError(Errors.INCONSISTENT_GROUP_PROTOCOL, `group "${this.groupId}"`);
    }
    const subscribed = members.map(({ memberId, groupInstanceId, metadata }) => ({
      memberId,
      groupInstanceId,
      topics: decodeSubscription(metadata),
    }));
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
      this.cluster.touch(topic);
      const known = this.cluster.cached(topic);
      if (known !== undefined && known.partitions.length !== count) throw new RejoinError(false);
    }
  }

  /** Until a rebalance or failure throws. */
  async #beat(connection: Connection): Promise<void> {
    const { signal } = this.#stop;
    const { groupInstanceId } = this.options;
    for (;;) {
      await sleep(this.cluster.io.clock, this.options.heartbeatIntervalMs, signal);
      const { errorCode } = await connection.request(heartbeat, {
        groupId: this.groupId,
        generationId: this.#generation,
        memberId: this.#memberId,
        ...(groupInstanceId === null ? {} : { groupInstanceId }),
      }, { timeoutMs: this.options.sessionTimeoutMs, signal });
      this.#check(errorCode, "send a heartbeat to");
      this.#checkSpread();
    }
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

  /** Unless the error is for good or trouble has lasted too long. */
  #canRetry(error: unknown): boolean {
    const retriable = (error instanceof KafkaError || error instanceof ConnectionError) &&
      error.retriable;
    if (!retriable) return false;
    const nowMs = this.cluster.io.clock.monotonicMs();
    if (this.#failures++ === 0) this.#failingSinceMs = nowMs;
    this.cluster.forgetCoordinator("group", this.groupId);
    return nowMs - this.#failingSinceMs < this.cluster.options.apiTimeoutMs;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
