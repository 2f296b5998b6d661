/**
 * Asks coordinators on other brokers whether a transaction may begin in partitions that are led here:
 * AddPartitionsToTxn of brokers (KIP-890; Kafka's `AddPartitionsToTxnManager`).
 */
import { type ErrorCode, errorCode, Errors } from "../../../core/errors.ts";
import type { Connection } from "../../../core/connection.ts";
import { addPartitionsToTxn } from "../../../core/protocol/24-add-partitions-to-txn.ts";
import { RequestBatches } from "../../cluster/request-batches.ts";
import type { Peers } from "../../cluster/peers.ts";
import type { Admission, GateRequest } from "../../transaction-gate.ts";

/** Transactions in one request. */
const TRANSACTIONS_MAX = 1_000;

/** What it is made of. */
export interface RemoteGateOptions {
  readonly peers: Peers;
  /** How long a broker may take for one request. */
  readonly timeoutMs: () => number;
}

/** See the head of this file. */
export class RemoteGate {
  readonly calls: RequestBatches<GateRequest, Admission>;
  readonly #options: RemoteGateOptions;

  constructor(options: RemoteGateOptions) {
    this.#options = options;
    this.calls = new RequestBatches<GateRequest, Admission>({
      peers: options.peers,
      use: "transactions",
      itemsMax: TRANSACTIONS_MAX,
      // Answers name the transactional id alone.
      keyOf: ({ transactionalId }) => transactionalId,
      send: (connection, requests, signal) => this.#send(connection, requests, signal),
      unanswered: () => Errors.NETWORK_EXCEPTION,
    });
  }

  /** What that broker says, in its own words; NETWORK_EXCEPTION where it says nothing. */
  ask(leader: number, request: GateRequest): Promise<Admission> {
    return this.calls.ask(leader, request);
  }

  async #send(
    connection: Connection,
    requests: readonly GateRequest[],
    signal: AbortSignal,
  ): Promise<Admission[]> {
    const transactions = requests.map(({ partitions, support, producerId, ...request }) => ({
      ...request,
      producerId: BigInt(producerId),
      verifyOnly: support !== "adds",
      topics: [...partitions].map(([name, indexes]) => ({ name, partitions: [...indexes] })),
    }));
    const response = await connection.request(addPartitionsToTxn, { transactions }, {
      timeoutMs: this.#options.timeoutMs(),
      signal,
    });
    // Kafka's brokers take a refusal of the whole for one that producers give up at.
    const ofAll = response.errorCode === Errors.NONE
      ? Errors.UNKNOWN_SERVER_ERROR
      : Errors.INVALID_TXN_STATE;
    const errors = new Map<string, ErrorCode>();
    for (const { transactionalId, topicResults } of response.resultsByTransaction) {
      for (const { name, resultsByPartition } of topicResults) {
        for (const { partitionIndex, partitionErrorCode } of resultsByPartition) {
          errors.set(keyOf(transactionalId, name, partitionIndex), errorCode(partitionErrorCode));
        }
      }
    }
    return requests.map(({ transactionalId }): Admission => (topic, partition) =>
      errors.get(keyOf(transactionalId, topic, partition)) ?? ofAll
    );
  }
}

function keyOf(transactionalId: string, topic: string, partition: number): string {
  // Topics have no blank in their names.
  return `${partition} ${topic} ${transactionalId}`;
}
