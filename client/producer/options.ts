import type { Codecs, CompressionName } from "../../core/compression/codec.ts";
import type { ClientOptions } from "../options.ts";

/** How a batch ended, for those who count rather than wait for single records. */
export interface BatchReport {
  readonly topic: string;
  readonly partition: number;
  readonly recordCount: number;
  /** How many records this producer was given for the partition before the batch's first one. */
  readonly recordsBefore: number;
  /** Of the first record; −1 with acks=0 and where the broker had the batch already. */
  readonly baseOffset: bigint;
  /** Null if the batch was acknowledged. */
  readonly error: Error | null;
}

/** Settings of a producer. */
export interface ProducerOptions extends ClientOptions {
  /** Who must have a record before it counts as acknowledged: nobody, the leader, all in sync. */
  readonly acks?: 0 | 1 | "all";
  readonly compression?: CompressionName;
  readonly compressionLevel?: number;
  /** Needed for any compression; `core/compression/bun.ts` has them. */
  readonly codecs?: Codecs;
  /** A batch of a partition is sent when it has this size, before compression. Default 512 KiB. */
  readonly batchBytes?: number;
  /** …or this age. Default 5 ms. */
  readonly lingerMs?: number;
  /** Batches of one request together; one that is larger goes alone. Default 1 MiB. */
  readonly maxRequestBytes?: number;
  /** Requests without an answer per broker. Default 5, which is also the most with idempotence. */
  readonly maxInFlight?: number;
  /** Records in memory, acknowledged not yet. Default 32 MiB. */
  readonly bufferBytes?: number;
  /** From `append` to giving up, retries included. Default 120 s. */
  readonly deliveryTimeoutMs?: number;
  /** No duplicates and no reordering by retries. Default true with acks=all; impossible without. */
  readonly idempotent?: boolean;
  /**
   * Makes the producer one of transactions: all its records belong to one, and no other producer of
   * this id is alive beside it.
   */
  readonly transactionalId?: string;
  /** The coordinator aborts a transaction that takes longer. Default 60 s. */
  readonly transactionTimeoutMs?: number;
  /** Whether a missing topic may be made by the broker. Default true. */
  readonly allowCreate?: boolean;
  /** Hears of every batch that was acknowledged or has failed for good. */
  readonly onBatch?: (report: BatchReport) => void;
}

/** The options with their defaults filled in. */
export interface ResolvedProducerOptions {
  readonly acks: -1 | 0 | 1;
  readonly compression: CompressionName;
  readonly compressionLevel: number | null;
  readonly codecs: Codecs;
  readonly batchBytes: number;
  readonly lingerMs: number;
  readonly maxRequestBytes: number;
  readonly maxInFlight: number;
  readonly bufferBytes: number;
  readonly deliveryTimeoutMs: number;
  readonly idempotent: boolean;
  readonly transactionalId: string | null;
  readonly transactionTimeoutMs: number;
  readonly allowCreate: boolean;
  readonly onBatch: ((report: BatchReport) => void) | null;
}

/** The most that a broker keeps of a producer's batches to recognise duplicates. */
const MAX_IN_FLIGHT_IDEMPOTENT = 5;

/** Fills in the defaults. Throws `TypeError` on settings that contradict each other. */
export function resolveProducerOptions(options: ProducerOptions): ResolvedProducerOptions {
  const acks = options.acks === undefined || options.acks === "all" ? -1 : options.acks;
  const idempotent = options.idempotent ?? acks === -1;
  const maxInFlight = options.maxInFlight ?? MAX_IN_FLIGHT_IDEMPOTENT;
  if (options.transactionalId !== undefined && !idempotent) {
    throw new TypeError("transactions need idempotence");
  }
  if (idempotent && acks !== -1) throw new TypeError("idempotence needs acks=all");
  if (maxInFlight < 1 || (idempotent && maxInFlight > MAX_IN_FLIGHT_IDEMPOTENT)) {
    throw new TypeError(`maxInFlight is 1 to ${MAX_IN_FLIGHT_IDEMPOTENT} with idempotence`);
  }
  return {
    acks,
    idempotent,
    maxInFlight,
    compression: options.compression ?? "none",
    compressionLevel: options.compressionLevel ?? null,
    codecs: options.codecs ?? {},
    batchBytes: options.batchBytes ?? 512 * 1024,
    lingerMs: options.lingerMs ?? 5,
    maxRequestBytes: options.maxRequestBytes ?? 1024 * 1024,
    bufferBytes: options.bufferBytes ?? 32 * 1024 * 1024,
    deliveryTimeoutMs: options.deliveryTimeoutMs ?? 120_000,
    transactionalId: options.transactionalId ?? null,
    transactionTimeoutMs: options.transactionTimeoutMs ?? 60_000,
    allowCreate: options.allowCreate ?? true,
    onBatch: options.onBatch ?? null,
  };
}
