/** Puts transactions into a broker: their coordinator, their markers and the gate to partitions. */
import type { Codecs } from "../../../core/compression/codec.ts";
import type { Io } from "../../../core/io.ts";
import type { BrokerConfig } from "../../config/broker-config.ts";
import type { PartitionSet } from "../../partition-set.ts";
import type { ProducerIds } from "../../producer-ids.ts";
import { TRANSACTION_STATE_TOPIC } from "../../topic-names.ts";
import { TransactionGate } from "../../transaction-gate.ts";
import { TxnMarkers } from "../../txn-markers.ts";
import type { Peers } from "../../cluster/peers.ts";
import { abandonFenced } from "../../cluster/request-batches.ts";
import {
  coordinatorTopic,
  type CoordinatorTopicServices,
  isTouched,
} from "../coordinator-topic.ts";
import type { GroupCoordinator } from "../group/group-coordinator.ts";
import { MarkerRouter } from "./marker-router.ts";
import { RemoteGate } from "./remote-gate.ts";
import { transactionConfig } from "./transaction-config.ts";
import { TransactionCoordinator } from "./transaction-coordinator.ts";

/** What of a broker transactions need. */
export interface TransactionServices extends CoordinatorTopicServices {
  readonly io: Pick<Io, "clock">;
  readonly codecs: Codecs;
  readonly config: BrokerConfig;
  readonly producerIds: ProducerIds;
  readonly partitions: PartitionSet;
  readonly groups: GroupCoordinator;
  /** The other brokers; null where there are none. */
  readonly peers: Peers | null;
}

/** What a broker has of transactions. */
export interface Transactions {
  /** Transactional ids and their transactions; its `close` ends it. */
  readonly transactions: TransactionCoordinator;
  /** Asks a transaction's coordinator before a partition lets it begin. */
  readonly transactionGate: TransactionGate;
  /** Writes the ends of transactions. */
  readonly txnMarkers: TxnMarkers;
}

/**
 * Starts coordinating what the image says that this broker leads, and follows the image. The
 * partitions have to follow it before this does.
 */
export function startTransactions(services: TransactionServices): Transactions {
  const { io, logger, codecs, config, metadata, producerIds, partitions, groups } = services;
  const timeoutMs = () => config.get("request.timeout.ms");
  const txnMarkers = new TxnMarkers({ clock: io.clock, partitions, groups, timeoutMs });
  const others = startOthers(services, txnMarkers, timeoutMs);
  const transactions = new TransactionCoordinator({
    clock: io.clock,
    timerClocks: services.timerClocks,
    logger,
    codecs,
    config: transactionConfig(config),
    commitTimeoutMs: timeoutMs(),
    topic: coordinatorTopic(
      services,
      TRANSACTION_STATE_TOPIC,
      () => config.get("transaction.state.log.num.partitions"),
    ),
    markers: others?.markers ?? txnMarkers,
    nextProducerId: () => producerIds.next(),
  });
  metadata.onChange((delta) => {
    if (isTouched(delta, TRANSACTION_STATE_TOPIC)) transactions.follow();
  });
  transactions.follow();
  const transactionGate = new TransactionGate({
    clock: io.clock,
    config,
    nodeId: metadata.nodeId,
    coordinator: transactions,
    remote: others?.gate ?? null,
  });
  return { transactions, transactionGate, txnMarkers };
}

/** What goes to other brokers; null where there are none. */
function startOthers(
  { metadata, peers }: TransactionServices,
  local: TxnMarkers,
  timeoutMs: () => number,
) {
  if (peers === null) return null;
  const markers = new MarkerRouter({ metadata, peers, local, timeoutMs });
  const gate = new RemoteGate({ peers, timeoutMs });
  abandonFenced(metadata, [markers.calls, gate.calls]);
  return { markers, gate };
}
