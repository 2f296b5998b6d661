/** A consumer of the new protocol as clients are: it gives up what is taken and says what it has. */
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
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
