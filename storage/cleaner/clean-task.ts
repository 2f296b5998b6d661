/**
 * The part of cleaning that runs in a worker. One session cleans one log once, in two passes over
 * chunks of its segments, as Kafka's `Cleaner` does:
 *
 *     begin ─ map, map, … ─ filter, filter, …
 *
 * `map` notes the last offset of every key in the dirty part; `filter`, from the start of the log
 * on, keeps what no later record has replaced. A chunk may end within a batch: the answer says how
 * much of it was used.
 *
 * Chunks and what is kept of them lie in memory that both sides see, where they fit: buffers that
 * went to and fro made the event loop collect garbage every few calls.
 */
import type { Codecs } from "../../core/compression/codec.ts";
import type { OffloadMessage, OffloadTask } from "../../core/io.ts";
import {
  baseOffset,
  BATCH_HEADER_BYTES,
  batchSizeAt,
  batchSizeBytes,
  crcMatches,
  isControl,
  lastOffset,
  magic,
  producerEpoch,
  producerId,
} from "../../core/records/batch-header.ts";
import { CorruptRecordError } from "../../core/records/corrupt-record-error.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import { appendWhole, BatchFilter, deleteHorizonMs, OutputBuffer } from "./batch-filter.ts";
import type { AbortedTransaction } from "../aborted-index.ts";
import { type Handed, handOver, type SharedMemory, takeOver } from "../shared-memory.ts";
import { CleanedTransactions } from "./cleaned-transactions.ts";
import { KeyMap } from "./key-map.ts";

/** What is known of a producer: its latest batch of data, or, with −1, that only markers are left. */
interface LastOfProducer {
  readonly epoch: number;
  readonly lastDataOffset: number;
}

/** What the whole cleaning goes by. */
export interface CleanPlan {
  /** Keys are noted from here on. */
  readonly firstDirtyOffset: number;
  /** The wall time that counts as now. */
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
  readonly keyMapBytes: number;
  readonly keyMapLoad: number;
  /** The secret of the key map's hash. */
  readonly secret: Uint8Array;
  /** Aborted transactions that reach into the dirty part. */
  readonly dirtyAborted: readonly AbortedTransaction[];
  /** Aborted transactions of the whole log. */
  readonly aborted: readonly AbortedTransaction[];
  /** For each producer: its id, its epoch, and the last offset of its latest batch of data or −1. */
  readonly producers: Float64Array;
}

/** What the task is told. */
export type CleanCall =
  & OffloadMessage
  & (
    | { readonly kind: "begin"; readonly plan: CleanPlan; readonly shared: SharedMemory }
    | (ChunkOfSegment & { readonly kind: "map" })
    /** `isLast`: the last batch of the chunk stays, if need be without records. */
    | (ChunkOfSegment & { readonly kind: "filter"; readonly isLast: boolean })
  );

/** A chunk, and the offsets of its segment: where that begins, and where the next one does. */
interface ChunkOfSegment extends Handed {
  readonly from: number;
  readonly to: number;
}

/** What it answers; the batches that are kept are handed over. */
export interface CleanAnswer extends Handed {
  /** Bytes of the chunk that were looked at; the rest is the start of a batch. */
  readonly usedBytes: number;
  /** How many bytes the next batch needs, if none was whole; else 0. */
  readonly neededBytes: number;
  /** The key map is full: what lies behind `latestOffset` is left for another cleaning. */
  readonly isFull: boolean;
  /** The last offset that the key map speaks for. */
  readonly latestOffset: number;
  /** For the index of aborted transactions of the cleaned segment. */
  readonly aborted: readonly AbortedTransaction[];
  /** Records without a key, which are dropped. */
  readonly keyless: number;
  /** What is wrong with the bytes at `usedBytes`; null if nothing is. */
  readonly damage: string | null;
}

const keepsAll = () => true;
const NOTHING = new Uint8Array(0);

/** The task; it has to be registered where workers start. */
export function cleanTask(codecs: Codecs): OffloadTask<CleanCall, CleanAnswer> {
  return {
    name: "clean",
    start() {
      let session: CleanSession | null = null;
      return (call) => {
        if (call.kind === "begin") session = new CleanSession(codecs, call.plan, call.shared);
        if (session === null) throw new Error("a cleaning begins with its plan");
        switch (call.kind) {
          case "begin":
            return session.answer(NOTHING, 0, {});
          case "map":
            return session.map(call);
          case "filter":
            return session.filter(call, call.isLast);
        }
      };
    },
  };
}

class CleanSession {
  private readonly keys: KeyMap;
  private readonly dirtyTransactions: CleanedTransactions;
  private readonly transactions: CleanedTransactions;
  private readonly producers = new Map<number, LastOfProducer>();
  private readonly batches: BatchFilter;
  /** The least offset that the next batch may have. */
  private expectedOffset = 0;
  private isFull = false;
  private isFiltering = false;
  private keyless = 0;
  /** The delete horizon of the batch that is being filtered. */
  private horizonMs: number | null = null;

  constructor(
    private readonly codecs: Codecs,
    private readonly plan: CleanPlan,
    private readonly shared: SharedMemory,
  ) {
    this.keys = new KeyMap(plan.secret, plan.keyMapBytes, plan.keyMapLoad);
    this.dirtyTransactions = new CleanedTransactions(plan.dirtyAborted);
    this.transactions = new CleanedTransactions(plan.aborted);
    const { producers } = plan;
    for (let at = 0; at < producers.length; at += 3) {
      const last = { epoch: producers[at + 1]!, lastDataOffset: producers[at + 2]! };
      this.producers.set(producers[at]!, last);
    }
    this.batches = new BatchFilter(codecs, plan.nowMs + plan.deleteRetentionMs);
  }

  map(range: ChunkOfSegment): CleanAnswer {
    const chunk = takeOver(this.shared.input, range);
    let at = 0;
    try {
      this.expectedOffset = Math.max(this.expectedOffset, range.from);
      for (let size = sizeOfWhole(chunk, at); size > 0; size = sizeOfWhole(chunk, at)) {
        this.checkOffsets(chunk, at, range);
        this.mapBatch(chunk, at);
        at += size;
        if (this.isFull) break;
      }
      return this.answer(NOTHING, at, { neededBytes: at === 0 ? sizeOfNext(chunk, at) : 0 });
    } catch (error) {
      return this.damaged(at, error);
    }
  }

  filter(range: ChunkOfSegment, isLast: boolean): CleanAnswer {
    const chunk = takeOver(this.shared.input, range);
    if (!this.isFiltering) this.expectedOffset = 0;
    this.isFiltering = true;
    const output = new OutputBuffer(this.shared.output);
    let at = 0;
    try {
      this.expectedOffset = Math.max(this.expectedOffset, range.from);
      for (let size = sizeOfWhole(chunk, at); size > 0; size = sizeOfWhole(chunk, at)) {
        this.checkOffsets(chunk, at, range);
        this.filterBatch(chunk, at, isLast && at + size === chunk.length, output);
        at += size;
      }
      const neededBytes = at === 0 ? sizeOfNext(chunk, at) : 0;
      return this.answer(output.take(), at, { neededBytes });
    } catch (error) {
      return this.damaged(at, error);
    }
  }

  answer(
    kept: Uint8Array,
    usedBytes: number,
    more: { readonly neededBytes?: number; readonly damage?: string },
  ): CleanAnswer {
    const { keyless } = this;
    this.keyless = 0;
    return {
      ...handOver(this.shared.output, kept),
      usedBytes,
      neededBytes: more.neededBytes ?? 0,
      isFull: this.isFull,
      latestOffset: this.keys.latestOffset,
      aborted: this.transactions.takeKept(),
      keyless,
      damage: more.damage ?? null,
    };
  }

  /** No checksum covers the base offset of a batch: it has to fit where it is. */
  private checkOffsets(chunk: Uint8Array, at: number, range: ChunkOfSegment): void {
    const last = lastOffset(chunk, at);
    const base = baseOffset(chunk, at);
    if (base < this.expectedOffset || last < base || last >= range.to) {
      throw new CorruptRecordError(`offsets ${base} to ${last} are out of place`);
    }
    this.expectedOffset = last + 1;
  }

  private mapBatch(chunk: Uint8Array, at: number): void {
    const last = lastOffset(chunk, at);
    const { firstDirtyOffset } = this.plan;
    if (isControl(chunk, at)) this.dirtyTransactions.isOutlived(chunk, at);
    else if (!this.dirtyTransactions.isAborted(chunk, at) && last >= firstDirtyOffset) {
      const cursor = new RecordCursor(chunk, at, this.codecs);
      for (let before = -1; cursor.next(); before = cursor.offset) {
        if (cursor.offset <= before || cursor.offset > last) {
          throw new CorruptRecordError("the offsets in a batch are not in order");
        }
        if (cursor.keyStart < 0 || cursor.offset < firstDirtyOffset) continue;
        const { source, keyStart, keyEnd, offset } = cursor;
        if (this.keys.put(source, keyStart, keyEnd, offset)) continue;
        this.isFull = true;
        return;
      }
    }
    if (last >= firstDirtyOffset) this.keys.advance(last);
  }

  private filterBatch(
    chunk: Uint8Array,
    at: number,
    isLastOfAll: boolean,
    output: OutputBuffer,
  ): void {
    const isMarker = isControl(chunk, at);
    const isDiscardable = isMarker
      ? this.transactions.isOutlived(chunk, at)
      : this.transactions.isAborted(chunk, at);
    if (baseOffset(chunk, at) > this.keys.latestOffset) return appendWhole(chunk, at, output);
    this.horizonMs = deleteHorizonMs(chunk, at);
    const isPastHorizon = this.horizonMs !== null && this.horizonMs <= this.plan.nowMs;
    const verdict = {
      dropsRecords: isDiscardable && (!isMarker || isPastHorizon),
      keepsHeader: isLastOfAll || this.isLastOfProducer(chunk, at),
      isOutlivedMarker: isMarker && isDiscardable,
    };
    this.batches.filter(chunk, at, verdict, isMarker ? keepsAll : this.keeps, output);
  }

  /** Whether the producer's sequence would be forgotten with this batch. */
  private isLastOfProducer(chunk: Uint8Array, at: number): boolean {
    const known = this.producers.get(producerId(chunk, at));
    if (known === undefined) return false;
    if (known.lastDataOffset >= 0) return lastOffset(chunk, at) === known.lastDataOffset;
    return isControl(chunk, at) && producerEpoch(chunk, at) === known.epoch;
  }

  /** Kafka's `Cleaner.shouldRetainRecord`. */
  private readonly keeps = (cursor: RecordCursor): boolean => {
    const { source, keyStart, keyEnd, offset } = cursor;
    if (offset > this.keys.latestOffset) return true;
    if (keyStart < 0) {
      this.keyless++;
      return false;
    }
    if (offset < this.keys.get(source, keyStart, keyEnd)) return false;
    return cursor.valueStart >= 0 || this.horizonMs === null || this.plan.nowMs < this.horizonMs;
  };

  private damaged(at: number, error: unknown): CleanAnswer {
    if (!(error instanceof CorruptRecordError)) throw error;
    return this.answer(NOTHING, at, { damage: error.message });
  }
}

/** The size of the good batch at `at`; 0 if the chunk ends before it does. */
function sizeOfWhole(chunk: Uint8Array, at: number): number {
  const size = batchSizeAt(chunk, at);
  if (size > 0 && !crcMatches(chunk, at)) {
    throw new CorruptRecordError("the checksum of a batch is wrong");
  }
  return size;
}

/** How many bytes the batch at `at` has, or at least its header. */
function sizeOfNext(chunk: Uint8Array, at: number): number {
  if (chunk.length - at < BATCH_HEADER_BYTES || magic(chunk, at) !== 2) return BATCH_HEADER_BYTES;
  return batchSizeBytes(chunk, at);
}
