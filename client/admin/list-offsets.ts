/** ListOffsets for many partitions at once: one request per leader, again for those that moved. */
import { assert } from "../../core/assert.ts";
import { groupBy } from "../../core/group-by.ts";
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { listOffsets } from "../../core/protocol/02-list-offsets.ts";
import type { Cluster } from "../cluster.ts";
import { isRetriableError, KafkaError, UnknownPartitionError } from "../errors.ts";
import type { OperationOptions } from "../options.ts";

/**
 * Which offset: the log start, the end (high watermark, or last stable offset under
 * read_committed), that of the largest timestamp (KIP-734), or the first record at or after a time
 * in milliseconds since 1970.
 */
export type OffsetSpec = "earliest" | "latest" | "max-timestamp" | number;

/** The answer for one partition. */
export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  /** −1 if no record is that young. */
  readonly offset: bigint;
  /** Of the record at `offset`, where a time was asked for; else −1. */
  readonly timestampMs: bigint;
  readonly leaderEpoch: number;
  readonly error: KafkaError | null;
}

/** Options of `Admin.listOffsets`. */
export interface ListOffsetsOptions extends OperationOptions {
  /** Under read_committed `latest` is the last stable offset. Default read_uncommitted. */
  readonly isolationLevel?: "read_uncommitted" | "read_committed";
}

interface Query {
  readonly topic: string;
  readonly partition: number;
  readonly at: OffsetSpec;
}

const TIMESTAMP_OF: Readonly<Record<Exclude<OffsetSpec, number>, bigint>> = {
  latest: -1n,
  earliest: -2n,
  "max-timestamp": -3n,
};

/** One call of `Admin.listOffsets`. */
export class ListOffsetsQuery {
  readonly #cluster: Cluster;
  readonly #options: ListOffsetsOptions;

  constructor(cluster: Cluster, options: ListOffsetsOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** One answer per query, in their order. */
  async run(queries: readonly Query[]): Promise<PartitionOffset[]> {
    const answers = new Map<Query, PartitionOffset>();
    let open: readonly Query[] = queries;
    await this.#cluster.retry("list offsets", async ({ timeoutMs }) => {
      const byLeader = await this.#byLeader(open);
      let retriable: unknown = null;
      const still: Query[] = [];
      await Promise.all([...byLeader].map(async ([leader, asked]) => {
        try {
          const connection = await this.#cluster.broker(leader, "main", this.#options.signal);
          for (const answer of await this.#ask(connection, asked, timeoutMs)) {
            if (answer.result.error?.retriable) {
              retriable = answer.result.error;
              still.push(answer.query);
            }
            answers.set(answer.query, answer.result);
          }
        } catch (error) {
          if (!isRetriableError(error)) throw error;
          retriable = error;
          still.push(...asked);
        }
      }));
      open = still;
      if (retriable !== null) throw retriable;
    }, {
      ...this.#options,
      onRetry: () => open.forEach(({ topic }) => this.#cluster.forgetTopic(topic)),
    });
    return queries.map((query) => {
      const answer = answers.get(query);
      assert(answer !== undefined, "each query has an answer or an error");
      return answer;
    });
  }

  async #byLeader(queries: readonly Query[]): Promise<Map<number, Query[]>> {
    const byLeader = new Map<number, Query[]>();
    for (const query of queries) {
      const { partitions } = await this.#cluster.topic(query.topic, this.#options);
      const leader = partitions[query.partition]?.leader;
      if (leader === undefined) {
        throw new UnknownPartitionError(query.topic, query.partition, partitions.length);
      }
      if (leader < 0) {
        const subject = `partition ${query.topic}-${query.partition}`;
        throw new KafkaError(Errors.LEADER_NOT_AVAILABLE, subject);
      }
      const group = byLeader.get(leader);
      if (group === undefined) byLeader.set(leader, [query]);
      else group.push(query);
    }
    return byLeader;
  }

  async #ask(
    connection: Connection,
    queries: readonly Query[],
    timeoutMs: number,
  ): Promise<{ query: Query; result: PartitionOffset }[]> {
    // A partition may be asked for twice, with different times, but not within one request.
    const rounds: Map<string, Query>[] = [];
    for (const query of queries) {
      const key = `${query.topic}/${query.partition}`;
      let round = rounds.find((map) => !map.has(key));
      if (round === undefined) rounds.push(round = new Map());
      round.set(key, query);
    }
    const answers = await Promise.all(
      rounds.map((round) => this.#askOnce(connection, round, timeoutMs)),
    );
    return answers.flat();
  }

  async #askOnce(connection: Connection, queries: ReadonlyMap<string, Query>, timeoutMs: number) {
    const topics = groupBy(queries.values(), ({ topic }) => topic);
    const response = await connection.request(listOffsets, {
      replicaId: -1,
      isolationLevel: this.#options.isolationLevel === "read_committed" ? 1 : 0,
      topics: [...topics].map(([name, asked]) => ({
        name,
        partitions: asked.map(({ partition, at }) => ({
          partitionIndex: partition,
          timestamp: typeof at === "number" ? BigInt(at) : TIMESTAMP_OF[at],
        })),
      })),
      timeoutMs,
    }, {
      timeoutMs,
      ...(this.#options.signal === undefined ? {} : { signal: this.#options.signal }),
    });
    const answers = new Map(
      response.topics.flatMap(({ name, partitions }) =>
        partitions.map((answer): [string, typeof answer] => [
          `${name}/${answer.partitionIndex}`,
          answer,
        ])
      ),
    );
    return [...queries].map(([key, query]) => {
      const { topic, partition } = query;
      const subject = `offsets of ${topic}-${partition}`;
      const answer = answers.get(key);
      if (answer === undefined) return { query, result: unanswered(topic, partition, subject) };
      const { errorCode, offset, timestamp: timestampMs, leaderEpoch } = answer;
      const error = errorCode === Errors.NONE ? null : new KafkaError(errorCode, subject);
      return { query, result: { topic, partition, offset, timestampMs, leaderEpoch, error } };
    });
  }
}

/** What a broker has left out of its answer. Never nothing: callers count on one for each query. */
function unanswered(topic: string, partition: number, subject: string): PartitionOffset {
  const detail = "the broker has left it out of its answer";
  const error = new KafkaError(Errors.UNKNOWN_SERVER_ERROR, subject, detail);
  return { topic, partition, offset: -1n, timestampMs: -1n, leaderEpoch: -1, error };
}
