/**
 * The records of `__transaction_state`, and what they say of a transactional id. One record is all
 * that is known of an id, so the newest one is the state (Kafka's `TransactionLog`). Version 1 of
 * the value, that of `transaction.version` 1 and later, is written; every version is read.
 */
import {
  decodeData,
  decodePrefix,
  decodeVersioned,
  encodePrefixed,
  encodeVersioned,
  ProtocolError,
} from "../../../core/protocol/codec.ts";
import { transactionLogRecord } from "../../../core/protocol/records/transaction-records.ts";
import type { EncodedRecord, RecordCodec } from "../shard.ts";

/** The states by their number in a record (Kafka's `TransactionState`). */
export const TRANSACTION_STATES = [
  "Empty",
  "Ongoing",
  "PrepareCommit",
  "PrepareAbort",
  "CompleteCommit",
  "CompleteAbort",
  "Dead",
  "PrepareEpochFence",
] as const;

/**
 * Where a transactional id is. `PrepareX`: decided, the markers are on their way; `CompleteX`: they
 * are all written. The last two never come into a record: they are states that Kafka knows in memory.
 */
export type TransactionState = typeof TRANSACTION_STATES[number];

/** Partitions by topic. */
export type TxnPartitions = ReadonlyMap<string, ReadonlySet<number>>;

/** The partitions that a request names; one that it names twice is in once. */
export function txnPartitions(
  named: Iterable<readonly [topic: string, partitions: readonly number[]]>,
): TxnPartitions {
  const byTopic = new Map<string, Set<number>>();
  for (const [topic, partitions] of named) {
    const known = byTopic.get(topic) ?? new Set();
    for (const partition of partitions) known.add(partition);
    byTopic.set(topic, known);
  }
  return byTopic;
}

/** Stands for no producer id and no producer epoch. */
export const NONE = -1;

/** All that is known of a transactional id. Never changed, only replaced. */
export interface TransactionValue {
  readonly producerId: number;
  /** The id before the last change of state; another one only after the epochs ran out. */
  readonly previousProducerId: number;
  /** The id that takes over at the end of the transaction, because the epochs run out; or −1. */
  readonly nextProducerId: number;
  readonly producerEpoch: number;
  /** The epoch of an earlier answer, by which a retry is known (KIP-360). Not in the record. */
  readonly lastProducerEpoch: number;
  readonly timeoutMs: number;
  readonly state: TransactionState;
  readonly partitions: TxnPartitions;
  /** Wall time of the first partition; −1 before. */
  readonly startMs: number;
  /** Wall time. */
  readonly lastUpdateMs: number;
  /** 2 if the client bumps its epoch with every transaction (KIP-890), else 0. */
  readonly clientVersion: number;
}

/** A record: the state of an id, or that it has expired. */
export interface TransactionRecord {
  readonly transactionalId: string;
  readonly value: TransactionValue | null;
}

const KEY_VERSION = 0;
const VALUE_VERSION = 1;

/** See the head of this file. */
export const transactionRecordCodec: RecordCodec<TransactionRecord> = { encode, decode };

function encode({ transactionalId, value }: TransactionRecord): EncodedRecord {
  const { key, type } = transactionLogRecord;
  return {
    key: encodePrefixed(key, type, KEY_VERSION, { transactionalId }),
    value: value === null ? null : encodeValue(value),
  };
}

function encodeValue(value: TransactionValue): Uint8Array {
  return encodeVersioned(transactionLogRecord.value, VALUE_VERSION, {
    producerId: BigInt(value.producerId),
    previousProducerId: BigInt(value.previousProducerId),
    nextProducerId: BigInt(value.nextProducerId),
    producerEpoch: value.producerEpoch,
    transactionTimeoutMs: value.timeoutMs,
    transactionStatus: TRANSACTION_STATES.indexOf(value.state),
    transactionPartitions: value.state === "Empty"
      ? null
      : [...value.partitions].map(([topic, partitions]) => ({
        topic,
        partitionIds: [...partitions],
      })),
    transactionLastUpdateTimestampMs: BigInt(value.lastUpdateMs),
    transactionStartTimestampMs: BigInt(value.startMs),
    clientTransactionVersion: value.clientVersion,
  });
}

function decode(key: Uint8Array, value: Uint8Array | null): TransactionRecord | null {
  try {
    if (decodePrefix(key) !== transactionLogRecord.type) return null;
    const { transactionalId } = decodeData(transactionLogRecord.key, KEY_VERSION, key, 2);
    if (value === null) return { transactionalId, value: null };
    const decoded = decodeValue(value);
    return decoded === null ? null : { transactionalId, value: decoded };
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

function decodeValue(bytes: Uint8Array): TransactionValue | null {
  const decoded = decodeVersioned(transactionLogRecord.value, bytes);
  const state = TRANSACTION_STATES[decoded.transactionStatus];
  if (state === undefined || state === "Dead" || state === "PrepareEpochFence") return null;
  const partitions = new Map<string, ReadonlySet<number>>();
  for (const { topic, partitionIds } of decoded.transactionPartitions ?? []) {
    partitions.set(topic, new Set(partitionIds));
  }
  return {
    producerId: Number(decoded.producerId),
    previousProducerId: Number(decoded.previousProducerId),
    nextProducerId: Number(decoded.nextProducerId),
    producerEpoch: decoded.producerEpoch,
    lastProducerEpoch: NONE,
    timeoutMs: decoded.transactionTimeoutMs,
    state,
    partitions,
    startMs: Number(decoded.transactionStartTimestampMs),
    lastUpdateMs: Number(decoded.transactionLastUpdateTimestampMs),
    clientVersion: decoded.clientTransactionVersion,
  };
}
