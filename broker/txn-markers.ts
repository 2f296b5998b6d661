/**
 * Writes the ends of transactions into the partitions that this broker leads: what WriteTxnMarkers
 * does for other brokers' coordinators, and this broker's own coordinator without a request.
 */
import { type ErrorCode, Errors } from "../core/errors.ts";
import type { Clock } from "../core/io.ts";
import { buildEndTxnMarker, type EndTxnMarker } from "../core/records/control-records.ts";
import type { GroupCoordinator } from "./coordinator/group/group-coordinator.ts";
import type { MarkerResult, MarkerWriter, TxnMarker } from "./coordinator/transaction/markers.ts";
import type { PartitionSet } from "./partition-set.ts";
import { GROUP_METADATA_TOPIC } from "./topic-names.ts";

/** What the markers are written with. */
export interface TxnMarkersOptions {
  readonly clock: Clock;
  readonly partitions: PartitionSet;
  /** Offsets that a transaction has committed count with its marker, so groups write it. */
  readonly groups: GroupCoordinator;
  /** How long one marker may take to be committed. */
  readonly timeoutMs: () => number;
}

/** See the head of this file. */
export class TxnMarkers implements MarkerWriter {
  constructor(private readonly options: TxnMarkersOptions) {}

  /** For this broker's coordinator: a partition that has been deleted needs no marker any more. */
  async write(marker: TxnMarker): Promise<readonly MarkerResult[]> {
    const results = await this.append(marker);
    return results.map((result) =>
      result.error === Errors.UNKNOWN_TOPIC_OR_PARTITION
        ? { ...result, error: Errors.NONE }
        : result
    );
  }

  /** Each partition with its error, which is NONE once the marker is committed. */
  append(marker: TxnMarker): Promise<MarkerResult[]> {
    const writes: Promise<MarkerResult>[] = [];
    for (const [topic, partitions] of marker.partitions) {
      for (const partition of partitions) writes.push(this.#appendOne(marker, topic, partition));
    }
    return Promise.all(writes);
  }

  async #appendOne(marker: TxnMarker, topic: string, partition: number): Promise<MarkerResult> {
    const { producerId, producerEpoch, coordinatorEpoch, transactionVersion } = marker;
    const batch: EndTxnMarker = {
      type: marker.commit ? "commit" : "abort",
      producerId,
      producerEpoch,
      coordinatorEpoch,
      timestampMs: this.options.clock.wallMs(),
    };
    const error = topic === GROUP_METADATA_TOPIC
      ? await this.#endOfOffsets(partition, batch, transactionVersion)
      : await this.#endOfRecords(topic, partition, batch, transactionVersion);
    return { topic, partition, error };
  }

  async #endOfOffsets(
    partition: number,
    marker: EndTxnMarker,
    transactionVersion: number,
  ): Promise<ErrorCode> {
    const { partitions, groups } = this.options;
    const found = partitions.find(GROUP_METADATA_TOPIC, partition);
    if (typeof found === "number") return found;
    const error = await groups.completeTransaction(partition, marker, transactionVersion);
    switch (error) {
      case Errors.COORDINATOR_NOT_AVAILABLE:
      case Errors.COORDINATOR_LOAD_IN_PROGRESS:
      case Errors.NOT_COORDINATOR:
        return Errors.NOT_LEADER_OR_FOLLOWER;
      default:
        return error;
    }
  }

  async #endOfRecords(
    topic: string,
    index: number,
    marker: EndTxnMarker,
    transactionVersion: number,
  ): Promise<ErrorCode> {
    const { clock, partitions, timeoutMs } = this.options;
    const partition = partitions.find(topic, index);
    if (typeof partition === "number") return partition;
    const batch = buildEndTxnMarker(marker);
    const appended = partition.append(batch, "coordinator", { transactionVersion });
    if (!appended.ok) return appended.error;
    const deadlineMs = clock.monotonicMs() + timeoutMs();
    return await partition.waitForOffset(appended.lastOffset + 1, deadlineMs);
  }
}
