/** Java's `String.hashCode`, by which Kafka spreads groups and transactional ids over partitions. */
export function javaStringHash(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index++) {
    hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0;
  }
  return hash;
}

/** The partition of an internal topic for a key: Kafka's `Utils.abs(key.hashCode()) % count`. */
export function coordinatorPartition(key: string, partitionCount: number): number {
  // Utils.abs clears Integer.MIN_VALUE, whose negation is no int, to 0.
  const hash = javaStringHash(key);
  return (hash === -2147483648 ? 0 : Math.abs(hash)) % partitionCount;
}
