/**
 * The time of a partition in the metadata of its committed offset, so that a task goes on with the
 * stream time that it had (KIP-695; Kafka's `TopicPartitionMetadata`): in base64, a byte for the version
 * and eight of milliseconds, big-endian; then, from version 2 on, times that processors know again by a
 * name (`ProcessorMetadata`): how many (4), of each the name (length 4) and the milliseconds (8).
 */

const VERSION = 2;
const BYTES = 9;

/** `timeMs` −1: none yet. */
export function encodePartitionTime(
  timeMs: number,
  processorTimes: ReadonlyMap<string, number> = new Map(),
): string {
  const bytes = Buffer.alloc(BYTES);
  bytes.writeInt8(VERSION, 0);
  bytes.writeBigInt64BE(BigInt(timeMs), 1);
  if (processorTimes.size === 0) return bytes.toString("base64");
  const count = Buffer.alloc(4);
  count.writeInt32BE(processorTimes.size);
  const entries = [...processorTimes].map(([name, time]) => {
    const text = Buffer.from(name);
    const entry = Buffer.alloc(4 + text.length + 8);
    entry.writeInt32BE(text.length);
    text.copy(entry, 4);
    entry.writeBigInt64BE(BigInt(time), 4 + text.length);
    return entry;
  });
  return Buffer.concat([bytes, count, ...entries]).toString("base64");
}

/** Those of processors; what is of another kind has none. */
export function decodeProcessorTimes(metadata: string): Map<string, number> {
  const times = new Map<string, number>();
  const bytes = Buffer.from(metadata, "base64");
  if (bytes[0] !== VERSION || bytes.length < BYTES + 4) return times;
  let at = BYTES + 4;
  for (let left = bytes.readInt32BE(BYTES); left > 0 && at + 12 <= bytes.length; left--) {
    const end = at + 4 + bytes.readInt32BE(at);
    if (end < at + 4 || end + 8 > bytes.length) break;
    times.set(bytes.toString("utf8", at + 4, end), Number(bytes.readBigInt64BE(end)));
    at = end + 8;
  }
  return times;
}

/** −1 where there is none, or of another kind. */
export function decodePartitionTime(metadata: string): number {
  const bytes = Buffer.from(metadata, "base64");
  if (bytes.length < BYTES || bytes[0]! < 1 || bytes[0]! > VERSION) return -1;
  const timeMs = Number(bytes.readBigInt64BE(1));
  return Number.isSafeInteger(timeMs) ? timeMs : -1;
}
