/** A record that its sink has refused, as bytes again: as it was when it came to the sink. */
import type { SinkRecord } from "../data/record.ts";
import type { RefusedRecord } from "./dead-letters.ts";
import type { Pipeline } from "./pipeline.ts";

/** Transforms are not undone. Its place is the one that it was read from. */
export function refusedSinkRecord(pipeline: Pipeline, record: SinkRecord): RefusedRecord {
  const { original, timestampMs } = record;
  const { topic } = original;
  return {
    ...original,
    timestampMs: timestampMs ?? -1,
    key: pipeline.key.toBytes(topic, record.keySchema, record.key),
    value: pipeline.value.toBytes(topic, record.valueSchema, record.value),
    headers: record.headers.map(({ name, schema, value }) => [
      name,
      pipeline.header.toBytes(topic, name, schema, value),
    ]),
  };
}
