/**
 * A hash of all that an assignment rests on in the topics of a group: ids, names, and how many
 * partitions. It is stored with the group epoch, so that a change shows, however long ago it was
 * (Kafka's `Utils.computeGroupHash`; the hash function is ours, since nobody compares the two).
 */
import type { Topics } from "../group.ts";

/** The hash for topics of these names; 0 if there is none. Those that do not exist count as absent. */
export function metadataHash(topicNames: Iterable<string>, topics: Topics): bigint {
  const parts: string[] = [];
  for (const name of [...topicNames].toSorted()) {
    const topic = topics.byName(name);
    parts.push(
      topic === undefined
        ? `${name.length}:${name}`
        : `${name.length}:${name}${topic.id}${topic.partitions.length}.`,
    );
  }
  return parts.length === 0 ? 0n : hash64(parts.join(""));
}

/** Two multiply-and-xor hashes of 32 bits side by side (the finalizers are MurmurHash3's). */
function hash64(text: string): bigint {
  let high = 0x9e3779b9;
  let low = 0x85ebca6b;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 0x9e3779b1);
    low = Math.imul(low ^ unit, 0x5f356495);
  }
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  return BigInt.asIntN(64, BigInt(high >>> 0) << 32n | BigInt(low >>> 0));
}
