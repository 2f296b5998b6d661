/** Records as they go from node to node, and where the one at hand comes from. */
import type { RecordHeader } from "../core/records/record-cursor.ts";

/** A record between two nodes (Kafka's `api.Record`). Never changed: who wants another makes one. */
export interface StreamRecord<K = unknown, V = unknown> {
  readonly key: K;
  readonly value: V;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  readonly headers: readonly RecordHeader[];
}

/** One to give on: headers may be left out where there are none. */
export type NewRecord<K = unknown, V = unknown> =
  & Omit<StreamRecord<K, V>, "headers">
  & Partial<Pick<StreamRecord, "headers">>;

/** Of what a record is besides key and value: for those who want to know. */
export type RecordFacts = Pick<StreamRecord, "timestampMs" | "headers">;

/** It with another value. */
export function withValue<K, V>(record: StreamRecord<K>, value: V): StreamRecord<K, V> {
  return { key: record.key, value, timestampMs: record.timestampMs, headers: record.headers };
}

/** It with another key and another value. */
export function withPair<K, V>(record: StreamRecord, key: K, value: V): StreamRecord<K, V> {
  return { key, value, timestampMs: record.timestampMs, headers: record.headers };
}

/** Where the record at hand was read (Kafka's `RecordMetadata`). */
export interface RecordOrigin {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/**
 * A record of a topic, as bytes, which are part of all that was fetched with it: once it is processed it
 * has none any more, unless somebody wants them of what was put off (`TaskWorld.keepsRead`).
 */
export interface RawRecord extends RecordOrigin {
  readonly timestampMs: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}
