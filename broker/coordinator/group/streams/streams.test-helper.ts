/** A thread of a Kafka Streams application as clients are: it gives up what is taken and says so. */
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import { type Outcome, refuse } from "../../../outcome.ts";
import { DEFAULT_GROUP_CONFIG, type StreamsGroupConfig } from "../group-config.ts";
import { GROUP, GroupHarness } from "../group.test-helper.ts";
import type { StreamsGroupDescription } from "./describe.ts";
import type { StreamsHeartbeatRequest, StreamsHeartbeatResponse } from "./parts.ts";
import type { Endpoint } from "./streams-member.ts";
import { type Role, ROLES, type TaskSet } from "./tasks.ts";
import type { Subtopology, TopicInfo, TopologyValue } from "./topology.ts";

/** An internal topic without a size of its own. */
export function internalTopic(name: string, partitions = 0): TopicInfo {
  const topicConfigs = [{ key: "cleanup.policy", value: "compact" }];
  return { name, partitions, replicationFactor: 0, topicConfigs };
}

export function subtopology(
  subtopologyId: string,
  sourceTopics: string[],
  more: Partial<Subtopology> = {},
): Subtopology {
  return {
    subtopologyId,
    sourceTopics,
    sourceTopicRegex: [],
    stateChangelogTopics: [],
    repartitionSinkTopics: [],
    repartitionSourceTopics: [],
    copartitionGroups: [],
    ...more,
  };
}

/** `t` is repartitioned into `r`, over which `c` keeps the state. */
export const WORD_COUNT: TopologyValue = {
  epoch: 0,
  subtopologies: [
    subtopology("0", ["t"], { repartitionSinkTopics: ["r"] }),
    subtopology("1", [], {
      repartitionSourceTopics: [internalTopic("r")],
      stateChangelogTopics: [internalTopic("c")],
    }),
  ],
};

/** A harness without the initial delay, `t` having this many partitions. */
export async function streamsHarness(
  partitions: number,
  config: Partial<StreamsGroupConfig> = {},
): Promise<GroupHarness> {
  const streams = {
    ...DEFAULT_GROUP_CONFIG.streams,
    initialRebalanceDelayMs: () => 0,
    assignmentIntervalMs: () => 0,
    ...config,
  };
  const groups = await new GroupHarness({ streams }).start();
  groups.setTopic("t", partitions);
  return groups;
}

/** Sends a StreamsGroupHeartbeat. */
export async function streamsHeartbeat(
  groups: GroupHarness,
  request: Partial<StreamsHeartbeatRequest>,
): Promise<Outcome<StreamsHeartbeatResponse>> {
  const full: StreamsHeartbeatRequest = {
    groupId: GROUP,
    memberId: "m",
    memberEpoch: 0,
    endpointInformationEpoch: -1,
    rackId: null,
    rebalanceTimeoutMs: -1,
    topology: null,
    owned: null,
    processId: null,
    userEndpoint: null,
    clientTags: null,
    shutdownApplication: false,
    clientId: "c",
    clientHost: "/127.0.0.1",
    ...request,
  };
  const outcome = await groups.runtime.write(0, (shard) => shard.streams.heartbeat(full));
  return outcome.ok ? outcome.value : refuse(outcome.error, "the log refused");
}

/** The group as StreamsGroupDescribe shows it. */
export function describeGroup(groups: GroupHarness): StreamsGroupDescription {
  const outcome = groups.runtime.now(0, (shard) => shard.streams.describe(GROUP));
  if (!outcome.ok || !outcome.value.ok) throw new Error("no streams group");
  return outcome.value.value;
}

type OwnTasks = Record<Role, Map<string, Set<number>>>;

const noTasks = (): OwnTasks => ({ active: new Map(), standby: new Map(), warmup: new Map() });

/** Tasks as `subtopology_partition`. */
export function names(tasks: TaskSet): string[] {
  return [...tasks].flatMap(([id, own]) => [...own.keys()].map((task) => `${id}_${task}`))
    .toSorted();
}

/** How a thread differs from one that counts words in a process of its own. */
export interface SimThreadOptions {
  readonly processId?: string;
  readonly topology?: TopologyValue;
  readonly endpoint?: Endpoint;
  readonly rebalanceTimeoutMs?: number;
}

/** See the header. */
export class SimThread {
  memberEpoch = 0;
  owned = noTasks();
  endpointEpoch = -1;
  last: StreamsHeartbeatResponse | null = null;
  #wanted: OwnTasks | null = null;

  constructor(
    readonly groups: GroupHarness,
    readonly memberId: string,
    readonly options: SimThreadOptions = {},
  ) {}

  get processId(): string {
    return this.options.processId ?? `process of ${this.memberId}`;
  }

  get active(): string[] {
    return names(this.owned.active);
  }

  get standby(): string[] {
    return names(this.owned.standby);
  }

  /** The codes of what it was told last. */
  get status(): number[] {
    return (this.last?.status ?? []).map((each) => each.statusCode);
  }

  /** One heartbeat; `lost` is one whose answer does not arrive. Missing topics are created. */
  async beat(
    options: { lost?: boolean; keepsRevoked?: boolean; createsTopics?: boolean } = {},
  ): Promise<ErrorCode> {
    const joins = this.memberEpoch === 0;
    const outcome = await streamsHeartbeat(this.groups, {
      memberId: this.memberId,
      memberEpoch: this.memberEpoch,
      endpointInformationEpoch: this.endpointEpoch,
      owned: this.owned,
      ...(joins && {
        rebalanceTimeoutMs: this.options.rebalanceTimeoutMs ?? 60_000,
        topology: this.options.topology ?? WORD_COUNT,
        processId: this.processId,
        userEndpoint: this.options.endpoint ?? null,
        clientTags: [],
      }),
    });
    if (options.lost) return Errors.NONE;
    if (!outcome.ok) {
      if (LOST_MEMBERSHIP.has(outcome.error)) this.reset();
      return outcome.error;
    }
    this.last = outcome.value;
    this.memberEpoch = outcome.value.memberEpoch;
    if (outcome.value.partitionsByUserEndpoint !== null) {
      this.endpointEpoch = outcome.value.endpointInformationEpoch;
    }
    this.#take(outcome.value);
    if (!options.keepsRevoked) this.revoke();
    if (options.createsTopics !== false) {
      for (const topic of outcome.value.topicsToCreate) {
        this.groups.setTopic(topic.name, topic.partitions);
      }
    }
    return Errors.NONE;
  }

  /** Gives up what was taken, without telling anybody yet. */
  revoke(): void {
    if (this.#wanted === null) return;
    this.owned = this.#wanted;
    this.#wanted = null;
  }

  async leave(shutdownApplication = false): Promise<ErrorCode> {
    const { memberId } = this;
    const outcome = await streamsHeartbeat(this.groups, {
      memberId,
      memberEpoch: -1,
      shutdownApplication,
    });
    this.reset();
    return outcome.ok ? Errors.NONE : outcome.error;
  }

  /** Has lost its place: it runs nothing and joins afresh. */
  reset(): void {
    this.memberEpoch = 0;
    this.owned = noTasks();
    this.#wanted = null;
  }

  #take({ tasks }: StreamsHeartbeatResponse): void {
    if (tasks === null) return;
    const wanted = noTasks();
    for (const role of ROLES) {
      for (const [id, own] of tasks[role]) {
        wanted[role].set(id, new Set(own.keys()));
        const known = this.owned[role].get(id) ?? new Set();
        this.owned[role].set(id, known.union(wanted[role].get(id)!));
      }
    }
    this.#wanted = wanted;
  }
}

const LOST_MEMBERSHIP: ReadonlySet<number> = new Set([
  Errors.FENCED_MEMBER_EPOCH,
  Errors.UNKNOWN_MEMBER_ID,
  Errors.GROUP_ID_NOT_FOUND,
]);

/** Beats in rounds of one second until the group is stable; how many rounds it took. */
export async function untilStable(
  groups: GroupHarness,
  threads: readonly SimThread[],
  roundsMax = 20,
): Promise<number> {
  for (let round = 1; round <= roundsMax; round++) {
    await groups.clock.advance(1_000);
    for (const thread of threads) await thread.beat();
    if (groups.state() === "Stable") return round;
  }
  throw new Error(`not stable after ${roundsMax} rounds: ${groups.state()}`);
}
