/**
 * Brings the ends of transactions to the leaders of their partitions: to this broker at once, to others
 * by WriteTxnMarkers (Kafka's `TransactionMarkerChannelManager`). It tries once; who decided the
 * transaction tries again, and by then another broker may lead.
 */
import { type ErrorCode, errorCode, Errors } from "../../../core/errors.ts";
import type { Connection } from "../../../core/connection.ts";
import { writeTxnMarkers } from "../../../core/protocol/27-write-txn-markers.ts";
import { RequestBatches } from "../../cluster/request-batches.ts";
import type { Peers } from "../../cluster/peers.ts";
import type { MetadataCache } from "../../metadata-cache.ts";
import type { MarkerResult, MarkerWriter, TxnMarker } from "./markers.ts";
import { type TxnPartitions, txnPartitions } from "./transaction-records.ts";

/** Markers in one request; each may name many partitions. */
const MARKERS_MAX = 1_000;

/** What it is made of. */
export interface MarkerRouterOptions {
  readonly metadata: MetadataCache;
  readonly peers: Peers;
  /** Writes into the partitions that this broker leads. */
  readonly local: MarkerWriter;
  /** How long a broker may take for one request. */
  readonly timeoutMs: () => number;
}

/** The error of each partition; null: there was no answer. */
type Answer = ((topic: string, partition: number) => ErrorCode) | null;

/** See the head of this file. */
export class MarkerRouter implements MarkerWriter {
  readonly calls: RequestBatches<TxnMarker, Answer>;
  readonly #options: MarkerRouterOptions;

  constructor(options: MarkerRouterOptions) {
    this.#options = options;
    this.calls = new RequestBatches<TxnMarker, Answer>({
      peers: options.peers,
      use: "transaction markers",
      itemsMax: MARKERS_MAX,
      // Answers name the producer alone.
      keyOf: ({ producerId }) => String(producerId),
      send: (connection, markers, signal) => this.#send(connection, markers, signal),
      unanswered: null,
    });
  }

  async write(marker: TxnMarker): Promise<readonly MarkerResult[]> {
    const { local, metadata } = this.#options;
    const { results, byLeader } = this.#route(marker.partitions);
    const written = await Promise.all([...byLeader].map(([leader, partitions]) => {
      const part = { ...marker, partitions: txnPartitions(partitions) };
      return leader === metadata.nodeId ? local.write(part) : this.#writeAt(leader, part);
    }));
    return [...results, ...written.flat()];
  }

  /** Whose the partitions are; what needs no marker, or has nobody who could write it. */
  #route(partitions: TxnPartitions) {
    const results: MarkerResult[] = [];
    const byLeader = new Map<number, [string, number[]][]>();
    for (const [topic, indexes] of partitions) {
      const image = this.#options.metadata.topic(topic);
      const ofTopic = new Map<number, number[]>();
      for (const partition of indexes) {
        const leader = image?.partitions[partition]?.leader;
        if (leader === undefined) {
          // It has been deleted: this image is at least as new as the decision.
          results.push({ topic, partition, error: Errors.NONE });
        } else if (leader < 0) {
          results.push({ topic, partition, error: Errors.LEADER_NOT_AVAILABLE });
        } else {
          ofTopic.set(leader, [...ofTopic.get(leader) ?? [], partition]);
        }
      }
      for (const [leader, indexes] of ofTopic) {
        byLeader.set(leader, [...byLeader.get(leader) ?? [], [topic, indexes]]);
      }
    }
    return { results, byLeader };
  }

  async #writeAt(leader: number, marker: TxnMarker): Promise<MarkerResult[]> {
    const answer = await this.calls.ask(leader, marker);
    return [...marker.partitions].flatMap(([topic, partitions]) =>
      [...partitions].map((partition) => ({
        topic,
        partition,
        error: answer === null ? Errors.NETWORK_EXCEPTION : answer(topic, partition),
      }))
    );
  }

  async #send(
    connection: Connection,
    markers: readonly TxnMarker[],
    signal: AbortSignal,
  ): Promise<Answer[]> {
    const request = {
      markers: markers.map(({ producerId, commit, partitions, ...marker }) => ({
        ...marker,
        producerId: BigInt(producerId),
        transactionResult: commit,
        topics: [...partitions].map(([name, indexes]) => ({
          name,
          partitionIndexes: [...indexes],
        })),
      })),
    };
    const response = await connection.request(writeTxnMarkers, request, {
      timeoutMs: this.#options.timeoutMs(),
      signal,
    });
    const errors = new Map<string, ErrorCode>();
    const keyOf = (producerId: bigint, topic: string, partition: number) =>
      `${producerId} ${partition} ${topic}`;
    for (const { producerId, topics } of response.markers) {
      for (const { name, partitions } of topics) {
        for (const each of partitions) {
          errors.set(keyOf(producerId, name, each.partitionIndex), errorCode(each.errorCode));
        }
      }
    }
    return markers.map(({ producerId }) => (topic, partition) =>
      errors.get(keyOf(BigInt(producerId), topic, partition)) ?? Errors.UNKNOWN_SERVER_ERROR
    );
  }
}
