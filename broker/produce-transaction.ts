/**
 * What a produce request has to do with a transaction: whether it may, and, where a partition sees
 * the transaction for the first time, the question to its coordinator (KIP-890;
 * `ReplicaManager.handleProduceAppend`).
 */
import { type ErrorCode, Errors } from "../core/errors.ts";
import {
  baseSequence,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  isTransactional,
  magic,
  NO_PRODUCER_ID,
  producerEpoch,
  producerId,
} from "../core/records/batch-header.ts";
import type { VerificationGuard } from "../storage/partition-log.ts";
import type { Partition, TransactionalAppend } from "./partition.ts";
import type { RequestContext } from "./request-context.ts";
import { produceError, type TransactionGate, type TransactionSupport } from "./transaction-gate.ts";

/** Whether the records begin with a batch of a transaction. */
export function isOfTransaction(records: Uint8Array | null): records is Uint8Array {
  return records !== null && records.length >= BATCH_HEADER_BYTES &&
    magic(records, 0) === BATCH_MAGIC && isTransactional(records, 0) &&
    producerId(records, 0) > NO_PRODUCER_ID;
}

/** A partition of the request with its batch, which is of a transaction. */
export interface TransactionalBatch {
  readonly partition: Partition;
  readonly records: Uint8Array;
}

/** What became of the question for one partition. */
interface Answer {
  readonly error: ErrorCode;
  readonly guard: VerificationGuard;
}

/** See the head of this file. */
export class ProduceTransaction {
  readonly #gate: TransactionGate;
  readonly #transactionalId: string;
  readonly #support: TransactionSupport;
  readonly #answers = new Map<Partition, Answer>();

  private constructor(gate: TransactionGate, transactionalId: string, version: number) {
    this.#gate = gate;
    this.#transactionalId = transactionalId;
    this.#support = version >= 12 ? "adds" : version >= 11 ? "aborts" : "old";
  }

  /**
   * The transaction of a request that has batches of one; or why all of it is refused: the sender
   * names no transactional id that it may write with, or the batches are of several producers.
   */
  static of(
    context: RequestContext,
    gate: TransactionGate,
    transactionalId: string | null,
    batches: readonly Uint8Array[],
  ): ProduceTransaction | ErrorCode {
    const isAllowed = transactionalId !== null &&
      context.authorized("WRITE", "TRANSACTIONAL_ID", transactionalId);
    if (!isAllowed) return Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    const producers = batches.map((batch) => `${producerId(batch, 0)}:${producerEpoch(batch, 0)}`);
    if (new Set(producers).size > 1) return Errors.INVALID_PRODUCER_ID_MAPPING;
    return new ProduceTransaction(gate, transactionalId, context.apiVersion);
  }

  /** Asks for those partitions that do not know of the transaction; null if all of them do. */
  ask(batches: readonly TransactionalBatch[]): Promise<void> | null {
    if (!this.#gate.isNeeded(this.#support)) return null;
    const guards = new Map<Partition, VerificationGuard>();
    for (const { partition, records } of batches) {
      const guard = partition.log.startVerification(
        producerId(records, 0),
        producerEpoch(records, 0),
        baseSequence(records, 0),
      );
      if (guard !== null) guards.set(partition, guard);
    }
    const [first] = batches;
    return guards.size === 0 || first === undefined ? null : this.#ask(guards, first.records);
  }

  /** How the batch of a partition is appended, or why it is not. */
  appendTo(partition: Partition): TransactionalAppend | ErrorCode {
    if (!this.#gate.isNeeded(this.#support)) return { verification: "off" };
    const answer = this.#answers.get(partition);
    if (answer === undefined) return { verification: null };
    return answer.error === Errors.NONE ? { verification: answer.guard } : answer.error;
  }

  async #ask(
    guards: ReadonlyMap<Partition, VerificationGuard>,
    records: Uint8Array,
  ): Promise<void> {
    const partitions = new Map<string, Set<number>>();
    for (const { topic, index } of guards.keys()) {
      partitions.set(topic, (partitions.get(topic) ?? new Set()).add(index));
    }
    const admission = await this.#gate.ask({
      transactionalId: this.#transactionalId,
      producerId: producerId(records, 0),
      producerEpoch: producerEpoch(records, 0),
      support: this.#support,
      partitions,
    });
    for (const [partition, guard] of guards) {
      const error = produceError(admission(partition.topic, partition.index), this.#support);
      this.#answers.set(partition, { error, guard });
    }
  }
}
