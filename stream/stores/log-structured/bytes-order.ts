/** Keys as bytes: which comes first, and their hashes. Parts of larger buffers, so nothing is allocated. */

/** Negative, zero, positive: as unsigned bytes, a prefix before what it begins. */
export function compareBytes(
  one: Uint8Array,
  oneStart: number,
  oneEnd: number,
  other: Uint8Array,
  otherStart: number,
  otherEnd: number,
): number {
  const length = Math.min(oneEnd - oneStart, otherEnd - otherStart);
  for (let at = 0; at < length; at++) {
    const difference = one[oneStart + at]! - other[otherStart + at]!;
    if (difference !== 0) return difference;
  }
  return oneEnd - oneStart - (otherEnd - otherStart);
}

export function compareKeys(one: Uint8Array, other: Uint8Array): number {
  return compareBytes(one, 0, one.length, other, 0, other.length);
}

/** 32 bits, well mixed (FNV-1a with the last step of MurmurHash3). Written in files: never changes. */
export function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return mixed(hash);
}

/** Another hash of a hash. */
export function mixed(hash: number): number {
  let bits = hash;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
