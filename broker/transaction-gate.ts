/**
 * Asks the coordinator before a partition lets a producer begin a transaction (KIP-890; Kafka's
 * `AddPartitionsToTxnManager`). A partition that opened one which its coordinator knows nothing of
 * would hold its readers back forever.
 */
import { type ErrorCode, Errors } from "../core/errors.ts";
import { type Clock, sleep } from "../core/io.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import type { RemoteGate } from "./coordinator/transaction/remote-gate.ts";
import type { TransactionCoordinator } from "./coordinator/transaction/transaction-coordinator.ts";
import type { TxnPartitions } from "./coordinator/transaction/transaction-records.ts";
import {
  EPOCH_BUMP_VERSION,
  type ProducerIdentity,
} from "./coordinator/transaction/transitions.ts";

/**
 * What the version of a request says of its client. `adds`: partitions join the transaction by
 * being written to; `aborts`: the client knows TRANSACTION_ABORTABLE; `old`: neither.
 */
export type TransactionSupport = "adds" | "aborts" | "old";

/** A producer that wants to write to partitions in which it has no open transaction. */
export interface GateRequest extends ProducerIdentity {
  readonly transactionalId: string;
  readonly support: TransactionSupport;
  readonly partitions: TxnPartitions;
}

/** What the coordinator says of one of the partitions. */
export type Admission = (topic: string, partition: number) => ErrorCode;

/** What the gate is made of. */
export interface TransactionGateOptions {
  readonly clock: Clock;
  readonly config: BrokerConfig;
  /** The broker, by its id, and the coordinator of this broker. */
  readonly nodeId: number;
  readonly coordinator: TransactionCoordinator;
  /** The coordinators on other brokers; null where there are no others. */
  readonly remote: RemoteGate | null;
}

/** See the head of this file. */
export class TransactionGate {
  readonly #options: TransactionGateOptions;

  constructor(options: TransactionGateOptions) {
    this.#options = options;
  }

  /** Whether anything has to be asked (`transaction.partition.verification.enable`). */
  isNeeded(support: TransactionSupport): boolean {
    const { config } = this.#options;
    return support === "adds" || config.get("transaction.partition.verification.enable");
  }

  /** Asks. Errors are those that producers know, so a fenced one hears INVALID_PRODUCER_EPOCH. */
  ask(request: GateRequest): Promise<Admission> {
    const { coordinator, nodeId, remote } = this.#options;
    if (remote === null) return this.#askHere(request);
    const leader = coordinator.leaderOf(request.transactionalId);
    if (leader === nodeId) return this.#askHere(request);
    if (leader < 0) return Promise.resolve(() => Errors.COORDINATOR_NOT_AVAILABLE);
    return this.#askAt(leader, remote, request);
  }

  async #askAt(leader: number, remote: RemoteGate, request: GateRequest): Promise<Admission> {
    const { clock, config } = this.#options;
    const { support } = request;
    const deadlineMs = clock.monotonicMs() +
      config.get("add.partitions.to.txn.retry.backoff.max.ms");
    const backoffMs = config.get("add.partitions.to.txn.retry.backoff.ms");
    for (;;) {
      const answer = await remote.ask(leader, request);
      const leftMs = deadlineMs - clock.monotonicMs();
      if (support === "adds" && leftMs > 0 && isConcurrent(request, answer)) {
        await sleep(clock, Math.min(backoffMs, leftMs));
        continue;
      }
      return (topic, partition) => remoteError(answer(topic, partition), support);
    }
  }

  async #askHere(request: GateRequest): Promise<Admission> {
    const { coordinator } = this.#options;
    const { transactionalId, partitions, support } = request;
    if (support === "adds") {
      const error = await coordinator.addPartitions(
        transactionalId,
        request,
        partitions,
        EPOCH_BUMP_VERSION,
      );
      return () => producerError(error);
    }
    const verified = await coordinator.verifyPartitions(transactionalId, request, partitions);
    const error = producerError(verified.error);
    const absent = absentError(support);
    return (topic, partition) =>
      error === Errors.NONE && verified.missing.get(topic)?.has(partition) ? absent : error;
  }
}

/** Of a partition that is not in the transaction. */
function absentError(support: TransactionSupport): ErrorCode {
  return support === "aborts" ? Errors.TRANSACTION_ABORTABLE : Errors.INVALID_TXN_STATE;
}

/** Another broker says TRANSACTION_ABORTABLE of such a partition, whatever the client knows. */
function remoteError(error: ErrorCode, support: TransactionSupport): ErrorCode {
  const isAbsent = support !== "adds" && error === Errors.TRANSACTION_ABORTABLE;
  return isAbsent ? absentError(support) : producerError(error);
}

/** Whether the last transaction of the id has not come to its end yet. */
function isConcurrent({ partitions }: GateRequest, answer: Admission): boolean {
  return [...partitions].some(([topic, indexes]) =>
    [...indexes].some((index) => answer(topic, index) === Errors.CONCURRENT_TRANSACTIONS)
  );
}

function producerError(error: ErrorCode): ErrorCode {
  return error === Errors.PRODUCER_FENCED ? Errors.INVALID_PRODUCER_EPOCH : error;
}

/**
 * The errors of a coordinator that old producers would not retry after, as one that they do: it
 * does not make them fetch metadata either (`ReplicaManager.handleProduceAppend`).
 */
export function produceError(error: ErrorCode, support: TransactionSupport): ErrorCode {
  switch (error) {
    case Errors.NETWORK_EXCEPTION:
    case Errors.COORDINATOR_LOAD_IN_PROGRESS:
    case Errors.COORDINATOR_NOT_AVAILABLE:
    case Errors.NOT_COORDINATOR:
      return Errors.NOT_ENOUGH_REPLICAS;
    case Errors.CONCURRENT_TRANSACTIONS:
      return support === "adds" ? error : Errors.NOT_ENOUGH_REPLICAS;
    default:
      return error;
  }
}
