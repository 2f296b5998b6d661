/** A partition that checks producers' sequences as a broker does, for tests of the producer. */
import { Errors } from "../core/errors.ts";
import { NO_CODECS } from "../core/compression/codec.ts";
import {
  baseSequence,
  crcMatches,
  producerEpoch,
  producerId,
  recordsCount,
} from "../core/records/batch-header.ts";
import { readRecords } from "../core/records/record-cursor.ts";

interface ProducerState {
  epoch: number;
  next: number;
  /** Base sequences and offsets of the last batches. */
  last: { sequence: number; count: number; offset: number }[];
}

/** How many batches of a producer a broker remembers. */
const REMEMBERED = 5;

/** Values that were appended, in order. */
export class FakeLog {
  readonly values: string[] = [];
  maxBatchBytes = Infinity;
  /** Values that are refused for good. */
  readonly poison = new Set<string>();
  readonly #producers = new Map<number, ProducerState>();

  /** What a broker would answer. */
  append(batch: Uint8Array): { errorCode: number; baseOffset: bigint } {
    const fail = (errorCode: number) => ({ errorCode, baseOffset: -1n });
    if (!crcMatches(batch, 0)) return fail(Errors.CORRUPT_MESSAGE);
    if (batch.length > this.maxBatchBytes) return fail(Errors.MESSAGE_TOO_LARGE);
    const values = readRecords(batch, 0, NO_CODECS).map(({ value }) => {
      return value === null ? "null" : new TextDecoder().decode(value);
    });
    const id = producerId(batch, 0);
    const sequence = baseSequence(batch, 0);
    const epoch = producerEpoch(batch, 0);
    const count = recordsCount(batch, 0);
    const state = this.#producers.get(id);
    if (id >= 0 && state !== undefined && epoch === state.epoch) {
      const known = state.last.find((each) => each.sequence === sequence && each.count === count);
      if (known !== undefined) {
        return { errorCode: Errors.NONE, baseOffset: BigInt(known.offset) };
      }
    }
    if (id >= 0) {
      if (state !== undefined && epoch < state.epoch) return fail(Errors.INVALID_PRODUCER_EPOCH);
      const expected = state === undefined || epoch > state.epoch ? 0 : state.next;
      // A broker without state of a producer takes any sequence; ours has always seen it all.
      if (sequence !== expected) return fail(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    if (values.some((value) => this.poison.has(value))) return fail(Errors.INVALID_RECORD);
    const offset = this.values.length;
    this.values.push(...values);
    if (id >= 0) {
      const last = state?.epoch === epoch ? state.last : [];
      last.push({ sequence, count, offset });
      if (last.length > REMEMBERED) last.shift();
      this.#producers.set(id, { epoch, next: sequence + count, last });
    }
    return { errorCode: Errors.NONE, baseOffset: BigInt(offset) };
  }

  /** As after a restart that lost the state of producers. */
  forgetProducers(): void {
    this.#producers.clear();
  }
}
