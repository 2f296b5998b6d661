/** Records as connectors, transforms and converters see them (Connect's `ConnectRecord`). */
import type { Schema } from "./schema.ts";
import type { ConnectValue } from "./values.ts";

/** A header of a record; names may repeat. */
export interface ConnectHeader {
  readonly name: string;
  readonly schema: Schema | null;
  readonly value: ConnectValue;
}

/** What all records have. They are never changed: a transform makes new ones (`{ ...record, topic }`). */
export interface ConnectRecord {
  readonly topic: string;
  /** Null: chosen by the key. Of a sink's record it is where the record lies. */
  readonly partition: number | null;
  readonly keySchema: Schema | null;
  readonly key: ConnectValue;
  readonly valueSchema: Schema | null;
  /** Null is a tombstone. */
  readonly value: ConnectValue;
  readonly headers: readonly ConnectHeader[];
  /** Milliseconds since 1970; null: not known, a source's record gets the time of its writing. */
  readonly timestampMs: number | null;
}

/** What a source remembers, and where: an object of strings, numbers, booleans and nulls. */
export type SourceMap = Readonly<Record<string, string | number | boolean | null>>;

/** Whether it is what a source may remember. */
export function isSourceMap(value: unknown): value is SourceMap {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((part) => part === null || typeof part !== "object");
}

/** A record that a source has read. */
export interface SourceRecord extends ConnectRecord {
  /** What it was read of: a file, a table, a stream. Null: this source remembers nothing. */
  readonly sourcePartition: SourceMap | null;
  /** Where to go on behind this record. */
  readonly sourceOffset: SourceMap | null;
}

/** A record on its way to a sink. */
export interface SinkRecord extends ConnectRecord {
  readonly partition: number;
  /** Where it lies in `partition`. */
  readonly offset: bigint;
  readonly timestampType: "CreateTime" | "LogAppendTime" | "NoTimestampType";
  /** Where it lies, whatever transforms have made of `topic` and `partition` (KIP-793). */
  readonly original: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint;
  };
}

/** What a source has to say at least of a record; the rest is filled in. */
export type PartialSourceRecord =
  & Pick<SourceRecord, "topic" | "value">
  & Partial<SourceRecord>;

/** Fills in what is not said. */
export function sourceRecord(record: PartialSourceRecord): SourceRecord {
  return {
    topic: record.topic,
    partition: record.partition ?? null,
    keySchema: record.keySchema ?? null,
    key: record.key ?? null,
    valueSchema: record.valueSchema ?? null,
    value: record.value,
    headers: record.headers ?? [],
    timestampMs: record.timestampMs ?? null,
    sourcePartition: record.sourcePartition ?? null,
    sourceOffset: record.sourceOffset ?? null,
  };
}
