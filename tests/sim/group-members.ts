/** Consumers of the classic protocol (eager, range) and of KIP-848, each as a client is one. */
import { joinGroupHandler } from "../../broker/handlers/11-join-group.ts";
import { heartbeatHandler } from "../../broker/handlers/12-heartbeat.ts";
import { leaveGroupHandler } from "../../broker/handlers/13-leave-group.ts";
import { syncGroupHandler } from "../../broker/handlers/14-sync-group.ts";
import { consumerGroupHeartbeatHandler } from "../../broker/handlers/68-consumer-group-heartbeat.ts";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  rangeAssignor,
} from "../../client/group-protocol.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import type { joinGroup } from "../../core/protocol/11-join-group.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import {
  Fenced,
  GROUP,
  GroupMember,
  type Identity,
  nameOf,
  type Partition,
  REBALANCE_MS,
  SESSION_MS,
} from "./group-member.ts";

const PROTOCOL = { protocolType: "consumer", protocolName: "range" } as const;

/** A member of the classic protocol: it gives up everything before it joins again. */
export class ClassicSimMember extends GroupMember {
  #memberId = "";
  #generationId = -1;

  get identity(): Identity {
    return { memberId: this.#memberId, epoch: this.#generationId };
  }

  async beat(): Promise<boolean> {
    if (this.#generationId < 0) return await this.#join();
    const askedMs = this.world.clock.monotonicMs();
    const { errorCode } = await this.call(heartbeatHandler, 4, {
      groupId: GROUP,
      memberId: this.#memberId,
      groupInstanceId: this.options.instanceId,
      generationId: this.#generationId,
    });
    if (errorCode === Errors.NONE) {
      this.alive(askedMs);
      return true;
    }
    if (isTransient(errorCode)) return false;
    // Some take a while to finish what they have.
    const { clock, random } = this.world;
    if (errorCode === Errors.REBALANCE_IN_PROGRESS) {
      this.alive(askedMs);
      await sleep(clock, random.below(2_000));
    }
    return await this.#rejoin(errorCode);
  }

  async leave(): Promise<void> {
    const { instanceId } = this.options;
    // A static member does not leave: it comes back, or its session ends.
    if (instanceId !== null || this.#memberId === "") return;
    await this.call(leaveGroupHandler, 5, {
      groupId: GROUP,
      members: [{ memberId: this.#memberId }],
    });
  }

  async #rejoin(why: number): Promise<boolean> {
    if (why === Errors.FENCED_INSTANCE_ID) throw new Fenced();
    if (why === Errors.UNKNOWN_MEMBER_ID) this.#memberId = "";
    this.#generationId = -1;
    return await this.#join();
  }

  async #join(): Promise<boolean> {
    const { instanceId, name, topics } = this.options;
    this.model.lost(name);
    this.readExactly([]);
    const answer = await this.call(joinGroupHandler, 9, {
      groupId: GROUP,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      memberId: this.#memberId,
      groupInstanceId: instanceId,
      protocolType: PROTOCOL.protocolType,
      protocols: [{ name: PROTOCOL.protocolName, metadata: encodeSubscription(topics) }],
    });
    switch (answer.errorCode) {
      case Errors.NONE:
        this.#memberId = answer.memberId;
        return await this.#sync(answer);
      case Errors.MEMBER_ID_REQUIRED:
        this.#memberId = answer.memberId;
        return false;
      case Errors.FENCED_INSTANCE_ID:
        throw new Fenced();
      case Errors.UNKNOWN_MEMBER_ID:
        this.#memberId = "";
        return false;
      default:
        return false;
    }
  }

  async #sync(joined: ResponseOf<typeof joinGroup>): Promise<boolean> {
    const { clock } = this.world;
    const { generationId } = joined;
    const leads = joined.leader === this.#memberId && !joined.skipAssignment;
    const askedMs = clock.monotonicMs();
    const answer = await this.call(syncGroupHandler, 5, {
      groupId: GROUP,
      generationId,
      memberId: this.#memberId,
      groupInstanceId: this.options.instanceId,
      ...PROTOCOL,
      assignments: leads ? this.#assign(joined) : [],
    });
    if (answer.errorCode !== Errors.NONE) {
      if (answer.errorCode === Errors.FENCED_INSTANCE_ID) throw new Fenced();
      if (answer.errorCode === Errors.UNKNOWN_MEMBER_ID) this.#memberId = "";
      return false;
    }
    this.#generationId = generationId;
    const partitions = decodeAssignment(answer.assignment).flatMap((each) =>
      each.partitions.map((index): Partition => ({ topic: each.topic, index }))
    );
    this.model.told(this.options.name, partitions.map(nameOf), {
      nowMs: clock.monotonicMs(),
      untilMs: askedMs + SESSION_MS,
    });
    this.readExactly(partitions);
    return true;
  }

  #assign({ members }: ResponseOf<typeof joinGroup>) {
    const { metadata } = this.world.services;
    const counts = new Map(
      ["t", "u"].map((name) => [name, metadata.topic(name)?.partitions.length ?? 0]),
    );
    const assigned = rangeAssignor(
      members.map((each) => ({
        memberId: each.memberId,
        groupInstanceId: each.groupInstanceId,
        topics: decodeSubscription(each.metadata).topics,
      })),
      counts,
    );
    return [...assigned].map(([memberId, own]) => ({
      memberId,
      assignment: encodeAssignment(own),
    }));
  }
}

/** A member of KIP-848: it gives up what it is told to, says so, and gets more when that is free. */
export class ConsumerSimMember extends GroupMember {
  #epoch = 0;
  /** Topic ids of what it was told last. */
  #assigned: { topicId: string; partitions: readonly number[] }[] = [];
  /** Whether it has to say everything: it has just come, or an answer was lost. */
  #saysAll = true;

  get identity(): Identity {
    return { memberId: this.options.name, epoch: this.#epoch };
  }

  async beat(): Promise<boolean> {
    const { clock } = this.world;
    const { instanceId, name, topics } = this.options;
    const askedMs = clock.monotonicMs();
    const joins = this.#epoch === 0;
    const all = joins || this.#saysAll;
    this.#saysAll = true;
    const answer = await this.call(consumerGroupHeartbeatHandler, 1, {
      groupId: GROUP,
      memberId: name,
      memberEpoch: this.#epoch,
      instanceId,
      rebalanceTimeoutMs: all ? REBALANCE_MS : -1,
      subscribedTopicNames: all ? topics : null,
      topicPartitions: joins ? [] : this.#assigned,
    });
    const { errorCode, assignment } = answer;
    if (errorCode !== Errors.NONE) return this.#failed(errorCode);
    this.#saysAll = false;
    this.#epoch = answer.memberEpoch;
    this.alive(askedMs);
    if (assignment !== null) await this.#take(assignment.topicPartitions, askedMs);
    return true;
  }

  async leave(): Promise<void> {
    if (this.#epoch === 0) return;
    const { instanceId, name } = this.options;
    await this.call(consumerGroupHeartbeatHandler, 1, {
      groupId: GROUP,
      memberId: name,
      memberEpoch: instanceId !== null && this.world.random.chance(50) ? -2 : -1,
      instanceId,
    });
  }

  #failed(error: number): boolean {
    if (error === Errors.FENCED_INSTANCE_ID) throw new Fenced();
    if (LOST_MEMBERSHIP.has(error)) {
      this.#epoch = 0;
      this.#assigned = [];
      this.model.lost(this.options.name);
      this.readExactly([]);
    }
    return false;
  }

  async #take(
    assigned: readonly { topicId: string; partitions: readonly number[] }[],
    askedMs: number,
  ): Promise<void> {
    const { clock, random, services } = this.world;
    const partitions = assigned.flatMap(({ topicId, partitions: own }) => {
      const topic = services.metadata.topicById(topicId)?.name;
      return topic === undefined ? [] : own.map((index): Partition => ({ topic, index }));
    });
    const names = new Set(partitions.map(nameOf));
    this.model.told(this.options.name, [...names], {
      nowMs: clock.monotonicMs(),
      untilMs: askedMs + SESSION_MS,
    });
    // Some take a while to finish what they have.
    if (random.chance(30)) await sleep(clock, random.below(2_000));
    this.model.keeps(this.options.name, names);
    this.readExactly(partitions);
    this.#assigned = assigned.map(({ topicId, partitions: own }) => ({ topicId, partitions: own }));
  }
}

const LOST_MEMBERSHIP: ReadonlySet<number> = new Set([
  Errors.FENCED_MEMBER_EPOCH,
  Errors.UNKNOWN_MEMBER_ID,
  Errors.GROUP_ID_NOT_FOUND,
]);

/** The coordinator cannot answer now. */
function isTransient(error: number): boolean {
  return error === Errors.NOT_COORDINATOR || error === Errors.COORDINATOR_NOT_AVAILABLE ||
    error === Errors.COORDINATOR_LOAD_IN_PROGRESS;
}
