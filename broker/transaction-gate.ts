/**
 * Asks the coordinator before a partition lets a producer begin a transaction (KIP-890; Kafka's
 * `AddPartitionsToTxnManager`). A partition that opened one which its coordinator knows nothing of
 * would hold its readers back forever.
 */
import { type ErrorCode, Errors } from "../core/errors.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
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

/** See the head of this file. */
export class TransactionGate {
  constructor(
    private readonly config: BrokerConfig,
    private readonly coordinator: TransactionCoordinator,
  ) {}

  /** Whether anything has to be asked (`transaction.partition.verification.enable`). */
  isNeeded(support: TransactionSupport): boolean {
    return support === "adds" || this.config.get("transaction.partition.verification.enable");
  }

  /** Asks. Errors are those that producers know, so a fenced one hears INVALID_PRODUCER_EPOCH. */
  async ask(request: GateRequest): Promise<Admission> {
    const { transactionalId, partitions, support } = request;
    if (support === "adds") {
      const error = await this.coordinator.addPartitions(
        transactionalId,
        request,
        partitions,
        EPOCH_BUMP_VERSION,
      );
      return () => producerError(error);
    }
    const verified = await this.coordinator.verifyPartitions(transactionalId, request, partitions);
    const error = producerError(verified.error);
    const absent = support === "aborts" ? Errors.TRANSACTION_ABORTABLE : Errors.INVALID_TXN_STATE;
    return (topic, partition) =>
      error === Errors.NONE && verified.missing.get(topic)?.has(partition) ? absent : error;
  }
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
