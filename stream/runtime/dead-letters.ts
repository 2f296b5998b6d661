/**
 * Records that could not be read, processed or written, as dead letters: the bytes that were read, and
 * headers that say what went wrong and where (KIP-1034).
 */
import { asError } from "../../core/as-error.ts";
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { RawRecord } from "../record.ts";
import type { OutputRecord } from "../task/task.ts";

const PREFIX = "__streams.errors.";
const encoder = new TextEncoder();

/** A letter of a record as it was read. */
export function letterOf(topic: string, raw: RawRecord, error: unknown): OutputRecord {
  return {
    topic,
    partition: null,
    key: raw.key,
    value: raw.value,
    timestampMs: raw.timestampMs,
    headers: [...raw.headers, ...reasons(raw, error)],
  };
}

/** A letter of a record that brokers have refused: what it came of is not known any more. */
export function letterOfRefused(
  topic: string,
  { key, value, timestampMs, headers }: OutputRecord,
  error: unknown,
): OutputRecord {
  return {
    ...{ topic, partition: null, key, value, timestampMs },
    headers: [...headers, ...reasons(null, error)],
  };
}

function reasons(raw: RawRecord | null, error: unknown): RecordHeader[] {
  const { name, message, stack } = asError(error);
  const entries: [string, string | null][] = [
    ["exception", name],
    ["message", message],
    ["stacktrace", stack ?? null],
  ];
  if (raw !== null) {
    entries.push(
      ["topic", raw.topic],
      ["partition", `${raw.partition}`],
      ["offset", `${raw.offset}`],
    );
  }
  return entries.map(([key, text]): RecordHeader => [
    `${PREFIX}${key}`,
    text === null ? null : encoder.encode(text),
  ]);
}
