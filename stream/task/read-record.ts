/** How a source makes records of bytes. */
import type { RawRecord, StreamRecord } from "../record.ts";
import type { SourceNode } from "../topology/topology.ts";
import { NodeCount } from "./node-counts.ts";
import type { ReadRecord } from "./record-queue.ts";
import { ProcessingError } from "./running-nodes.ts";
import type { TaskWorld } from "./task.ts";
import { ownTimestamp } from "./timestamp-extractor.ts";

/** See the head of the file. What is left out is told to `world`. */
export function readerOf(node: SourceNode, world: TaskWorld): ReadRecord {
  const extract = node.timestampExtractor ?? world.timestampExtractor ?? ownTimestamp;
  const count = world.counts?.of(node.name) ?? new NodeCount();
  const leaveOut = (raw: RawRecord, reason: string) => {
    count.in++;
    count.drop(reason);
    world.dropped(node.name, reason, raw);
  };
  /** Whole milliseconds, whatever the extractor gives. What it throws no handler is asked about. */
  const timeOf = (raw: RawRecord, read: StreamRecord, partitionTimeMs: number): number => {
    try {
      return Math.floor(extract(read, partitionTimeMs));
    } catch (error) {
      count.in++;
      count.errored++;
      throw new ProcessingError(raw.topic, error, raw, null);
    }
  };
  return (raw, partitionTimeMs) => {
    const read = deserialize(node, raw, world, count);
    if (read === null) return null;
    const timestampMs = timeOf(raw, read, partitionTimeMs);
    if (timestampMs === read.timestampMs && timestampMs >= 0) return read;
    if (timestampMs >= 0 && timestampMs < Infinity) return { ...read, timestampMs };
    leaveOut(raw, timestampMs < 0 ? "its timestamp is negative" : "its timestamp is no number");
    return null;
  };
}

function deserialize(
  node: SourceNode,
  raw: RawRecord,
  world: TaskWorld,
  count: NodeCount,
): StreamRecord | null {
  let part: "key" | "value" = "key";
  try {
    const key = raw.key === null ? null : node.keySerde.deserialize(raw.key, raw.topic);
    part = "value";
    const value = raw.value === null ? null : node.valueSerde.deserialize(raw.value, raw.topic);
    return { key, value, timestampMs: raw.timestampMs, headers: raw.headers };
  } catch (error) {
    count.in++;
    count.errored++;
    world.unreadable(raw, part, error);
    return null;
  }
}
