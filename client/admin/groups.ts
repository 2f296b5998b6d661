/** Administration of groups of every type. */
import { offsetFetch } from "../../core/protocol/09-offset-fetch.ts";
import { listGroups } from "../../core/protocol/16-list-groups.ts";
import { deleteGroups } from "../../core/protocol/42-delete-groups.ts";
import { offsetDelete } from "../../core/protocol/47-offset-delete.ts";
import type { Connection } from "../../core/connection.ts";
import type { Cluster } from "../cluster.ts";
import { commitOffsets } from "../commit-offsets.ts";
import { KafkaError, throwOnError } from "../errors.ts";
import type { OperationOptions } from "../options.ts";
import type { TopicPartitions } from "../group-protocol.ts";
import { describeGroup } from "./describe-group.ts";
import type { GroupDescription } from "./describe-group.ts";
import { onCoordinator } from "./on-coordinator.ts";
import { alterShareOffsets, deleteShareOffsets, listShareOffsets } from "./share-offsets.ts";
import { describeStreamGroup, type StreamGroup } from "./stream-group.ts";
import type { ShareOffset } from "./share-offsets.ts";

export type * from "./describe-group.ts";
export type { ShareOffset } from "./share-offsets.ts";

/** A group as ListGroups shows it. */
export interface GroupListing {
  readonly groupId: string;
  /** `consumer` for consumers; "" for a group that only holds offsets. */
  readonly protocolType: string;
  /** `Stable`, `Empty`, …; "" from brokers before 2.6. */
  readonly state: string;
  /** `classic`, `consumer`, `share`, …; "" from brokers before 3.8. */
  readonly type: string;
}

/** A committed offset. */
export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly leaderEpoch: number;
  readonly metadata: string | null;
}

/** Group operations of an `Admin`. */
export class GroupAdmin {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** The groups of all coordinators: every broker is asked. */
  async list(options: OperationOptions = {}): Promise<GroupListing[]> {
    return await this.#cluster.retry("list groups", async ({ timeoutMs }) => {
      await this.#cluster.refresh([], { signal: options.signal, timeoutMs });
      const answers = await Promise.all([...this.#cluster.brokers.keys()].map(async (nodeId) => {
        const connection = await this.#cluster.broker(nodeId, "main", options.signal);
        const response = await connection.request(listGroups, {}, { timeoutMs });
        throwOnError(response.errorCode, `list groups of broker ${nodeId}`);
        return response.groups.map((group) => ({
          groupId: group.groupId,
          protocolType: group.protocolType,
          state: group.groupState,
          type: group.groupType,
        }));
      }));
      return answers.flat().sort((a, b) => a.groupId < b.groupId ? -1 : 1);
    }, options);
  }

  /** A group of any type. Throws GROUP_ID_NOT_FOUND for one that is not there. */
  async describe(groupId: string, options: OperationOptions = {}): Promise<GroupDescription> {
    const subject = `group "${groupId}"`;
    return await onCoordinator(
      this.#cluster,
      "group",
      groupId,
      subject,
      options,
      async (connection, timeoutMs, { nodeId }) => ({
        ...await describeGroup(connection, groupId, timeoutMs),
        coordinator: nodeId,
      }),
    );
  }

  /** A group as stream applications have it; null: it is of another type, or not there. */
  async describeStreams(
    groupId: string,
    options: OperationOptions = {},
  ): Promise<StreamGroup & { readonly coordinator: number } | null> {
    const subject = `group "${groupId}"`;
    return await onCoordinator(
      ...[this.#cluster, "group", groupId, subject, options] as const,
      async (connection, timeoutMs, { nodeId }) => {
        const group = await describeStreamGroup(connection, groupId, timeoutMs);
        return group === null ? null : { ...group, coordinator: nodeId };
      },
    );
  }

  /** Deletes groups that have no members. */
  async delete(
    groupIds: readonly string[],
    options: OperationOptions = {},
  ): Promise<{ groupId: string; error: KafkaError | null }[]> {
    return await Promise.all(groupIds.map(async (groupId) => {
      const subject = `delete group "${groupId}"`;
      try {
        await this.#onCoordinator(groupId, subject, options, async (connection, timeoutMs) => {
          const request = { groupsNames: [groupId] };
          const response = await connection.request(deleteGroups, request, { timeoutMs });
          const result = response.results[0];
          throwOnError(result?.errorCode ?? -1, subject, result?.errorMessage ?? null);
        });
        return { groupId, error: null };
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error;
        return { groupId, error };
      }
    }));
  }

  /** All committed offsets of a group, or those of the given partitions. */
  async listOffsets(
    groupId: string,
    options: OperationOptions & { partitions?: readonly TopicPartitions[]; stable?: boolean } = {},
  ): Promise<CommittedOffset[]> {
    const subject = `offsets of group "${groupId}"`;
    return await this.#onCoordinator(groupId, subject, options, async (connection, timeoutMs) => {
      // Version 10 names topics by id; up to 9 by name, which needs no lookup.
      const topics = options.partitions?.map(({ topic, partitions }) => ({
        name: topic,
        partitionIndexes: [...partitions],
      })) ?? null;
      const grouped = (connection.versionOf(offsetFetch, 9) ?? 0) >= 8;
      const stable = options.stable ?? false;
      const response = await connection.request(
        offsetFetch,
        grouped
          ? { groups: [{ groupId, topics }], requireStable: stable }
          : { groupId, topics, ...(stable ? { requireStable: true } : {}) },
        { timeoutMs, maxVersion: 9 },
      );
      const answer = response.groups[0] ?? response;
      throwOnError(answer.errorCode, subject);
      return answer.topics.flatMap(({ name: topic, partitions }) =>
        partitions.flatMap((partition) => {
          throwOnError(partition.errorCode, `${subject}, ${topic}-${partition.partitionIndex}`);
          return partition.committedOffset < 0n ? [] : [{
            topic,
            partition: partition.partitionIndex,
            offset: partition.committedOffset,
            leaderEpoch: partition.committedLeaderEpoch,
            metadata: partition.metadata,
          }];
        })
      );
    });
  }

  /** Sets offsets of a group that has no members. Throws on the first that is refused. */
  async alterOffsets(
    groupId: string,
    offsets: readonly { topic: string; partition: number; offset: bigint }[],
    options: OperationOptions = {},
  ): Promise<void> {
    await commitOffsets(this.#cluster, groupId, offsets, null, options);
  }

  /** Forgets the offsets of these partitions. Throws on the first that is refused. */
  async deleteOffsets(
    groupId: string,
    partitions: readonly TopicPartitions[],
    options: OperationOptions = {},
  ): Promise<void> {
    const subject = `delete offsets of group "${groupId}"`;
    await this.#onCoordinator(groupId, subject, options, async (connection, timeoutMs) => {
      const response = await connection.request(offsetDelete, {
        groupId,
        topics: partitions.map(({ topic, partitions }) => ({
          name: topic,
          partitions: partitions.map((partitionIndex) => ({ partitionIndex })),
        })),
      }, { timeoutMs });
      throwOnError(response.errorCode, subject);
      for (const { name, partitions } of response.topics) {
        for (const { partitionIndex, errorCode } of partitions) {
          throwOnError(errorCode, `${subject}, ${name}-${partitionIndex}`);
        }
      }
    });
  }

  /** The start offsets of a share group. */
  async listShareOffsets(groupId: string, options: OperationOptions = {}): Promise<ShareOffset[]> {
    return await listShareOffsets(this.#cluster, groupId, options);
  }

  /** Sets start offsets of a share group without members. Throws on the first that is refused. */
  async alterShareOffsets(
    groupId: string,
    offsets: readonly { topic: string; partition: number; offset: bigint }[],
    options: OperationOptions = {},
  ): Promise<void> {
    await alterShareOffsets(this.#cluster, groupId, offsets, options);
  }

  /** Makes a share group without members forget these topics. Answers for each. */
  async deleteShareOffsets(
    groupId: string,
    topics: readonly string[],
    options: OperationOptions = {},
  ): Promise<{ topic: string; error: KafkaError | null }[]> {
    return await deleteShareOffsets(this.#cluster, groupId, topics, options);
  }

  async #onCoordinator<T>(
    groupId: string,
    subject: string,
    options: OperationOptions,
    ask: (connection: Connection, timeoutMs: number) => Promise<T>,
  ): Promise<T> {
    return await onCoordinator(this.#cluster, "group", groupId, subject, options, ask);
  }
}
