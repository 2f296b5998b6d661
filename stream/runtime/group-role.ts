/**
 * A member of the application's group, by the classic protocol: what it says when it joins, how the leader
 * shares tasks out, and what of an assignment is taken up and given up (KIP-429: what stays goes on).
 */
import type { Admin } from "../../client/admin.ts";
import type { Cluster } from "../../client/cluster.ts";
import type { CommittingMember } from "../../client/commit-offsets.ts";
import {
  ClassicMember,
  type ClassicRole,
  type JoinResponse,
  RejoinError,
} from "../../client/consumer/classic-member.ts";
import {
  assignmentUserData,
  byTopic,
  decodeAssignment,
  decodeSubscription,
  eachPartition,
  encodeAssignment,
  encodeSubscription,
  type TopicPartitions,
} from "../../client/group-protocol.ts";
import { isRetriableError, KafkaError } from "../../client/errors.ts";
import { Errors } from "../../core/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";
import {
  type AssignableTask,
  ASSIGNOR_NAME,
  assignTasks,
  decodeTaskAssignment,
  decodeTaskSubscription,
  encodeTaskAssignment,
  encodeTaskSubscription,
  partsOf,
  type QueryableHost,
  RUNNING,
  type SaidAssignment,
  type SaidSubscription,
  type StreamMember,
  type TaskId,
} from "../assignor/index.ts";
import {
  type GroupMembership,
  type GroupSelf,
  type TaskHolder,
  TELL_OUTAGE_AFTER_MS,
} from "./group-membership.ts";
import { otherTopology, shutdownRequested } from "./group-refusals.ts";
import { partitionsOf } from "./task-partitions.ts";
import type { TopicPlan } from "./topic-plan.ts";
import { sharedShape } from "./topology-shape.ts";

/** Of the session: so much is left to close tasks in when the member has not heard of its group. */
const SESSION_MARGIN = 1 / 4;
/** So often the leader looks whether topics have got partitions, or are gone. */
const LOOK_MS = 10_000;
/** A topic that is missing for so long is gone: a broker that has just begun may not know it yet. */
const GONE_MS = 15_000;

/** What a member that shares tasks out knows besides. */
export interface ClassicSelf extends GroupSelf {
  /** Of its topology (`topologyShape`). */
  readonly shape: number;
}

/** See the head of the file. */
export class GroupRole implements ClassicRole, GroupMembership {
  readonly #member: ClassicMember;
  #awaited: readonly TaskId[] = [];
  #probeAtMs: number | null = null;
  /** As leader: what was shared out. */
  #shared: ReadonlyMap<string, number> | null = null;
  #lookAtMs = 0;
  /** Since when a topic is not there that tasks read. */
  #missingSinceMs: number | null = null;
  #isJoining = false;
  #wantsShutdown = false;
  /** The last assignment was of tasks of another topology. */
  #isForeign = false;
  #hosts: readonly QueryableHost[] = [];

  constructor(
    private readonly cluster: Cluster,
    private readonly admin: Admin,
    private readonly self: ClassicSelf,
    private readonly holder: TaskHolder,
  ) {
    const { applicationId, sessionTimeoutMs, ...config } = self.config;
    this.#member = new ClassicMember(cluster, applicationId, {
      protocolType: "consumer",
      sessionTimeoutMs,
      heartbeatIntervalMs: config.heartbeatIntervalMs,
      rebalanceTimeoutMs: config.maxPollIntervalMs,
      groupInstanceId: config.groupInstanceId,
      sessionMarginMs: sessionTimeoutMs * SESSION_MARGIN,
      tellAfterMs: TELL_OUTAGE_AFTER_MS,
    }, this);
  }

  start(): void {
    this.#member.start();
  }

  stop(): Promise<void> {
    return this.#member.stop();
  }

  shutDownAll(): void {
    this.#wantsShutdown = true;
    this.#member.rejoin();
  }

  get hosts(): readonly QueryableHost[] {
    return this.#hosts;
  }

  get member(): CommittingMember {
    const { generation, memberId } = this.#member;
    return { generation, memberId, groupInstanceId: this.self.config.groupInstanceId };
  }

  get isInSession(): boolean {
    return this.#member.session.leftMs > 0;
  }

  get isJoining(): boolean {
    return this.#isJoining;
  }

  hasSomething(): boolean {
    return this.holder.active().length + this.holder.standby().length > 0;
  }

  beforeJoin(): Promise<void> {
    return this.holder.beforeJoin();
  }

  protocols(): Promise<{ name: string; metadata: Uint8Array }[]> {
    this.#isJoining = true;
    this.#shared = null;
    const { processId, endpoint, config, topics, shape } = this.self;
    const plan = topics.plan;
    const active = this.holder.active();
    const userData = encodeTaskSubscription({
      processId,
      shape,
      endpoint,
      threads: 1,
      tags: config.clientTags,
      wantsShutdown: this.#wantsShutdown,
      ownedActive: active,
      ownedStandby: this.holder.standby(),
      awaited: this.#awaited,
      positions: this.holder.positions(),
    });
    const metadata = encodeSubscription([...plan.partitionCounts.keys()], {
      owned: byTopic(active.flatMap((task) => partitionsOf(task, plan))),
      generation: active.length === 0 ? -1 : this.#member.generation,
      userData,
    });
    return Promise.resolve([{ name: ASSIGNOR_NAME, metadata }]);
  }

  joined(): void {
    this.#isJoining = false;
  }

  async assign(
    { members }: JoinResponse,
  ): Promise<{ memberId: string; assignment: Uint8Array }[]> {
    const said = members.map(({ memberId, groupInstanceId, metadata }) => {
      const { userData, generation, owned } = decodeSubscription(metadata);
      const of = decodeTaskSubscription(userData);
      if (of === null) throw strangers(this.self.config.applicationId);
      return { memberId, instanceId: groupInstanceId, generation, owned, said: of };
    });
    const shape = sharedShape(said, this.self.shape);
    const toAll = (error: NonNullable<SaidAssignment["error"]>) =>
      said.map(({ memberId }) => assignmentOf(memberId, [], { ...NOTHING, shape, error }));
    if (said.some((each) => each.said.wantsShutdown)) return toAll("shutdown-requested");
    // It ends, and the next leader shares out: until then each has what it has.
    if (shape !== this.self.shape) return said.map((each) => asBefore(each, shape));
    const plan = await this.#plan();
    if (plan === null) return toAll("missing-source-topics");
    const tasks = tasksOf(plan);
    const ends = await this.#changelogEnds(plan, tasks);
    const { config } = this.self;
    const { members: shares, isProbingWanted } = assignTasks({
      tasks,
      members: said.filter((each) => each.said.shape === shape)
        .map((each) => streamMember(each, ends)),
      standbyReplicas: config.standbyReplicas,
      acceptableRecoveryLag: config.acceptableRecoveryLag,
      maxWarmupReplicas: config.maxWarmupReplicas,
      rackTags: config.rackTags,
    });
    this.#shared = plan.partitionCounts;
    this.#missingSinceMs = null;
    const hosts = said.flatMap(({ memberId, said: { endpoint } }): QueryableHost[] => {
      const share = shares.get(memberId);
      if (endpoint === null || share === undefined) return [];
      return [{ endpoint, active: share.active, standby: [...share.standby, ...share.warmup] }];
    });
    const probeAfterMs = isProbingWanted ? config.probingRebalanceIntervalMs : null;
    const awaited = new Set([...shares.values()].flatMap((share) => share.awaited));
    // Who gives up what others wait for joins again at once. A static member that was killed before that
    // gets this very assignment when it is back, without a rebalance: it is told to join again, too.
    const owners = new Set(
      said.filter((each) => each.said.ownedActive.some((task) => awaited.has(task)))
        .map(({ memberId }) => memberId),
    );
    const probeAfterOf = (memberId: string) => {
      if (owners.has(memberId)) return 0;
      // One that looks again is enough.
      return memberId === this.#member.memberId ? probeAfterMs : null;
    };
    return said.map(({ memberId }) => {
      const share = shares.get(memberId);
      if (share === undefined) return assignmentOf(memberId, [], { ...NOTHING, shape });
      const owned = byTopic(share.active.flatMap((task) => partitionsOf(task, plan)));
      const probeAfterMs = probeAfterOf(memberId);
      return assignmentOf(memberId, owned, { ...share, shape, hosts, error: null, probeAfterMs });
    });
  }

  async settle(bytes: Uint8Array): Promise<boolean> {
    // The leader has not known of this member: it joins again.
    if (bytes.length === 0) return true;
    const said = decodeTaskAssignment(assignmentUserData(bytes));
    if (said === null) throw strangers(this.self.config.applicationId);
    if (said.error !== null) {
      this.holder.failed(refusal(said.error), true);
      return false;
    }
    if (said.shape !== this.self.shape) return this.#metOthers();
    this.#isForeign = false;
    this.#awaited = said.awaited;
    this.#hosts = said.hosts;
    this.#probeAtMs = said.probeAfterMs === null
      ? null
      : this.cluster.io.clock.monotonicMs() + said.probeAfterMs;
    const wanted = new Set(said.active);
    const gone = this.holder.active().filter((task) => !wanted.has(task));
    if (gone.length > 0) await this.holder.revoke(gone);
    const standby = [...said.standby, ...said.warmup];
    const { topics } = this.self;
    const { stopping } = this.#member;
    await topics.cover([...said.active, ...standby], stopping);
    const assigned = eachPartition(decodeAssignment(bytes));
    if (!await topics.agree(said.active, assigned, stopping)) return true;
    await this.holder.take(said.active, standby);
    return gone.length > 0;
  }

  /**
   * What is assigned is of another topology. The first time that may be what a static member had that
   * was here before: who joins again is given tasks anew.
   */
  #metOthers(): boolean {
    if (this.#isForeign) this.holder.failed(otherTopology(this.self.config.applicationId), true);
    const joinsAgain = !this.#isForeign;
    this.#isForeign = true;
    return joinsAgain;
  }

  async check(): Promise<void> {
    if (this.#probeAtMs !== null && this.cluster.io.clock.monotonicMs() >= this.#probeAtMs) {
      this.#probeAtMs = null;
      throw new RejoinError(false);
    }
    if (this.#shared === null) return;
    this.#lookAtTopics(this.#shared);
    if (await this.self.topics.hasOthers(this.#member.stopping)) throw new RejoinError(false);
  }

  /** As leader: whether topics are as they were when tasks were shared out, by the last answer. */
  #lookAtTopics(shared: ReadonlyMap<string, number>): void {
    const { cluster } = this.admin;
    const nowMs = cluster.io.clock.monotonicMs();
    const counts = [...shared].map(([topic, count]) => ({ topic, count }));
    const isMissing = counts.some(({ topic }) => cluster.cached(topic) === undefined);
    this.#missingSinceMs = isMissing ? this.#missingSinceMs ?? nowMs : null;
    const isGone = nowMs - (this.#missingSinceMs ?? nowMs) >= GONE_MS;
    const isOther = counts.some(({ topic, count }) => {
      const known = cluster.cached(topic);
      return known !== undefined && known.partitions.length !== count;
    });
    if (isGone || isOther) throw new RejoinError(false);
    if (nowMs < this.#lookAtMs) return;
    this.#lookAtMs = nowMs + LOOK_MS;
    // Where nobody answers it shows elsewhere.
    cluster.refresh([...shared.keys()]).catch(() => {});
  }

  sessionOver(): void {
    this.holder.sessionOver();
  }

  recovered(): void {
    this.holder.recovered();
  }

  async lose(): Promise<void> {
    this.#awaited = [];
    this.#hosts = [];
    this.#isJoining = false;
    await this.holder.lose();
  }

  failed(error: Error, isFatal: boolean): void {
    const isStrange = error instanceof KafkaError &&
      error.code === Errors.INCONSISTENT_GROUP_PROTOCOL;
    this.holder.failed(isStrange ? strangers(this.self.config.applicationId) : error, isFatal);
  }

  /** Null: topics are not as they have to be, which has been told. */
  async #plan(): Promise<TopicPlan | null> {
    try {
      return await this.self.topics.look(this.#member.stopping);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      this.holder.failed(error, true);
      return null;
    }
  }

  /** By task: the sum of the ends of its changelogs. */
  async #changelogEnds(
    { subtopologies }: TopicPlan,
    tasks: readonly AssignableTask[],
  ): Promise<ReadonlyMap<TaskId, bigint>> {
    const queries = tasks.flatMap(({ id }) => {
      const [subtopology, partition] = partsOf(id);
      const topics = [...subtopologies[subtopology]!.changelogs.values()];
      return topics.map((topic) => ({ id, topic, partition, at: "latest" as const }));
    });
    const ends = new Map(tasks.map(({ id }) => [id, 0n]));
    if (queries.length === 0) return ends;
    const answers = await this.admin.listOffsets(queries, { signal: this.#member.stopping });
    answers.forEach(({ error, offset }, i) => {
      if (error !== null && !isRetriableError(error)) throw error;
      const { id } = queries[i]!;
      ends.set(id, ends.get(id)! + (error === null ? offset : 0n));
    });
    return ends;
  }
}

function tasksOf({ subtopologies }: TopicPlan): AssignableTask[] {
  return subtopologies.flatMap(({ subtopology, tasks, changelogs }) =>
    Array.from({ length: tasks }, (_, partition) => ({
      id: `${subtopology.id}_${partition}`,
      isStateful: changelogs.size > 0,
    }))
  );
}

interface SaidMember {
  readonly memberId: string;
  readonly owned: readonly TopicPartitions[];
  readonly instanceId: string | null;
  readonly generation: number;
  readonly said: SaidSubscription;
}

function streamMember(
  { said, memberId, instanceId, generation }: SaidMember,
  ends: ReadonlyMap<TaskId, bigint>,
): StreamMember {
  const { processId, threads, tags, ownedActive, ownedStandby, awaited } = said;
  const lagByTask = new Map([...said.positions].map(([task, position]) => {
    const lag = position === RUNNING ? 0n : (ends.get(task) ?? 0n) - position;
    return [task, lag < 0n ? 0 : Number(lag)];
  }));
  return {
    ...{ memberId, instanceId, generation, processId, threads, tags },
    ...{ ownedActive, ownedStandby, awaited, lagByTask },
  };
}

function asBefore({ memberId, owned, said }: SaidMember, shape: number) {
  if (said.shape !== shape) return assignmentOf(memberId, [], { ...NOTHING, shape });
  const { ownedActive: active, ownedStandby: standby } = said;
  return assignmentOf(memberId, owned, { ...NOTHING, shape, active, standby });
}

const NOTHING: Omit<SaidAssignment, "shape"> = {
  ...{ error: null, active: [], standby: [], warmup: [], awaited: [] },
  ...{ probeAfterMs: null, hosts: [] },
};

function assignmentOf(
  memberId: string,
  partitions: readonly TopicPartitions[],
  said: SaidAssignment,
) {
  return { memberId, assignment: encodeAssignment(partitions, encodeTaskAssignment(said)) };
}

function refusal(error: NonNullable<SaidAssignment["error"]>): OperatorError {
  switch (error) {
    case "missing-source-topics":
      return new OperatorError(
        "the application ends",
        "topics that it reads are missing, or are not as it needs them",
        "see what the member says that leads the group",
      );
    case "assignment-failed":
      return new OperatorError("the application ends", "its tasks could not be shared out", "");
    case "shutdown-requested":
      return shutdownRequested();
  }
}

function strangers(applicationId: string): OperatorError {
  return new OperatorError(
    `this member cannot work in group "${applicationId}"`,
    "others in it are of another version, or of another kind, as applications in Java",
    "stop those first, or take another application.id",
  );
}
