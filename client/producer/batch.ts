import { assert } from "../../core/assert.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import type { BatchOptions } from "../../core/records/batch-builder.ts";
import { setProducerState } from "../../core/records/batch-header.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { ResolvedProducerOptions } from "./options.ts";

/**
 * Hears what became of a record: its offset (−1 if unknown), or the error. `token` is the number
 * that was given with the record, so that one callback can serve many.
 */
export type DeliveryCallback = (
  error: Error | null,
  offset: bigint,
  timestampMs: bigint,
  token: number,
) => void;

/** Whose sequence a batch is numbered in. */
export interface ProducerIdentity {
  readonly producerId: number;
  readonly epoch: number;
}

/** Records of one partition on their way: first open, then built, then sent until it is settled. */
export class ProducerBatch {
  attempts = 0;
  /** Whether it was sent, and the broker has not said that it did not store it. */
  perhapsStored = false;
  /** Whether an attempt went without an answer that would tell whether it was stored. */
  inDoubt = false;
  /** Sequence of the first record within the producer's epoch; −1 until it is numbered. */
  sequence = -1;
  /** How many records were given to the partition before its first one. */
  recordsBefore = 0;
  readonly createdMs: number;
  #builder: BatchBuilder | null;
  #bytes: Uint8Array | null = null;
  #callbacks: (DeliveryCallback | undefined)[] | null = null;
  /** What to call each back with. */
  #tokens: number[] = [];
  #recordCount = 0;
  #sizeBytes = 0;
  readonly #options: ResolvedProducerOptions;

  /** `buffer` is filled if it is given and large enough. */
  constructor(
    options: ResolvedProducerOptions,
    createdMs: number,
    sizeHintBytes: number,
    buffer?: Uint8Array,
  ) {
    const { compression, compressionLevel, codecs } = options;
    const batchOptions: BatchOptions = {
      compression,
      codecs,
      sizeHintBytes,
      ...(options.transactionalId === null ? {} : { transactional: true }),
      ...(buffer === undefined ? {} : { buffer }),
      ...(compressionLevel === null ? {} : { compressionLevel }),
    };
    this.#builder = new BatchBuilder(batchOptions);
    this.#options = options;
    this.createdMs = createdMs;
  }

  get recordCount(): number {
    return this.#builder?.recordCount ?? this.#recordCount;
  }

  /** Before compression, header included. */
  get sizeBytes(): number {
    return this.#builder?.sizeBytes ?? this.#sizeBytes;
  }

  append(
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly RecordHeader[] | undefined,
    callback: DeliveryCallback | undefined,
    token: number,
  ): void {
    assert(this.#builder !== null, "records go into open batches");
    if (callback !== undefined) {
      (this.#callbacks ??= [])[this.#builder.recordCount] = callback;
      this.#tokens[this.#builder.recordCount] = token;
    }
    this.#builder.append(timestampMs, key, value, headers);
  }

  /** As `append`, without a view for key and value: see `BatchBuilder.appendRange`. */
  appendRange(
    timestampMs: number,
    source: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    assert(this.#builder !== null, "records go into open batches");
    this.#builder.appendRange(timestampMs, source, keyStart, keyEnd, valueStart, valueEnd);
  }

  /** The bytes to send; the first call compresses and closes the batch. */
  build(): Uint8Array {
    if (this.#bytes !== null) return this.#bytes;
    assert(this.#builder !== null, "a batch is open until it is built");
    this.#recordCount = this.#builder.recordCount;
    this.#sizeBytes = this.#builder.sizeBytes;
    this.#bytes = this.#builder.build();
    this.#builder = null;
    return this.#bytes;
  }

  /** The whole buffer of a settled batch, for the next one. */
  get buffer(): Uint8Array | null {
    return this.#bytes === null ? null : new Uint8Array(this.#bytes.buffer);
  }

  /** Writes identity and sequence into the bytes; not while they are being sent. */
  number(identity: ProducerIdentity): void {
    const { producerId, epoch: producerEpoch } = identity;
    setProducerState(this.build(), 0, { producerId, producerEpoch, baseSequence: this.sequence });
  }

  /** Two batches with half the records each; the callbacks move with their records. */
  split(): [ProducerBatch, ProducerBatch] {
    const bytes = this.build();
    const half = this.#recordCount >> 1;
    assert(half > 0, "a batch of one record is not split");
    const hint = bytes.length >> 1;
    const first = new ProducerBatch(this.#options, this.createdMs, hint);
    const second = new ProducerBatch(this.#options, this.createdMs, hint);
    first.recordsBefore = this.recordsBefore;
    second.recordsBefore = this.recordsBefore + half;
    const cursor = new RecordCursor(bytes, 0, this.#options.codecs, 0x7fff_ffff);
    for (let i = 0; cursor.next(); i++) {
      (i < half ? first : second).append(
        cursor.timestamp,
        cursor.key(),
        cursor.value(),
        cursor.headers(),
        this.#callbacks?.[i],
        this.#tokens[i] ?? 0,
      );
    }
    return [first, second];
  }

  /** Tells every record's owner that it is stored. `logAppendTimeMs` −1: the producer's time. */
  acknowledge(baseOffset: bigint, logAppendTimeMs: bigint): void {
    const first = Number(baseOffset);
    this.#callbacks?.forEach((callback, i) => {
      const offset = first < 0 ? -1n : BigInt(first + i);
      callback?.(null, offset, logAppendTimeMs, this.#tokens[i] ?? 0);
    });
  }

  /** Tells every record's owner that it is lost. */
  fail(error: Error): void {
    this.#callbacks?.forEach((callback, i) => callback?.(error, -1n, -1n, this.#tokens[i] ?? 0));
  }
}
