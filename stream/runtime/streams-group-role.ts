/**
 * A member of the application's group where the broker shares tasks out (KIP-1071; Kafka's
 * `StreamsMembershipManager` and `StreamsGroupHeartbeatRequestManager`): it sends its topology when it
 * joins, the broker makes the topics between, and each heartbeat may change what tasks it has. What is to
 * go is given up, then the rest is taken, then the broker is told.
 */
import type { Cluster } from "../../client/cluster.ts";
import type { CommittingMember } from "../../client/commit-offsets.ts";
import {
  FencedError,
  type HeartbeatAnswer,
  HeartbeatMember,
  type HeartbeatOptions,
  type HeartbeatRole,
  JOINING_EPOCH,
  type MemberIdentity,
} from "../../client/consumer/heartbeat-member.ts";
import { throwOnError } from "../../client/errors.ts";
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { streamsGroupHeartbeat } from "../../core/protocol/88-streams-group-heartbeat.ts";
import type { EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import type { QueryableHost, TaskId } from "../assignor/index.ts";
import {
  type GroupMembership,
  type GroupSelf,
  type TaskHolder,
  TELL_OUTAGE_AFTER_MS,
} from "./group-membership.ts";
import { GroupStatus } from "./group-status.ts";
import type { GroupTopology } from "./group-topology.ts";
import {
  endpointOf,
  hostsOf,
  NO_TASKS,
  sameTasks,
  taskIds,
  type Tasks,
  tasksIn,
} from "./group-tasks.ts";
import { notOffered, refusedByGroup } from "./group-refusals.ts";

type Response = ResponseOf<typeof streamsGroupHeartbeat>;
type Endpoints = NonNullable<Response["partitionsByUserEndpoint"]>;

const FIRST_INTERVAL_MS = 1000;
/** Of the session: so much is left to close tasks in when the member has not heard of its group. */
const SESSION_MARGIN = 1 / 4;
/** No endpoints are known. */
const NO_ENDPOINTS = -1;

/** See the head of the file. */
export class StreamsGroupRole implements HeartbeatRole, GroupMembership {
  readonly #member: HeartbeatMember;
  readonly #status: GroupStatus;
  /** What the broker wants this member to have. */
  #target: Tasks = NO_TASKS;
  #owned: Tasks = NO_TASKS;
  /** The group gets a new epoch when topics change, too: tasks may read other partitions then. */
  #epochChanges = 0;
  /** Those after which it was looked. */
  #changesSeen = 0;
  /** What the broker was told; null: it may not have heard. */
  #said: Tasks | null = null;
  #endpoints: Endpoints = [];
  #endpointEpoch = NO_ENDPOINTS;
  #wantsShutdown = false;

  constructor(
    cluster: Cluster,
    private readonly self: GroupSelf,
    private readonly topology: GroupTopology,
    private readonly holder: TaskHolder,
  ) {
    const { applicationId, sessionTimeoutMs } = self.config;
    this.#status = new GroupStatus(cluster.io.clock, self);
    this.#member = new HeartbeatMember(cluster, applicationId, {
      sessionTimeoutMs: sessionTimeoutMs * (1 - SESSION_MARGIN),
      firstIntervalMs: FIRST_INTERVAL_MS,
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
    this.#member.beatSoon();
  }

  get member(): CommittingMember {
    const { epoch, memberId } = this.#member;
    return { generation: epoch, memberId, groupInstanceId: null };
  }

  get isInSession(): boolean {
    return this.#member.session.leftMs > 0;
  }

  /** Nobody waits for anybody. */
  get isJoining(): boolean {
    return false;
  }

  get hosts(): readonly QueryableHost[] {
    const { seen } = this.self.topics;
    return seen === null ? [] : hostsOf(this.#endpoints, seen);
  }

  requireServed(connection: Connection): void {
    if (connection.versionOf(streamsGroupHeartbeat) === null) throw notOffered();
  }

  async beat(
    connection: Connection,
    identity: MemberIdentity,
    everything: boolean,
    options: HeartbeatOptions,
  ): Promise<HeartbeatAnswer> {
    const joins = identity.memberEpoch === JOINING_EPOCH;
    const owned = this.#owned;
    const response = await connection.request(streamsGroupHeartbeat, {
      ...identity,
      ...(joins ? this.#introduction() : {}),
      ...(joins || everything || this.#said !== owned ? tasksToSay(owned) : {}),
      endpointInformationEpoch: this.#endpointEpoch,
      shutdownApplication: this.#wantsShutdown,
    }, options);
    this.#check(response, joins);
    this.#said = owned;
    if (response.memberEpoch !== identity.memberEpoch) this.#epochChanges++;
    this.#hear(response);
    return response;
  }

  get isBehind(): boolean {
    return this.#changesSeen < this.#epochChanges || !sameTasks(this.#target, this.#owned);
  }

  async reconcile(isCurrent: () => boolean, session: AbortSignal): Promise<void> {
    const target = this.#target;
    const changes = this.#epochChanges;
    if (this.#changesSeen < changes) this.self.topics.doubt();
    const gone = this.#owned.active.filter((task) => !target.active.includes(task));
    if (gone.length > 0) {
      await this.holder.revoke(gone);
      this.#owned = { ...this.#owned, active: this.holder.active() };
    }
    if (!isCurrent()) return;
    const standby = [...target.standby, ...target.warmup];
    // Who is to end does not wait for brokers that do not answer.
    const signal = AbortSignal.any([session, this.#member.stopping]);
    await this.self.topics.cover([...target.active, ...standby], signal);
    if (!isCurrent()) return;
    await this.holder.take(target.active, standby);
    this.#owned = target;
    this.#changesSeen = changes;
  }

  sessionOver(): void {
    this.holder.sessionOver();
  }

  recovered(): void {
    this.holder.recovered();
  }

  async lose(): Promise<void> {
    this.#target = NO_TASKS;
    this.#owned = NO_TASKS;
    this.#said = null;
    this.#endpoints = [];
    this.#endpointEpoch = NO_ENDPOINTS;
    await this.holder.lose();
  }

  async leave(connection: Connection, identity: MemberIdentity, timeoutMs: number): Promise<void> {
    const shutdownApplication = this.#wantsShutdown;
    const request = { ...identity, shutdownApplication, endpointInformationEpoch: NO_ENDPOINTS };
    await connection.request(streamsGroupHeartbeat, request, { timeoutMs });
  }

  failed(error: Error, isFatal: boolean): void {
    this.holder.failed(error, isFatal);
  }

  #introduction(): Partial<EncodableRequest<typeof streamsGroupHeartbeat>> {
    const { processId, endpoint, config } = this.self;
    return {
      topology: this.topology,
      rebalanceTimeoutMs: config.maxPollIntervalMs,
      processId,
      userEndpoint: endpoint === null ? null : endpointOf(endpoint),
      clientTags: Object.entries(config.clientTags).map(([key, value]) => ({ key, value })),
    };
  }

  #check({ errorCode, errorMessage }: Response, joins: boolean): void {
    const { applicationId } = this.self.config;
    const isGone = !joins && errorCode === Errors.GROUP_ID_NOT_FOUND;
    const isFenced = errorCode === Errors.FENCED_MEMBER_EPOCH ||
      errorCode === Errors.UNKNOWN_MEMBER_ID;
    if (isGone || isFenced) throw new FencedError();
    const refusal = refusedByGroup(errorCode, errorMessage, applicationId);
    if (refusal !== null) throw refusal;
    throwOnError(errorCode, `heartbeat of group "${applicationId}"`, errorMessage);
  }

  #hear(response: Response): void {
    const { activeTasks, standbyTasks, warmupTasks, partitionsByUserEndpoint } = response;
    if (activeTasks !== null && standbyTasks !== null && warmupTasks !== null) {
      const target = {
        active: tasksIn(activeTasks),
        standby: tasksIn(standbyTasks),
        warmup: tasksIn(warmupTasks),
      };
      if (!sameTasks(target, this.#target)) this.#target = target;
    }
    this.#endpointEpoch = response.endpointInformationEpoch;
    if (partitionsByUserEndpoint !== null) this.#endpoints = partitionsByUserEndpoint;
    this.#status.hear(response.status ?? []);
  }
}

function tasksToSay({ active, standby, warmup }: Tasks) {
  const say = (tasks: readonly TaskId[]) => taskIds(tasks);
  return { activeTasks: say(active), standbyTasks: say(standby), warmupTasks: say(warmup) };
}
