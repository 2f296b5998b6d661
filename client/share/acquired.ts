/** The records of an answer to ShareFetch that this member has got, and the gaps between them. */
import type { Codecs } from "../../core/compression/codec.ts";
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import { FetchedChunk } from "../consumer/chunk.ts";

/** A record with its lock, as bytes. */
export interface AcquiredRecord {
  readonly topicId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
  /** How often it was given to a member, this time included. */
  readonly deliveryCount: number;
}

/** A range of offsets that the member has got. */
export interface AcquiredRange {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly deliveryCount: number;
}

/** What of some batches is acquired. */
export interface AcquiredRecords {
  readonly records: readonly AcquiredRecord[];
  /** Offsets in the ranges without a record: compacted away, markers, aborted. */
  readonly gaps: readonly number[];
}

/** Throws `CorruptRecordError`. */
export function acquiredRecords(
  at: { readonly topicId: string; readonly topic: string; readonly partition: number },
  bytes: Uint8Array,
  acquired: readonly AcquiredRange[],
  codecs: Codecs,
): AcquiredRecords {
  const ranges = acquired.map(({ firstOffset, lastOffset, deliveryCount }) => ({
    first: Number(firstOffset),
    last: Number(lastOffset),
    deliveryCount,
  })).sort((a, b) => a.first - b.first);
  const records: AcquiredRecord[] = [];
  const gaps: number[] = [];
  const chunk = new FetchedChunk(at.topic, at.partition, 0, 0, 0, bytes, null, codecs);
  let turn = 0;
  let next = ranges[0]?.first ?? 0;
  const gapsUpTo = (offset: number) => {
    for (; turn < ranges.length; next = ranges[++turn]?.first ?? 0) {
      const { last } = ranges[turn]!;
      for (; next <= last && next < offset; next++) gaps.push(next);
      if (next <= last) return;
    }
  };
  for (const cursor of chunk.each()) {
    gapsUpTo(cursor.offset);
    const range = ranges[turn];
    if (range === undefined) break;
    if (cursor.offset < next) continue;
    next = cursor.offset + 1;
    records.push({
      ...at,
      offset: cursor.offset,
      timestampMs: cursor.timestamp,
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headers(),
      deliveryCount: range.deliveryCount,
    });
  }
  gapsUpTo(Infinity);
  return { records, gaps };
}
