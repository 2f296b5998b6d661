/** What a log ought to hold, kept apart from the code under test. */

/** A batch that was appended. */
export interface ModelBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** As it has to be read back. */
  readonly bytes: Uint8Array;
  /** As the producer sent it. */
  readonly sent: Uint8Array;
  readonly timestamps: readonly number[];
  readonly leaderEpoch: number;
  readonly producer: ModelProducer | null;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  /** Whether power loss must not take it. */
  safe: boolean;
  /** Damaged or lost in the middle of the log: reads say so. */
  damaged: boolean;
  /** A bit of it has flipped on the disk at some time. */
  wasHit: boolean;
}

/** An idempotent producer, writing to one partition. */
export interface ModelProducer {
  readonly id: number;
  epoch: number;
  nextSequence: number;
}

/** What a log was before it began anew, at offset `at`. */
interface Former {
  readonly batches: ModelBatch[];
  readonly startOffset: number;
  readonly endOffset: number;
  readonly at: number;
}

/** The log of one partition. */
export class ModelLog {
  batches: ModelBatch[] = [];
  startOffset = 0;
  endOffset = 0;
  leaderEpoch = 0;
  /** A crash has undone a deletion, but not what it did to the leader epochs. */
  hasComeBack = false;
  /** What it held before it began anew, until that is durable. */
  former: Former | null = null;
  topicId = "";
  producers: ModelProducer[] = [];

  /** The batch that holds the offset. */
  at(offset: number): ModelBatch | undefined {
    return this.batches.find((batch) => batch.baseOffset <= offset && offset <= batch.lastOffset);
  }

  push(batch: ModelBatch): void {
    this.batches.push(batch);
    this.endOffset = batch.lastOffset + 1;
  }

  /** Everything from `offset` on is gone. */
  cut(offset: number): ModelBatch[] {
    const gone = this.batches.filter((batch) => batch.lastOffset >= offset);
    this.batches = this.batches.filter((batch) => batch.lastOffset < offset);
    this.endOffset = offset;
    return gone;
  }

  /** All of it is gone; it begins anew. */
  restartAt(offset: number): void {
    const { batches, startOffset, endOffset } = this;
    this.former ??= { batches, startOffset, endOffset, at: offset };
    const gone = new Set(this.batches);
    this.batches = [];
    this.startOffset = offset;
    this.endOffset = offset;
    this.restartProducers(gone, false);
  }

  /**
   * After a power cut: the log ends at `endOffset`, which may be what it was before it began anew.
   * Returns what was appended since then, and so is gone.
   */
  noteComeBack(endOffset: number): ModelBatch[] {
    const { former, batches } = this;
    this.former = null;
    if (former === null || endOffset >= former.at) return [];
    this.batches = former.batches.filter((batch) => batch.lastOffset < endOffset);
    for (const batch of this.batches) batch.safe = false;
    this.startOffset = former.startOffset;
    this.endOffset = Math.min(endOffset, former.endOffset);
    this.hasComeBack = true;
    return batches;
  }

  /** The latest five batches of a producer in its epoch: what has to be known as duplicates. */
  recent(producer: ModelProducer): ModelBatch[] {
    return this.batches
      .filter((batch) => batch.producer === producer && batch.producerEpoch === producer.epoch)
      .slice(-5);
  }

  /** The first record from `from` on that is at or after a time. */
  firstAtOrAfter(timestamp: number): { offset: number; timestampMs: number } | null {
    for (const batch of this.batches) {
      if (batch.damaged) continue;
      for (let index = 0; index < batch.timestamps.length; index++) {
        const offset = batch.baseOffset + index;
        const timestampMs = batch.timestamps[index]!;
        if (offset >= this.startOffset && timestampMs >= timestamp) return { offset, timestampMs };
      }
    }
    return null;
  }

  /** As OffsetForLeaderEpoch. */
  epochEnd(epoch: number): { leaderEpoch: number; endOffset: number } {
    const kept = this.batches.filter((batch) => batch.lastOffset >= this.startOffset);
    const known = kept.map((batch) => batch.leaderEpoch);
    const latest = known.at(-1);
    if (latest === undefined || epoch > latest) return { leaderEpoch: -1, endOffset: -1 };
    const next = kept.find((batch) => batch.leaderEpoch > epoch);
    const floor = known.filter((one) => one <= epoch).at(-1);
    const start = next === undefined ? this.endOffset : Math.max(next.baseOffset, this.startOffset);
    return { leaderEpoch: floor ?? epoch, endOffset: start };
  }

  /**
   * What producers do after a restart or a cut that took the batches in `gone`: they go on behind
   * what is left. They begin a new epoch if that is damaged, or if `anew`.
   */
  restartProducers(gone: Set<ModelBatch>, anew: boolean): void {
    for (const producer of this.producers) {
      const own = this.batches.filter((batch) => batch.producer === producer);
      if (anew || own.some((batch) => batch.damaged)) {
        bumpEpoch(producer);
        continue;
      }
      const last = own.filter((batch) => batch.producerEpoch === producer.epoch).at(-1);
      const lost = [...gone].some((batch) => batch.producer === producer);
      if (last !== undefined) producer.nextSequence = last.baseSequence + last.timestamps.length;
      else if (lost) producer.nextSequence = 0;
    }
  }
}

/** The producer begins a new epoch. */
export function bumpEpoch(producer: ModelProducer): void {
  producer.epoch++;
  producer.nextSequence = 0;
}
