/** What the broker's configs say of transactions, always as they are now. */
import type { BrokerConfig } from "../../config/broker-config.ts";

/** Transactional ids that one partition of `__transaction_state` may hold. */
export const TRANSACTIONAL_IDS_PER_SHARD_MAX = 100_000;

/** See the head of this file. Times in milliseconds. */
export interface TransactionConfig {
  /** transaction.max.timeout.ms */
  readonly maxTimeoutMs: number;
  /** transaction.abort.timed.out.transaction.cleanup.interval.ms */
  readonly timeoutCheckIntervalMs: number;
  /** transactional.id.expiration.ms */
  readonly expirationMs: number;
  /** transaction.remove.expired.transaction.cleanup.interval.ms */
  readonly expirationCheckIntervalMs: number;
  /** add.partitions.to.txn.retry.backoff.max.ms: how long one request waits for the last end. */
  readonly concurrentWaitMs: number;
}

/** The configs of a broker. */
export function transactionConfig(config: BrokerConfig): TransactionConfig {
  return {
    get maxTimeoutMs() {
      return config.get("transaction.max.timeout.ms");
    },
    get timeoutCheckIntervalMs() {
      return config.get("transaction.abort.timed.out.transaction.cleanup.interval.ms");
    },
    get expirationMs() {
      return config.get("transactional.id.expiration.ms");
    },
    get expirationCheckIntervalMs() {
      return config.get("transaction.remove.expired.transaction.cleanup.interval.ms");
    },
    get concurrentWaitMs() {
      return config.get("add.partitions.to.txn.retry.backoff.max.ms");
    },
  };
}
