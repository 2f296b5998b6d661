/**
 * The share coordinators of other brokers: one request to each at a time, with all that was asked
 * meanwhile (Kafka's `PersisterStateManager`). It asks once; `persister-router.ts` tries again.
 */
import type { Connection, RequestOptions } from "../../../core/connection.ts";
import { type ErrorCode, errorCode, errorName, Errors } from "../../../core/errors.ts";
import { initializeShareGroupState } from "../../../core/protocol/83-initialize-share-group-state.ts";
import { readShareGroupState } from "../../../core/protocol/84-read-share-group-state.ts";
import { writeShareGroupState } from "../../../core/protocol/85-write-share-group-state.ts";
import { deleteShareGroupState } from "../../../core/protocol/86-delete-share-group-state.ts";
import { readShareGroupStateSummary } from "../../../core/protocol/87-read-share-group-state-summary.ts";
import type { Peers } from "../../cluster/peers.ts";
import { RequestBatches } from "../../cluster/request-batches.ts";
import { type ShareKey, shareKeyString } from "./share-records.ts";
import type { ShareOutcome, ShareRead, ShareSummary, ShareWrite } from "./share-shard.ts";

/** Share partitions in one request. */
const SHARE_PARTITIONS_MAX = 1_000;

/** What it is made of. */
export interface RemotePersisterOptions {
  readonly peers: Peers;
  /** How long a broker may take for one request. */
  readonly timeoutMs: () => number;
}

/** A share partition, and what a request says of it. */
interface Asked<W> {
  readonly key: ShareKey;
  readonly wanted: W;
}

/** The share partitions of one group, in the form of all these requests. */
interface StateRequest<W> {
  readonly groupId: string;
  readonly topics: readonly {
    readonly topicId: string;
    readonly partitions: readonly (W & { readonly partition: number })[];
  }[];
}

/** What all these responses say of a share partition. */
interface PartitionResult {
  readonly partition: number;
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

interface StateResponse<P> {
  readonly results: readonly { readonly topicId: string; readonly partitions: readonly P[] }[];
}

/** How one of these APIs is called; an answer is undefined where the broker has given none. */
interface StateCall<W, P, Answer> {
  readonly use: string;
  readonly ask: (
    connection: Connection,
    request: StateRequest<W>,
    options: RequestOptions,
  ) => Promise<StateResponse<P>>;
  readonly answerOf: (result: P | undefined) => Answer;
}

type Batches<W, Answer> = RequestBatches<Asked<W>, Answer>;

/** A request with a write waits for it to be committed; what only looks has a connection of its own. */
const WRITES = "share state writes";
const READS = "share state";

/** See the head of this file. NETWORK_EXCEPTION: there was no answer. */
export class RemotePersister {
  readonly #initialize: Batches<{ stateEpoch: number; startOffset: bigint }, ShareOutcome>;
  readonly #read: Batches<{ leaderEpoch: number }, ShareRead>;
  readonly #write: Batches<WireWrite, ShareOutcome>;
  readonly #delete: Batches<object, ShareOutcome>;
  readonly #summary: Batches<{ leaderEpoch: number }, ShareSummary>;

  constructor(options: RemotePersisterOptions) {
    this.#initialize = stateBatches(options, {
      use: WRITES,
      ask: (connection, request, how) =>
        connection.request(initializeShareGroupState, request, how),
      answerOf: outcomeOf,
    });
    this.#read = stateBatches(options, {
      use: READS,
      ask: (connection, request, how) => connection.request(readShareGroupState, request, how),
      answerOf: (result): ShareRead => ({
        ...outcomeOf(result),
        stateEpoch: result?.stateEpoch ?? 0,
        startOffset: Number(result?.startOffset ?? 0),
        stateBatches: (result?.stateBatches ?? []).map((batch) => ({
          firstOffset: Number(batch.firstOffset),
          lastOffset: Number(batch.lastOffset),
          deliveryState: batch.deliveryState,
          deliveryCount: batch.deliveryCount,
        })),
      }),
    });
    this.#write = stateBatches(options, {
      use: WRITES,
      ask: (connection, request, how) => connection.request(writeShareGroupState, request, how),
      answerOf: outcomeOf,
    });
    this.#delete = stateBatches(options, {
      use: WRITES,
      ask: (connection, request, how) => connection.request(deleteShareGroupState, request, how),
      answerOf: outcomeOf,
    });
    this.#summary = stateBatches(options, {
      use: READS,
      ask: (connection, request, how) =>
        connection.request(readShareGroupStateSummary, request, how),
      answerOf: (result) => ({
        ...outcomeOf(result),
        stateEpoch: result?.stateEpoch ?? 0,
        leaderEpoch: result?.leaderEpoch ?? 0,
        startOffset: Number(result?.startOffset ?? 0),
        deliveryCompleteCount: result?.deliveryCompleteCount ?? -1,
      }),
    });
  }

  /** What may wait for a broker that has gone. */
  get calls() {
    return [this.#initialize, this.#read, this.#write, this.#delete, this.#summary];
  }

  initialize(
    brokerId: number,
    key: ShareKey,
    stateEpoch: number,
    startOffset: number,
  ): Promise<ShareOutcome> {
    const wanted = { stateEpoch, startOffset: BigInt(startOffset) };
    return this.#initialize.ask(brokerId, { key, wanted });
  }

  read(brokerId: number, key: ShareKey, leaderEpoch: number): Promise<ShareRead> {
    return this.#read.ask(brokerId, { key, wanted: { leaderEpoch } });
  }

  write(brokerId: number, key: ShareKey, write: ShareWrite): Promise<ShareOutcome> {
    return this.#write.ask(brokerId, { key, wanted: wireWrite(write) });
  }

  delete(brokerId: number, key: ShareKey): Promise<ShareOutcome> {
    return this.#delete.ask(brokerId, { key, wanted: {} });
  }

  summary(brokerId: number, key: ShareKey): Promise<ShareSummary> {
    return this.#summary.ask(brokerId, { key, wanted: { leaderEpoch: -1 } });
  }
}

type WireWrite = ReturnType<typeof wireWrite>;

function wireWrite(write: ShareWrite) {
  return {
    ...write,
    startOffset: BigInt(write.startOffset),
    stateBatches: write.stateBatches.map((batch) => ({
      ...batch,
      firstOffset: BigInt(batch.firstOffset),
      lastOffset: BigInt(batch.lastOffset),
    })),
  };
}

function outcomeOf(result: PartitionResult | undefined): ShareOutcome {
  const error: ErrorCode = result === undefined
    ? Errors.NETWORK_EXCEPTION
    : errorCode(result.errorCode);
  return { errorCode: error, errorMessage: result?.errorMessage ?? errorName(error) };
}

function stateBatches<W extends object, P extends PartitionResult, Answer>(
  { peers, timeoutMs }: RemotePersisterOptions,
  { use, ask, answerOf }: StateCall<W, P, Answer>,
): Batches<W, Answer> {
  return new RequestBatches<Asked<W>, Answer>({
    peers,
    use,
    itemsMax: SHARE_PARTITIONS_MAX,
    keyOf: ({ key }) => shareKeyString(key),
    send: async (connection, items, signal) => {
      const how = { timeoutMs: timeoutMs(), signal };
      const results = new Map<string, P>();
      const byGroup = Map.groupBy(items, ({ key }) => key.groupId);
      await Promise.all([...byGroup].map(async ([groupId, ofGroup]) => {
        const response = await ask(connection, stateRequest(groupId, ofGroup), how);
        for (const { topicId, partitions } of response.results) {
          for (const result of partitions) {
            results.set(shareKeyString({ groupId, topicId, ...result }), result);
          }
        }
      }));
      return items.map(({ key }) => answerOf(results.get(shareKeyString(key))));
    },
    unanswered: answerOf(undefined),
  });
}

function stateRequest<W>(groupId: string, items: readonly Asked<W>[]): StateRequest<W> {
  const byTopic = Map.groupBy(items, ({ key }) => key.topicId);
  return {
    groupId,
    topics: [...byTopic].map(([topicId, ofTopic]) => ({
      topicId,
      partitions: ofTopic.map(({ key, wanted }) => ({ ...wanted, partition: key.partition })),
    })),
  };
}
