/**
 * Share groups as their handlers use them: what of an operation is for the group and what for the
 * share coordinator, one after the other (the share part of Kafka's `GroupCoordinatorService`).
 */
import { type ErrorCode, errorName, Errors } from "../../../../core/errors.ts";
import { accept, type Outcome, refuse } from "../../../outcome.ts";
import type { SharePersister } from "../../share/share-coordinator.ts";
import type { ShareKey } from "../../share/share-records.ts";
import type { ShareOutcome, ShareSummary } from "../../share/share-shard.ts";
import type { TopicView } from "../group.ts";
import type { CoordinatorResult } from "../../shard.ts";
import type { GroupCoordinator } from "../group-coordinator.ts";
import type { GroupRecord } from "../group-records.ts";
import type { GroupShard } from "../group-shard.ts";
import { JOIN_EPOCH } from "../modern/modern-group.ts";
import type { PartitionsById } from "./known-partitions.ts";
import type { ShareGroup } from "./share-group.ts";
import type {
  Initialization,
  ShareHeartbeatRequest,
  ShareHeartbeatResponse,
} from "./share-heartbeat.ts";

/** What it is made of. */
export interface ShareGroupCoordinatorOptions {
  readonly groups: Pick<GroupCoordinator, "run" | "fetchOffsets" | "shareHeartbeatIntervalMs">;
  readonly persister: SharePersister;
  /** The offsets of the group have changed or it is gone: nobody goes on with what is in memory. */
  readonly forgetGroup: (groupId: string) => void;
}

/** What somebody asks of a partition of a topic. */
export interface PartitionOffset {
  readonly partition: number;
  readonly startOffset: number;
}

/** How it went for one partition. */
export interface PartitionOutcome extends ShareOutcome {
  readonly partition: number;
}

const NONE: ShareOutcome = { errorCode: Errors.NONE, errorMessage: null };

/** See the header. */
export class ShareGroupCoordinator {
  readonly #options: ShareGroupCoordinatorOptions;

  constructor(options: ShareGroupCoordinatorOptions) {
    this.#options = options;
  }

  heartbeatIntervalMs(groupId: string): number {
    return this.#options.groups.shareHeartbeatIntervalMs(groupId);
  }

  /**
   * Answers when what the member has changed is committed. A member that joins waits until its
   * partitions are initialized, too: so it hears of them with its first heartbeat.
   */
  async heartbeat(request: ShareHeartbeatRequest): Promise<Outcome<ShareHeartbeatResponse>> {
    const problem = requestProblem(request);
    if (problem !== null) return refuse(Errors.INVALID_REQUEST, problem);
    const first = await this.#beat(request);
    if (!first.outcome.ok || first.initialization === null) return first.outcome;
    const initialized = this.#initialize(first.initialization);
    if (request.memberEpoch !== JOIN_EPOCH || !await initialized) return first.outcome;
    const { memberEpoch } = first.outcome.value;
    const second = await this.#beat({ ...request, memberEpoch });
    return second.outcome.ok ? second.outcome : first.outcome;
  }

  /** The group, or GROUP_ID_NOT_FOUND. `look` makes of it what is told. */
  async describe<T>(groupId: string, look: (group: ShareGroup) => T): Promise<Outcome<T>> {
    const outcome = await this.#options.groups.fetchOffsets(groupId, (shard) => {
      const described = shard.share.describe(groupId);
      return described.ok ? accept(look(described.value)) : described;
    });
    return outcome.ok ? outcome.value : refuse(outcome.error, errorName(outcome.error));
  }

  /** The partitions whose start offsets the group has, by topic. */
  async initialized(
    groupId: string,
  ): Promise<Outcome<readonly { topic: TopicView; partitions: readonly number[] }[]>> {
    const outcome = await this.#options.groups.fetchOffsets(
      groupId,
      (shard) => shard.share.initialized(groupId),
    );
    return outcome.ok ? accept(outcome.value) : refuse(outcome.error, errorName(outcome.error));
  }

  /** How far the group is in a partition. */
  summary(key: ShareKey): Promise<ShareSummary> {
    return this.#options.persister.summary(key);
  }

  /**
   * Sets start offsets of an empty group; a group that is not there is made. If the group cannot note
   * that it was done, the next member may have a partition begin elsewhere, so that counts as an error.
   */
  async alterOffsets(
    groupId: string,
    offsets: ReadonlyMap<string, readonly PartitionOffset[]>,
  ): Promise<Outcome<ReadonlyMap<string, readonly PartitionOutcome[]>>> {
    const wanted: PartitionsById = new Map(
      [...offsets].map(([topicId, partitions]) => [
        topicId,
        new Set(partitions.map(({ partition }) => partition)),
      ]),
    );
    const begun = await this.#run(groupId, (shard) => shard.share.beginAlter(groupId, wanted));
    if (!begun.ok) return begun;
    const { stateEpoch } = begun.value;
    this.#options.forgetGroup(groupId);
    const answers = await this.#forEach(offsets, async (topicId, { partition, startOffset }) => ({
      partition,
      ...await this.#options.persister.initialize(
        { groupId, topicId, partition },
        stateEpoch,
        startOffset,
      ),
    }));
    // Somebody who is no member any more may have had it read again meanwhile.
    this.#options.forgetGroup(groupId);
    const done = new Map(
      [...answers].flatMap(([topicId, ofTopic]) => {
        const ofThese = ofTopic.filter(({ errorCode }) => errorCode === Errors.NONE);
        if (ofThese.length === 0) return [];
        return [[topicId, new Set(ofThese.map(({ partition }) => partition))] as const];
      }),
    );
    const ended = await this.#endInitialization(begun.value, done);
    return ended.ok ? accept(answers) : refuse(ended.error, errorName(ended.error));
  }

  /** Forgets the offsets of an empty group in these topics; tells of those that it had. */
  async deleteOffsets(
    groupId: string,
    topics: readonly TopicView[],
  ): Promise<Outcome<ReadonlyMap<string, ShareOutcome>>> {
    const begun = await this.#run(groupId, (shard) => shard.share.beginDelete(groupId, topics));
    if (!begun.ok) return begun;
    this.#options.forgetGroup(groupId);
    return accept(await this.#delete(groupId, begun.value));
  }

  /**
   * What has to go before share groups are deleted as any other: their state at the share
   * coordinator. Answers the errors of those that may not be deleted; groups of other kinds and
   * those that are not there are none of them.
   */
  async beforeDelete(groupIds: readonly string[]): Promise<ReadonlyMap<string, ErrorCode>> {
    const errors = new Map<string, ErrorCode>();
    await Promise.all(groupIds.map(async (groupId) => {
      const begun = await this.#run(groupId, (shard) => shard.share.beginDelete(groupId, null));
      if (!begun.ok) {
        if (begun.error !== Errors.GROUP_ID_NOT_FOUND) errors.set(groupId, begun.error);
        return;
      }
      this.#options.forgetGroup(groupId);
      for (const { errorCode } of (await this.#delete(groupId, begun.value)).values()) {
        if (errorCode !== Errors.NONE) errors.set(groupId, errorCode);
      }
    }));
    return errors;
  }

  async #beat(request: ShareHeartbeatRequest) {
    const outcome = await this.#options.groups.run(
      request.groupId,
      (shard) => shard.share.heartbeat(request),
    );
    if (outcome.ok) return outcome.value;
    return { outcome: refuse(outcome.error, errorName(outcome.error)), initialization: null };
  }

  async #run<T>(
    groupId: string,
    operation: (shard: GroupShard) => CoordinatorResult<GroupRecord, Outcome<T>>,
  ): Promise<Outcome<T>> {
    const outcome = await this.#options.groups.run(groupId, operation);
    return outcome.ok ? outcome.value : refuse(outcome.error, errorName(outcome.error));
  }

  /** Has partitions begin where the group's configuration says; true if that is done. */
  async #initialize(initialization: Initialization): Promise<boolean> {
    const { groupId, stateEpoch, partitions } = initialization;
    const { persister } = this.#options;
    const answers = await this.#forEach(partitions, async (topicId, partition) => ({
      partition,
      ...await persister.initialize({ groupId, topicId, partition }, stateEpoch, -1),
    }));
    // Partitions of which one has failed are tried again as a whole, with the next heartbeat.
    const isDone = [...answers.values()].every((ofTopic) =>
      ofTopic.every(({ errorCode }) => errorCode === Errors.NONE)
    );
    const ended = await this.#endInitialization(initialization, isDone ? partitions : new Map());
    return ended.ok && isDone;
  }

  #endInitialization(initialization: Initialization, done: PartitionsById) {
    return this.#options.groups.run(
      initialization.groupId,
      (shard) => shard.share.endInitialization(initialization, done),
    );
  }

  async #delete(
    groupId: string,
    partitions: PartitionsById,
  ): Promise<ReadonlyMap<string, ShareOutcome>> {
    const { groups, persister } = this.#options;
    const answers = await this.#forEach(
      partitions,
      (topicId, partition) => persister.delete({ groupId, topicId, partition }),
    );
    const outcomes = new Map([...answers].map(([topicId, ofTopic]) => [
      topicId,
      ofTopic.find(({ errorCode }) => errorCode !== Errors.NONE) ?? NONE,
    ]));
    const gone = new Set(
      [...outcomes].filter(([, { errorCode }]) => errorCode === Errors.NONE).map(([id]) => id),
    );
    if (gone.size > 0) await groups.run(groupId, (shard) => shard.share.endDelete(groupId, gone));
    return outcomes;
  }

  async #forEach<P, T>(
    topics: ReadonlyMap<string, Iterable<P>>,
    ask: (topicId: string, partition: P) => Promise<T>,
  ): Promise<Map<string, T[]>> {
    const entries = await Promise.all([...topics].map(async ([topicId, partitions]) => {
      const answers = await Promise.all([...partitions].map((each) => ask(topicId, each)));
      return [topicId, answers] as const;
    }));
    return new Map(entries);
  }
}

/** Kafka's `throwIfShareGroupHeartbeatRequestIsInvalid`; null if there is nothing to say. */
function requestProblem(request: ShareHeartbeatRequest): string | null {
  const { groupId, memberId, rackId, memberEpoch, subscribedTopicNames } = request;
  if (memberId.trim() === "") return "MemberId can't be empty.";
  if (groupId.trim() === "") return "GroupId can't be empty.";
  if (rackId !== null && rackId.trim() === "") return "RackId can't be empty.";
  if (memberEpoch < -1) return "MemberEpoch is invalid.";
  const isNameless = subscribedTopicNames === null || subscribedTopicNames.length === 0;
  return memberEpoch === JOIN_EPOCH && isNameless
    ? "SubscribedTopicNames must be set in first request."
    : null;
}
