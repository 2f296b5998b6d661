const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;
const SHIFT = 24;

/**
 * The 32-bit MurmurHash2 by which Kafka's Java client spreads keys over partitions
 * (`org.apache.kafka.common.utils.Utils.murmur2`), of `bytes[start, end)`. The result is signed, as
 * in Java.
 */
export function murmur2(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  const length = end - start;
  let hash = SEED ^ length;
  const whole = start + (length & ~3);
  for (let i = start; i < whole; i += 4) {
    let word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> SHIFT;
    word = Math.imul(word, MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ word;
  }
  const rest = length & 3;
  if (rest >= 3) hash ^= bytes[whole + 2]! << 16;
  if (rest >= 2) hash ^= bytes[whole + 1]! << 8;
  if (rest >= 1) hash = Math.imul(hash ^ bytes[whole]!, MULTIPLIER);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MULTIPLIER);
  hash ^= hash >>> 15;
  return hash | 0;
}

/** The partition that Java's default partitioner gives a record with the key `bytes[start, end)`. */
export function partitionOfKey(
  partitionCount: number,
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): number {
  return (murmur2(bytes, start, end) & 0x7fffffff) % partitionCount;
}
