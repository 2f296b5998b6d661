/** What sources remember, by connector and by what they read of (Connect's `OffsetBackingStore`). */
import type { SourceMap } from "../data/record.ts";

/** An offset, or null to forget it. */
export interface StoredOffset {
  readonly partition: SourceMap;
  readonly offset: SourceMap | null;
}

/** A store of offsets; one conformance suite is for all of them. */
export interface OffsetStore {
  /** What is stored; null: nothing. Partitions are the same if they have the same keys and values. */
  get(connector: string, partitions: readonly SourceMap[]): Promise<(SourceMap | null)[]>;
  /** All that is stored for a connector, in no order. */
  list(connector: string): Promise<StoredOffset[]>;
  /** Resolves when all of them are safe. */
  set(connector: string, offsets: readonly StoredOffset[]): Promise<void>;
  /** Where a producer can write offsets in the transaction of their records; null: not here. */
  readonly transactional: TransactionalOffsets | null;
  close(): Promise<void>;
}

/** Offsets as records of a topic. */
export interface TransactionalOffsets {
  readonly topic: string;
  entries(
    connector: string,
    offsets: readonly StoredOffset[],
  ): { readonly key: Uint8Array; readonly value: Uint8Array | null }[];
  /** To be awaited before a transaction that has these offsets is committed. */
  before?(connector: string, offsets: readonly StoredOffset[]): Promise<void>;
  /** To be called after it. */
  after?(connector: string, offsets: readonly StoredOffset[]): void;
}

/** The same text for equal partitions, whatever the order of their keys. */
export function partitionText(partition: SourceMap): string {
  return JSON.stringify(Object.entries(partition).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0));
}
