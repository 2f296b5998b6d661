/** How a source makes records of bytes. */
import type { RawRecord, StreamRecord } from "../record.ts";
import type { SourceNode } from "../topology/topology.ts";
import type { ReadRecord } from "./record-queue.ts";
import type { TaskWorld } from "./task.ts";
import { ownTimestamp } from "./timestamp-extractor.ts";

/** See the head of the file. What is left out is told to `world`. */
export function readerOf(node: SourceNode, world: TaskWorld): ReadRecord {
  const extract = node.timestampExtractor ?? world.timestampExtractor ?? ownTimestamp;
  return (raw, partitionTimeMs) => {
    const read = deserialize(node, raw, world);
    if (read === null) return null;
    const timestampMs = extract(read, partitionTimeMs);
    if (timestampMs === read.timestampMs && timestampMs >= 0) return read;
    if (timestampMs >= 0) return { ...read, timestampMs };
    world.dropped(node.name, "its timestamp is negative", raw);
    return null;
  };
}

function deserialize(
  node: SourceNode,
  raw: RawRecord,
  world: TaskWorld,
): StreamRecord | null {
  let part: "key" | "value" = "key";
  try {
    const key = raw.key === null ? null : node.keySerde.deserialize(raw.key, raw.topic);
    part = "value";
    const value = raw.value === null ? null : node.valueSerde.deserialize(raw.value, raw.topic);
    return { key, value, timestampMs: raw.timestampMs, headers: raw.headers };
  } catch (error) {
    world.unreadable(raw, part, error);
    return null;
  }
}
