/** A produce frame for clients that measure from outside, without a client library. */
import { encodeRequestFrame, joinChunks } from "../core/protocol/codec.ts";
import { produce } from "../core/protocol/00-produce.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";

/** The version of `produceFrame`. */
export const PRODUCE_VERSION = 9;
const TIMEOUT_MS = 5000;

/** One record to partition 0 of the topic, acks=all, length prefix included. */
export function produceFrame(topic: string, correlationId: number, nowMs: number): Uint8Array {
  const batch = new BatchBuilder();
  batch.append(nowMs, null, new TextEncoder().encode("first"));
  const header = { correlationId, clientId: "bench" };
  return joinChunks(encodeRequestFrame(produce, PRODUCE_VERSION, header, {
    acks: -1,
    timeoutMs: TIMEOUT_MS,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: batch.build() }] }],
  }));
}
