/**
 * Administration of a cluster over the network: topics, configs, offsets, groups, transactions. Bulk
 * calls answer for each item, with `error` null where it worked; a call throws where nothing could be
 * asked.
 */
import { Errors } from "../core/errors.ts";
import { createPartitions } from "../core/protocol/37-create-partitions.ts";
import { createTopics } from "../core/protocol/19-create-topics.ts";
import { deleteRecords } from "../core/protocol/21-delete-records.ts";
import { deleteTopics } from "../core/protocol/20-delete-topics.ts";
import { describeCluster } from "../core/protocol/60-describe-cluster.ts";
import { describeConfigs } from "../core/protocol/32-describe-configs.ts";
import { incrementalAlterConfigs } from "../core/protocol/44-incremental-alter-configs.ts";
import type { Api, EncodableRequest, ResponseOf } from "../core/protocol/schema.ts";
import { AclAdmin } from "./admin/acls.ts";
import { GroupAdmin } from "./admin/groups.ts";
import { ListOffsetsQuery } from "./admin/list-offsets.ts";
import type { ListOffsetsOptions, OffsetSpec, PartitionOffset } from "./admin/list-offsets.ts";
import { QuotaAdmin } from "./admin/quotas.ts";
import { TransactionAdmin } from "./admin/transactions.ts";
import { UserAdmin } from "./admin/users.ts";
import { Cluster } from "./cluster.ts";
import type { BrokerNode, TopicMetadata } from "./cluster.ts";
import { KafkaError, UnknownPartitionError } from "./errors.ts";
import type { ClientIo, ClientOptions, OperationOptions } from "./options.ts";

export type { ListOffsetsOptions, OffsetSpec, PartitionOffset } from "./admin/list-offsets.ts";
export type * from "./admin/groups.ts";
export type { QuotaEntity, QuotaEntry } from "./admin/quotas.ts";
export type * from "./admin/transactions.ts";
export type { PasswordOptions, ScramMechanism, ScramUserInfo } from "./admin/users.ts";

/** What one item of a bulk call came to. */
export interface ItemResult {
  readonly name: string;
  readonly error: KafkaError | null;
}

/** A topic to be made. −1 partitions or replicas: the broker's default. */
export interface NewTopic {
  readonly name: string;
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly configs?: Readonly<Record<string, string>>;
}

/** A topic that was made, as far as the broker tells. */
export interface CreatedTopic extends ItemResult {
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** A topic's description; without one, `error` says why. */
export interface DescribedTopic extends ItemResult {
  readonly topic: TopicMetadata | null;
}

/** What configs belong to. */
export interface ConfigResource {
  readonly type: "topic" | "broker" | "group" | "client";
  /** Topic, node id, group or subscription to client metrics; a broker "" is the default of all. */
  readonly name: string;
}

/** Where the value of a config comes from (Kafka's `ConfigSource`). */
export type ConfigSource =
  | "topic"
  | "broker"
  | "broker-default"
  | "static"
  | "default"
  | "client"
  | "group"
  | "other";

/** A config and its value. */
export interface ConfigEntry {
  readonly name: string;
  /** Null where it is sensitive or has none. */
  readonly value: string | null;
  readonly source: ConfigSource;
  readonly readOnly: boolean;
  readonly sensitive: boolean;
  /** What it is for (KIP-569); null where the broker does not say, left out where it was not asked. */
  readonly documentation?: string | null;
}

/** One change: a value, or null to go back to the default. */
export interface ConfigChange {
  readonly name: string;
  readonly operation: "set" | "delete" | "append" | "subtract";
  readonly value: string | null;
}

/** The cluster as DescribeCluster tells it. */
export interface ClusterDescription {
  readonly clusterId: string | null;
  /** −1 if there is none. */
  readonly controllerId: number;
  readonly brokers: readonly DescribedBroker[];
}

/** A broker of the cluster. */
export interface DescribedBroker extends BrokerNode {
  /** Whether it leads nothing, since nothing is heard of it or it has not caught up yet (KIP-631). */
  readonly fenced: boolean;
}

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The first version of DescribeCluster that tells of fenced brokers. */
const FENCED_VERSION = 2;

const RESOURCE_TYPE: Readonly<Record<ConfigResource["type"], number>> = {
  topic: 2,
  broker: 4,
  client: 16,
  group: 32,
};
const OPERATION: Readonly<Record<ConfigChange["operation"], number>> = {
  set: 0,
  delete: 1,
  append: 2,
  subtract: 3,
};
const SOURCES: Readonly<Record<number, ConfigSource>> = {
  1: "topic",
  2: "broker",
  3: "broker-default",
  4: "static",
  5: "default",
  7: "client",
  8: "group",
};

/** A client for administration. `close` it. */
export class Admin {
  readonly cluster: Cluster;
  readonly groups: GroupAdmin;
  readonly acls: AclAdmin;
  readonly quotas: QuotaAdmin;
  readonly transactions: TransactionAdmin;
  readonly users: UserAdmin;

  constructor(io: ClientIo, options: ClientOptions) {
    this.cluster = new Cluster(io, options);
    this.groups = new GroupAdmin(this.cluster);
    this.acls = new AclAdmin(this.cluster);
    this.quotas = new QuotaAdmin(this.cluster);
    this.transactions = new TransactionAdmin(this.cluster);
    this.users = new UserAdmin(this.cluster, io);
  }

  close(): void {
    this.cluster.close();
  }

  /** Makes topics, or only checks whether it could with `validateOnly`. */
  async createTopics(
    topics: readonly NewTopic[],
    options: OperationOptions & { validateOnly?: boolean } = {},
  ): Promise<CreatedTopic[]> {
    const response = await this.#onController("create topics", createTopics, {
      topics: topics.map((topic) => ({
        name: topic.name,
        numPartitions: topic.partitions ?? -1,
        replicationFactor: topic.replicationFactor ?? -1,
        configs: Object.entries(topic.configs ?? {}).map(([name, value]) => ({ name, value })),
      })),
      timeoutMs: this.#brokerTimeoutMs(options),
      validateOnly: options.validateOnly ?? false,
    }, options);
    return response.topics.map((topic) => ({
      name: topic.name,
      error: errorOf(`create topic "${topic.name}"`, topic),
      partitions: topic.numPartitions,
      replicationFactor: topic.replicationFactor,
    }));
  }

  async deleteTopics(
    names: readonly string[],
    options: OperationOptions = {},
  ): Promise<ItemResult[]> {
    const timeoutMs = this.#brokerTimeoutMs(options);
    const response = await this.#onController(
      "delete topics",
      deleteTopics,
      (version) =>
        version >= 6
          ? { topics: names.map((name) => ({ name })), timeoutMs }
          : { topicNames: [...names], timeoutMs },
      options,
    );
    for (const name of names) this.cluster.forgetTopic(name);
    return response.responses.map((topic) => ({
      name: topic.name ?? "",
      error: errorOf(`delete topic "${topic.name}"`, topic),
    }));
  }

  /** Raises topics to these numbers of partitions. */
  async createPartitions(
    counts: readonly { readonly name: string; readonly count: number }[],
    options: OperationOptions & { validateOnly?: boolean } = {},
  ): Promise<ItemResult[]> {
    const response = await this.#onController("create partitions", createPartitions, {
      topics: counts.map(({ name, count }) => ({ name, count, assignments: null })),
      timeoutMs: this.#brokerTimeoutMs(options),
      validateOnly: options.validateOnly ?? false,
    }, options);
    return response.results.map((topic) => ({
      name: topic.name,
      error: errorOf(`add partitions to topic "${topic.name}"`, topic),
    }));
  }

  /** All topics that the principal may see, by name. */
  async listTopics(
    options: OperationOptions & { internal?: boolean } = {},
  ): Promise<TopicMetadata[]> {
    const names = await this.cluster.retry("list topics", async ({ timeoutMs }) => {
      const response = await this.cluster.refresh(null, { signal: options.signal, timeoutMs });
      return response.topics.map(({ name }) => name ?? "");
    }, options);
    return names
      .flatMap((name) => this.cluster.cached(name) ?? [])
      .filter((topic) => options.internal || !topic.isInternal)
      .sort((a, b) => a.name < b.name ? -1 : 1);
  }

  async describeTopics(
    names: readonly string[],
    options: OperationOptions = {},
  ): Promise<DescribedTopic[]> {
    return await this.cluster.retry("describe topics", async ({ timeoutMs }) => {
      const response = await this.cluster.refresh(names, { signal: options.signal, timeoutMs });
      return response.topics.map((answer) => {
        const name = answer.name ?? "";
        const error = errorOf(`topic "${name}"`, { errorCode: answer.errorCode });
        return { name, error, topic: error === null ? this.cluster.cached(name) ?? null : null };
      });
    }, options);
  }

  /** Configs with their sources. `names` null: all. */
  async describeConfigs(
    resource: ConfigResource,
    options: OperationOptions & { names?: readonly string[] | null; documentation?: boolean } = {},
  ): Promise<ConfigEntry[]> {
    const subject = `configs of ${resource.type} "${resource.name}"`;
    const response = await this.#onResource(resource, subject, describeConfigs, {
      resources: [{
        resourceType: RESOURCE_TYPE[resource.type],
        resourceName: resource.name,
        configurationKeys: options.names ?? null,
      }],
      ...(options.documentation === true && { includeDocumentation: true }),
    }, options);
    const result = response.results[0];
    if (result === undefined) throw new KafkaError(Errors.UNKNOWN_SERVER_ERROR, subject);
    const error = errorOf(subject, result);
    if (error !== null) throw error;
    return result.configs.map((config) => ({
      name: config.name,
      value: config.value,
      source: SOURCES[config.configSource] ?? "other",
      readOnly: config.readOnly,
      sensitive: config.isSensitive,
      ...(options.documentation === true && { documentation: config.documentation }),
    }));
  }

  /** Changes some configs and leaves the others (KIP-339). Throws if the broker refuses. */
  async incrementalAlterConfigs(
    resource: ConfigResource,
    changes: readonly ConfigChange[],
    options: OperationOptions & { validateOnly?: boolean } = {},
  ): Promise<void> {
    const subject = `change configs of ${resource.type} "${resource.name}"`;
    const response = await this.#onResource(resource, subject, incrementalAlterConfigs, {
      resources: [{
        resourceType: RESOURCE_TYPE[resource.type],
        resourceName: resource.name,
        configs: changes.map(({ name, operation, value }) => ({
          name,
          configOperation: OPERATION[operation],
          value,
        })),
      }],
      validateOnly: options.validateOnly ?? false,
    }, options);
    for (const result of response.responses) {
      const error = errorOf(subject, result);
      if (error !== null) throw error;
    }
  }

  /** Offsets of partitions by position or time; a partition that fails carries its error. */
  async listOffsets(
    queries: readonly (TopicPartition & { readonly at: OffsetSpec })[],
    options: ListOffsetsOptions = {},
  ): Promise<PartitionOffset[]> {
    return await new ListOffsetsQuery(this.cluster, options).run(queries);
  }

  /** Deletes the records before these offsets; −1 stands for the high watermark. */
  async deleteRecords(
    partitions: readonly (TopicPartition & { readonly before: bigint })[],
    options: OperationOptions = {},
  ): Promise<(TopicPartition & { lowWatermark: bigint; error: KafkaError | null })[]> {
    const results = partitions.map(async ({ topic, partition, before }) => {
      const subject = `delete records of ${topic}-${partition}`;
      try {
        const lowWatermark = await this.cluster.retry(subject, async ({ timeoutMs }) => {
          const connection = await this.#leaderOf(topic, partition, options);
          const response = await connection.request(deleteRecords, {
            topics: [{
              name: topic,
              partitions: [{ partitionIndex: partition, offset: before }],
            }],
            timeoutMs: this.#brokerTimeoutMs(options),
          }, { timeoutMs });
          const result = response.topics[0]?.partitions[0];
          const error = errorOf(subject, { errorCode: result?.errorCode ?? -1 });
          if (error !== null) throw error;
          return result?.lowWatermark ?? -1n;
        }, { ...options, onRetry: () => this.cluster.forgetTopic(topic) });
        return { topic, partition, lowWatermark, error: null };
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error;
        return { topic, partition, lowWatermark: -1n, error };
      }
    });
    return await Promise.all(results);
  }

  /** `includeFenced`: brokers too that are registered and fenced, where the broker can tell (KIP-1073). */
  async describeCluster(
    options: OperationOptions & { readonly includeFenced?: boolean } = {},
  ): Promise<ClusterDescription> {
    return await this.cluster.retry("describe the cluster", async ({ timeoutMs }) => {
      const connection = await this.cluster.any(options.signal);
      const canTell = (connection.versionOf(describeCluster) ?? 0) >= FENCED_VERSION;
      const includeFencedBrokers = options.includeFenced === true && canTell;
      const response = await connection.request(
        describeCluster,
        { includeFencedBrokers },
        { timeoutMs },
      );
      const error = errorOf("describe the cluster", response);
      if (error !== null) throw error;
      return {
        clusterId: response.clusterId,
        controllerId: response.controllerId,
        brokers: response.brokers.map(({ brokerId, host, port, rack, isFenced }) => ({
          nodeId: brokerId,
          host,
          port,
          rack,
          fenced: isFenced,
        })),
      };
    }, options);
  }

  async #leaderOf(topic: string, partition: number, options: OperationOptions) {
    const { partitions } = await this.cluster.topic(topic, options);
    const leader = partitions[partition]?.leader;
    if (leader === undefined) {
      throw new UnknownPartitionError(topic, partition, partitions.length);
    }
    if (leader < 0) {
      this.cluster.forgetTopic(topic);
      throw new KafkaError(Errors.LEADER_NOT_AVAILABLE, `partition ${topic}-${partition}`);
    }
    return await this.cluster.broker(leader, "main", options.signal);
  }

  #brokerTimeoutMs(options: OperationOptions): number {
    const { apiTimeoutMs, requestTimeoutMs } = this.cluster.options;
    return Math.min(options.timeoutMs ?? apiTimeoutMs, requestTimeoutMs);
  }

  /** Asks the controller; asks again where it moved. `body` may depend on the version. */
  async #onController<A extends Api>(
    subject: string,
    api: A,
    body: EncodableRequest<A> | ((version: number) => EncodableRequest<A>),
    options: OperationOptions,
  ): Promise<ResponseOf<A>> {
    return await this.cluster.retry(subject, async ({ timeoutMs }) => {
      const connection = await this.cluster.controller(options.signal);
      const request = typeof body === "function" ? body(connection.versionOf(api) ?? 0) : body;
      const response = await connection.request(api, request, {
        timeoutMs: timeoutMs + this.#brokerTimeoutMs(options),
      });
      if (mentions(response, Errors.NOT_CONTROLLER)) {
        await this.cluster.refresh([], { signal: options.signal });
        throw new KafkaError(Errors.NOT_CONTROLLER, subject);
      }
      return response;
    }, options);
  }

  /** A broker's configs are asked of that broker, all others of any. */
  async #onResource<A extends Api>(
    resource: ConfigResource,
    subject: string,
    api: A,
    body: EncodableRequest<A>,
    options: OperationOptions,
  ): Promise<ResponseOf<A>> {
    return await this.cluster.retry(subject, async ({ timeoutMs }) => {
      const connection = resource.type === "broker" && resource.name !== ""
        ? await this.cluster.broker(Number(resource.name), "main", options.signal)
        : await this.cluster.any(options.signal);
      return await connection.request(api, body, { timeoutMs });
    }, options);
  }
}

/** A response with any item that carries this code. */
function mentions(response: object, code: number): boolean {
  return Object.values(response).some((value: unknown) =>
    Array.isArray(value) &&
    value.some((item: unknown) =>
      typeof item === "object" && item !== null && "errorCode" in item && item.errorCode === code
    )
  );
}

function errorOf(
  subject: string,
  item: { readonly errorCode: number; readonly errorMessage?: string | null },
): KafkaError | null {
  return item.errorCode === Errors.NONE
    ? null
    : new KafkaError(item.errorCode, subject, item.errorMessage ?? null);
}
