/**
 * The time of a partition in the metadata of its committed offset, so that a task goes on with the
 * stream time that it had (KIP-695; Kafka's `TopicPartitionMetadata`): in base64, a byte for the version
 * and eight of milliseconds, big-endian; what follows from version 2 on is of single processors.
 */

const VERSION = 2;
const BYTES = 9;

/** −1: none yet. */
export function encodePartitionTime(timeMs: number): string {
  const bytes = Buffer.alloc(BYTES);
  bytes.writeInt8(VERSION, 0);
  bytes.writeBigInt64BE(BigInt(timeMs), 1);
  return bytes.toString("base64");
}

/** −1 where there is none, or of another kind. */
export function decodePartitionTime(metadata: string): number {
  const bytes = Buffer.from(metadata, "base64");
  if (bytes.length < BYTES || bytes[0]! < 1 || bytes[0]! > VERSION) return -1;
  const timeMs = Number(bytes.readBigInt64BE(1));
  return Number.isSafeInteger(timeMs) ? timeMs : -1;
}
