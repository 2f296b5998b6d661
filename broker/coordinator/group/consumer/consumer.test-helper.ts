/** Consumers of both protocols as clients are: they give up what is taken and say what they have. */
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import { decodeVersioned, encodeVersioned } from "../../../../core/protocol/codec.ts";
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from "../../../../core/protocol/records/consumer-protocol.ts";
import { GROUP, type GroupHarness } from "../group.test-helper.ts";
import type { ConsumerGroupDescription } from "./describe.ts";
import type { HeartbeatRequest, HeartbeatResponse } from "./heartbeat.ts";

/** How a consumer differs from one that subscribes to `t`. */
export interface SimConsumerOptions {
  readonly instanceId?: string;
  readonly topics?: readonly string[];
  readonly regex?: string;
  readonly assignor?: string;
  readonly rebalanceTimeoutMs?: number;
}

/** See the header. */
export class SimConsumer {
  memberEpoch = 0;
  /** What it reads. */
  owned = new Map<string, Set<number>>();
  topics: readonly string[];
  /** What it was told to read and does not yet, since it has to give up something first. */
  #wanted: Map<string, Set<number>> | null = null;
  #full = true;
  #said = "";

  constructor(
    readonly groups: GroupHarness,
    readonly memberId: string,
    readonly options: SimConsumerOptions = {},
  ) {
    this.topics = options.topics ?? ["t"];
  }

  /** The partitions that it reads, as `topic-partition`. */
  get partitions(): string[] {
    const names = new Map([...this.groups.topics].map(([name, id]) => [id, name]));
    return [...this.owned].flatMap(([id, own]) =>
      [...own].map((partition) => `${names.get(id) ?? id}-${partition}`)
    ).toSorted();
  }

  /** Gives up what was taken, without telling anybody yet. */
  revoke(): void {
    if (this.#wanted === null) return;
    this.owned = this.#wanted;
    this.#wanted = null;
  }

  /** Sends one heartbeat; `lost` is one whose answer does not arrive. */
  async beat(options: { lost?: boolean; keepsRevoked?: boolean } = {}): Promise<ErrorCode> {
    const outcome = await this.groups.consumerHeartbeat(this.#request());
    if (options.lost) {
      this.#full = true;
      return Errors.NONE;
    }
    if (!outcome.ok) {
      this.#full = true;
      if (LOST_MEMBERSHIP.has(outcome.error)) this.reset();
      return outcome.error;
    }
    this.#full = false;
    this.#take(outcome.value);
    if (!options.keepsRevoked) this.revoke();
    return Errors.NONE;
  }

  /** Leaves; a static member for a while (−2) unless it says otherwise. */
  async leave(epoch = this.options.instanceId === undefined ? -1 : -2): Promise<ErrorCode> {
    const outcome = await this.groups.consumerHeartbeat({
      memberId: this.memberId,
      memberEpoch: epoch,
      instanceId: this.options.instanceId ?? null,
    });
    this.reset();
    return outcome.ok ? Errors.NONE : outcome.error;
  }

  /** Has lost its place: it reads nothing and joins afresh. */
  reset(): void {
    this.memberEpoch = 0;
    this.owned = new Map();
    this.#wanted = null;
    this.#full = true;
    this.#said = "";
  }

  #request(): Partial<HeartbeatRequest> {
    const joins = this.memberEpoch === 0;
    const all = joins || this.#full;
    const said = JSON.stringify([this.partitions, this.topics]);
    const identity = {
      memberId: this.memberId,
      memberEpoch: this.memberEpoch,
      instanceId: this.options.instanceId ?? null,
    };
    if (!all && said === this.#said) return identity;
    this.#said = said;
    return {
      ...identity,
      rebalanceTimeoutMs: all ? this.options.rebalanceTimeoutMs ?? 60_000 : -1,
      subscribedTopicNames: this.options.regex === undefined ? this.topics : null,
      subscribedTopicRegex: this.options.regex ?? null,
      serverAssignor: this.options.assignor ?? null,
      owned: this.owned,
    };
  }

  #take(response: HeartbeatResponse): void {
    this.memberEpoch = response.memberEpoch;
    if (response.assignment === null) return;
    const wanted = new Map(
      [...response.assignment].map(([id, epochs]) => [id, new Set(epochs.keys())]),
    );
    this.#wanted = wanted;
    // What it keeps and what is new can be read at once; the rest is given up by `revoke`.
    for (const [id, partitions] of wanted) {
      this.owned.set(id, (this.owned.get(id) ?? new Set()).union(partitions));
    }
  }
}

const LOST_MEMBERSHIP: ReadonlySet<number> = new Set([
  Errors.FENCED_MEMBER_EPOCH,
  Errors.UNKNOWN_MEMBER_ID,
  Errors.GROUP_ID_NOT_FOUND,
]);

/** A cooperative subscription to `t` of a member that has these partitions. */
export const classicSubscription = (owned: readonly number[]) =>
  encodeVersioned(consumerProtocolSubscription, 3, {
    topics: ["t"],
    ownedPartitions: owned.length === 0 ? [] : [{ topic: "t", partitions: owned }],
  });

/** These partitions of `t`, as a leader assigns them. */
export const classicAssignment = (partitions: readonly number[]) =>
  encodeVersioned(consumerProtocolAssignment, 3, {
    assignedPartitions: [{ topic: "t", partitions }],
  });

const partitionsOf = (bytes: Uint8Array) =>
  decodeVersioned(consumerProtocolAssignment, bytes).assignedPartitions
    .flatMap(({ partitions }) => [...partitions]);

/** A cooperative consumer of the classic protocol in a group of either kind. */
export class ClassicConsumer {
  owned: number[] = [];
  generationId = -1;
  constructor(readonly groups: GroupHarness, public memberId = "") {}

  request() {
    return {
      memberId: this.memberId,
      protocols: [{ name: "cooperative-sticky", metadata: classicSubscription(this.owned) }],
    };
  }

  /** Joins a consumer group, where nobody is waited for, and gets its assignment. */
  async rejoin(): Promise<void> {
    let joined = this.groups.join(this.request());
    if (joined.answer?.error === Errors.MEMBER_ID_REQUIRED) {
      this.memberId = joined.answer.memberId;
      joined = this.groups.join(this.request());
    }
    await this.groups.clock.advance(0);
    if (joined.answer?.error !== Errors.NONE) throw new Error("the join was refused");
    this.generationId = joined.answer.generationId;
    await this.sync();
  }

  async sync(): Promise<void> {
    const { memberId, generationId } = this;
    const synced = this.groups.sync({ memberId, generationId });
    await this.groups.clock.advance(0);
    if (synced.answer?.error === Errors.REBALANCE_IN_PROGRESS) return;
    if (synced.answer?.error !== Errors.NONE) throw new Error("the sync was refused");
    this.owned = partitionsOf(synced.answer.assignment);
  }

  /** Joins if it has not, else sends a heartbeat and does what that says. */
  async beat(): Promise<void> {
    if (this.generationId === -1) return await this.rejoin();
    const error = this.groups.heartbeat(this.memberId, this.generationId);
    if (error === Errors.REBALANCE_IN_PROGRESS) await this.rejoin();
    else if (error !== Errors.NONE) throw new Error(`heartbeat: ${error}`);
  }
}

/** The group as ConsumerGroupDescribe shows it. */
export function describeGroup(groups: GroupHarness): ConsumerGroupDescription {
  const outcome = groups.runtime.now(0, (shard) => shard.consumer.describe(GROUP));
  if (!outcome.ok || !outcome.value.ok) throw new Error("no consumer group");
  return outcome.value.value;
}

/** Beats in rounds of one second until the group is stable; how many rounds it took. */
export async function untilStable(
  groups: GroupHarness,
  consumers: readonly SimConsumer[],
  roundsMax = 20,
): Promise<number> {
  for (let round = 1; round <= roundsMax; round++) {
    await groups.clock.advance(1_000);
    for (const consumer of consumers) await consumer.beat();
    if (groups.state() === "Stable") return round;
  }
  throw new Error(`not stable after ${roundsMax} rounds: ${groups.state()}`);
}
