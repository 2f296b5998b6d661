/** What a member of a share group says of records, until its broker has heard it (KIP-932). */

/**
 * What has become of a record: it is done; others may have it; nobody shall have it; this member
 * works on it and needs its lock anew (KIP-1222).
 */
export type AcknowledgeType = "accept" | "release" | "reject" | "renew";

/** Kafka's `AcknowledgeType`; 0 is for offsets in an acquired range where no record is. */
export const ACKNOWLEDGE_CODE: Readonly<Record<AcknowledgeType | "gap", number>> = {
  gap: 0,
  accept: 1,
  release: 2,
  reject: 3,
  renew: 4,
};

/** A partition as brokers name it. */
export interface IdPartition {
  readonly topicId: string;
  readonly partition: number;
}

/** A run of offsets of which the same is said. */
export interface AcknowledgementBatch {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly acknowledgeTypes: number[];
}

/** Collects acknowledgements by partition; the last word on an offset counts. */
export class Acknowledgements {
  readonly #byPartition = new Map<string, IdPartition & { codes: Map<number, number> }>();

  get isEmpty(): boolean {
    return this.#byPartition.size === 0;
  }

  set({ topicId, partition }: IdPartition, offset: number, type: AcknowledgeType | "gap"): void {
    const key = `${topicId}/${partition}`;
    const entry = this.#byPartition.get(key) ?? { topicId, partition, codes: new Map() };
    this.#byPartition.set(key, entry);
    entry.codes.set(offset, ACKNOWLEDGE_CODE[type]);
  }

  /** Which partitions, and how many offsets of each. */
  partitions(): (IdPartition & { readonly offsets: readonly number[] })[] {
    return [...this.#byPartition.values()].map(({ topicId, partition, codes }) => ({
      topicId,
      partition,
      offsets: [...codes].filter(([, code]) => code !== ACKNOWLEDGE_CODE.gap)
        .map(([offset]) => offset),
    }));
  }

  /** Runs in order, for requests. */
  batches({ topicId, partition }: IdPartition): AcknowledgementBatch[] {
    const codes = this.#byPartition.get(`${topicId}/${partition}`)?.codes ?? new Map();
    const runs: { first: number; last: number; code: number }[] = [];
    for (const [offset, code] of [...codes].sort(([a], [b]) => a - b)) {
      const last = runs.at(-1);
      if (last !== undefined && last.code === code && last.last === offset - 1) last.last = offset;
      else runs.push({ first: offset, last: offset, code });
    }
    return runs.map(({ first, last, code }) => ({
      firstOffset: BigInt(first),
      lastOffset: BigInt(last),
      acknowledgeTypes: [code],
    }));
  }
}
