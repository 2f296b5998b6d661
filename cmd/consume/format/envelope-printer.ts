import { isLogAppendTime } from "../../../core/records/batch-header.ts";
import { formatEnvelope } from "../../../core/text/envelope.ts";
import { payloadJson } from "../../../core/text/payload.ts";
import type { Part } from "../../../core/text/payload.ts";
import type { PayloadKind } from "../../../core/text/parse-record.ts";
import type { Printer } from "./printer.ts";

/**
 * The JSON envelope. With other kinds than strings, key and value are what they mean: numbers, JSON,
 * or text of another coding, which `produce` does not take back.
 */
export function envelopePrinter(key: PayloadKind, value: PayloadKind): Printer {
  const keyJson = partJson("key", key);
  const valueJson = partJson("value", value);
  return (output, record, place) => {
    const { topic, partition, bytes, batchStart } = place;
    const envelope = {
      topic,
      partition,
      offset: BigInt(record.offset),
      timestampMs: record.timestamp,
      key: record.key(),
      value: record.value(),
      headers: record.headers(),
      isAppendTime: bytes !== undefined && isLogAppendTime(bytes, batchStart ?? 0),
    };
    output.text(formatEnvelope(envelope, keyJson?.(record, place), valueJson?.(record, place)));
  };
}

function partJson(part: Part, kind: PayloadKind) {
  return kind === "string" ? null : payloadJson(part, kind);
}
