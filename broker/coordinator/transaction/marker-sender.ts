/**
 * Brings decided transactions to their end: one task per transaction writes the markers, again and
 * again until each is in its partition, then has the coordinator note that it is complete (Kafka's
 * `TransactionMarkerChannelManager`). No marker goes out before the decision is committed, or a
 * crash could take the decision back and leave the markers.
 */
import { Errors } from "../../../core/errors.ts";
import { type Clock, sleep } from "../../../core/io.ts";
import type { Logger } from "../../../core/logger.ts";
import type { CoordinatorRuntime } from "../runtime.ts";
import { judgeMarker, type MarkerResult, type MarkerWriter } from "./markers.ts";
import type { TransactionRecord, TransactionValue, TxnPartitions } from "./transaction-records.ts";
import type { TransactionShard } from "./transaction-shard.ts";

/** Between the first two attempts; then ever longer. */
const RETRY_MS = 100;
const RETRY_MS_MAX = 1_000;
/** After so long somebody should know which partitions keep a transaction from its end. */
const SLOW_MS = 30_000;

/** A decided transaction. */
export interface Decided {
  readonly transactionalId: string;
  readonly value: TransactionValue;
  /** The partition of `__transaction_state`, and the leader epoch under which it is led here. */
  readonly shard: number;
  readonly coordinatorEpoch: number;
  /** Aborted when the shard is led here no more. */
  readonly signal: AbortSignal;
}

/** What a sender is made of. */
export interface MarkerSenderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly writer: MarkerWriter;
  readonly runtime: () => CoordinatorRuntime<TransactionRecord, TransactionShard>;
}

/** See the head of this file. */
export class MarkerSender {
  constructor(private readonly options: MarkerSenderOptions) {}

  /** Sees to the transaction until it is complete or its shard has gone. */
  start(decided: Decided): void {
    void this.#run(decided).catch((error: unknown) => {
      // A sleep ends so when the shard goes; anything else is a bug, and ends the process.
      if (!decided.signal.aborted) throw error;
    });
  }

  async #run(decided: Decided): Promise<void> {
    const { transactionalId, value, shard } = decided;
    const runtime = this.options.runtime();
    let left = value.partitions;
    /** Partitions of which it was said that the end came too late. */
    const overtaken = new Set<string>();
    let slowAtMs = this.options.clock.monotonicMs() + SLOW_MS;
    for (let delayMs = RETRY_MS;; delayMs = Math.min(2 * delayMs, RETRY_MS_MAX)) {
      const still = await runtime.read(shard, (state) => state.isStill(transactionalId, value));
      if (decided.signal.aborted) return;
      if (still.ok && !still.value) return;
      if (still.ok) left = await this.#writeMarkers(decided, left, overtaken);
      if (decided.signal.aborted) return;
      if (still.ok && left.size === 0) {
        const done = await runtime.write(shard, (state) => state.complete(transactionalId, value));
        if (done.ok || decided.signal.aborted) return;
      }
      if (left.size > 0 && this.options.clock.monotonicMs() >= slowAtMs) {
        slowAtMs = Infinity;
        this.#tellSlow(transactionalId, left);
      }
      await sleep(this.options.clock, delayMs, decided.signal);
    }
  }

  #tellSlow(transactionalId: string, left: TxnPartitions): void {
    const missing = [...left].flatMap(([topic, indexes]) =>
      [...indexes].map((index) => `${topic}-${index}`)
    );
    this.options.logger.warn("a transaction is decided, and partitions do not take its end", {
      transactionalId,
      partitions: missing.length,
      first: missing[0] ?? "none",
    });
  }

  /** The partitions that are still without their marker. */
  async #writeMarkers(
    decided: Decided,
    partitions: TxnPartitions,
    overtaken: Set<string>,
  ): Promise<TxnPartitions> {
    if (partitions.size === 0) return partitions;
    const { value, coordinatorEpoch } = decided;
    const results = await this.options.writer.write({
      producerId: value.producerId,
      producerEpoch: value.producerEpoch,
      commit: value.state === "PrepareCommit",
      coordinatorEpoch,
      transactionVersion: value.clientVersion,
      partitions,
    });
    const left = new Map<string, Set<number>>();
    for (const result of results) {
      if (!this.#isLeft(decided, result, overtaken)) continue;
      const { topic, partition } = result;
      left.set(topic, (left.get(topic) ?? new Set()).add(partition));
    }
    return left;
  }

  #isLeft(
    { transactionalId, value }: Decided,
    { topic, partition, error }: MarkerResult,
    overtaken: Set<string>,
  ): boolean {
    switch (judgeMarker(error)) {
      case "done":
        return false;
      case "overtaken": {
        const fields = { transactionalId, producerId: value.producerId, topic, partition, error };
        const isKnown = overtaken.has(`${topic}-${partition}`);
        overtaken.add(`${topic}-${partition}`);
        if (!isKnown) {
          this.options.logger.warn(
            "the end of a transaction came too late for a partition",
            fields,
          );
        }
        // A newer coordinator sees to the rest; a newer producer has left nothing to end.
        return error === Errors.TRANSACTION_COORDINATOR_FENCED;
      }
      case "retry":
        return true;
    }
  }
}
