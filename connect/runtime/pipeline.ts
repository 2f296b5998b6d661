/** What a record goes through between connector and topic, of one task. */
import { DataError } from "../converters/converter.ts";
import type { Converter, HeaderConverter } from "../converters/converter.ts";
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { ConnectHeader, ConnectRecord, SinkRecord } from "../data/record.ts";
import type { Transform } from "../transforms/transform.ts";

/** Converters and transforms as the connector's config has them. */
export interface Pipeline {
  readonly key: Converter;
  readonly value: Converter;
  readonly header: HeaderConverter;
  /** All transforms, one after the other; null: there are none. */
  readonly transform: Transform | null;
}

/** Where in its way a record was, by Connect's names (`Stage`). */
export type Stage =
  | "TASK_POLL"
  | "TRANSFORMATION"
  | "KEY_CONVERTER"
  | "VALUE_CONVERTER"
  | "HEADER_CONVERTER"
  | "KAFKA_PRODUCE"
  | "TASK_PUT";

/** A record could not go on; `cause` says why. */
export class StageError extends Error {
  override readonly name = "StageError";
  constructor(readonly stage: Stage, override readonly cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** A record as a topic takes it. */
export interface EncodedRecord {
  readonly topic: string;
  /** −1: chosen by the key. */
  readonly partition: number;
  readonly timestampMs: number | null;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** From a source to a topic; null: a transform has dropped it. Throws `StageError`. */
export function encodeRecord(pipeline: Pipeline, read: ConnectRecord): EncodedRecord | null {
  // No closure for each stage: this is done for each record.
  let stage: Stage = "TRANSFORMATION";
  try {
    const record = pipeline.transform === null ? read : pipeline.transform.apply(read);
    if (record === null) return null;
    const { topic } = record;
    stage = "KEY_CONVERTER";
    const key = pipeline.key.toBytes(topic, record.keySchema, record.key);
    stage = "VALUE_CONVERTER";
    const value = pipeline.value.toBytes(topic, record.valueSchema, record.value);
    stage = "HEADER_CONVERTER";
    const headers = encodeHeaders(pipeline.header, topic, record.headers);
    const partition = record.partition ?? -1;
    return { topic, partition, timestampMs: record.timestampMs, key, value, headers };
  } catch (error) {
    throw new StageError(stage, error);
  }
}

const NO_HEADERS: readonly RecordHeader[] = [];

function encodeHeaders(
  converter: HeaderConverter,
  topic: string,
  headers: readonly ConnectHeader[],
): readonly RecordHeader[] {
  if (headers.length === 0) return NO_HEADERS;
  return headers.map(({ name, schema, value }) => [
    name,
    converter.toBytes(topic, name, schema, value),
  ]);
}

/** A record as a topic has it. The bytes are views of what was fetched. */
export interface FetchedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since 1970, or −1. */
  readonly timestampMs: number;
  readonly timestampType: SinkRecord["timestampType"];
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** From a topic to a sink; null: a transform has dropped it. Throws `StageError`. */
export function decodeRecord(pipeline: Pipeline, fetched: FetchedRecord): SinkRecord | null {
  const { topic, partition, offset } = fetched;
  let stage: Stage = "KEY_CONVERTER";
  try {
    const key = pipeline.key.fromBytes(topic, fetched.key);
    stage = "VALUE_CONVERTER";
    const value = pipeline.value.fromBytes(topic, fetched.value);
    stage = "HEADER_CONVERTER";
    const record: SinkRecord = {
      topic,
      partition,
      keySchema: key.schema,
      key: key.value,
      valueSchema: value.schema,
      value: value.value,
      headers: decodeHeaders(pipeline.header, topic, fetched.headers),
      timestampMs: fetched.timestampMs < 0 ? null : fetched.timestampMs,
      offset,
      timestampType: fetched.timestampType,
      original: { topic, partition, offset },
    };
    stage = "TRANSFORMATION";
    return pipeline.transform === null ? record : pipeline.transform.apply(record);
  } catch (error) {
    throw new StageError(stage, error);
  }
}

const NO_CONNECT_HEADERS: readonly ConnectHeader[] = [];

function decodeHeaders(
  converter: HeaderConverter,
  topic: string,
  headers: readonly RecordHeader[],
): readonly ConnectHeader[] {
  if (headers.length === 0) return NO_CONNECT_HEADERS;
  return headers.map(([name, bytes]) => ({ name, ...converter.fromBytes(topic, name, bytes) }));
}

/** Whether an error is about this one record, and another one may do better. */
export function isAboutRecord(error: unknown): boolean {
  return error instanceof StageError || error instanceof DataError;
}
