/** Records as an answer has them: a line each, or an event each whose id is where to go on. */
import type { PrintableRecord } from "../../core/expression/record-expressions.ts";
import type { FetchedChunk } from "../../client/consumer.ts";
import { isLogAppendTime } from "../../core/records/batch-header.ts";
import { formatEnvelope } from "../../core/records/record-json.ts";
import { payloadJson } from "../../core/text/payload.ts";
import type { PayloadKind } from "../../core/text/parse-record.ts";
import { csvLines } from "./csv-lines.ts";

/** How an answer is written. */
export interface StreamFormat {
  readonly contentType: string;
  /** A record, with where to go on behind it. */
  record(json: string, positions: string): string;
  /** Something else: an end, an error, progress. */
  note(name: string, members: Readonly<Record<string, unknown>>, positions: string): string;
  /** What keeps an idle connection alive; empty: nothing. */
  heartbeat(positions: string): string;
}

/** NDJSON: the envelopes of `consume -f json`; notes are objects with their name as only field. */
export const NDJSON: StreamFormat = {
  contentType: "application/x-ndjson",
  record: (json) => `${json}\n`,
  note: (name, members, positions) =>
    JSON.stringify({ [name]: { ...members, next: positions } }) + "\n",
  heartbeat: () => "",
};

/** Server-Sent Events. */
export const EVENTS: StreamFormat = {
  contentType: "text/event-stream",
  record: (json, positions) => `id: ${positions}\ndata: ${json}\n\n`,
  note: (name, members, positions) =>
    `event: ${name}\nid: ${positions}\ndata: ${
      JSON.stringify({ ...members, next: positions })
    }\n\n`,
  heartbeat: (positions) => `id: ${positions}\n\n`,
};

/** The format that the request wants, by its parameter `format` or the header Accept. */
export function streamFormat(accept: string | undefined, format: "json" | "csv"): StreamFormat {
  if (format === "csv") return csvLines();
  return (accept ?? "").includes("text/event-stream") ? EVENTS : NDJSON;
}

/** Makes the envelope of a record of the chunk. Throws `OperatorError` for what is not of the kind. */
export type EnvelopeOf = (record: PrintableRecord, chunk: FetchedChunk) => string;

/** With other kinds than strings, key and value are what they mean. */
export function envelopeOf(keyAs: PayloadKind, valueAs: PayloadKind): EnvelopeOf {
  const keyJson = keyAs === "string" ? null : payloadJson("key", keyAs);
  const valueJson = valueAs === "string" ? null : payloadJson("value", valueAs);
  return (record, chunk) => {
    const { topic, partition, bytes, batchStart } = chunk;
    return formatEnvelope(
      {
        topic,
        partition,
        offset: BigInt(record.offset),
        timestampMs: record.timestamp,
        key: record.key(),
        value: record.value(),
        headers: record.headers(),
        isAppendTime: isLogAppendTime(bytes, batchStart),
      },
      keyJson?.(record, chunk),
      valueJson?.(record, chunk),
    );
  };
}
