/**
 * Zigzag variable-length integers, as inside record batches (Kafka's `ByteUtils.writeVarint` and
 * `writeVarlong`; the encoding is Protocol Buffers' sint32 and sint64). Values are numbers; readers
 * live with their cursor, because they must hand back a value and a position without allocating.
 */

const TWO_31 = 0x8000_0000;

/** Bytes that `writeVarint` takes for an int32. */
export function sizeOfVarint(value: number): number {
  return sizeOfUnsigned32((value << 1) ^ (value >> 31));
}

/** Bytes that `writeVarlong` takes for a safe integer. */
export function sizeOfVarlong(value: number): number {
  if (value === (value | 0)) return sizeOfVarint(value);
  let rest = (value >= 0 ? value : -value - 1) * 2;
  let size = 1;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    size++;
  }
  return size;
}

/** Writes an int32 at `position`; returns the position behind it. There must be room: 5 bytes. */
export function writeVarint(bytes: Uint8Array, position: number, value: number): number {
  let rest = (value << 1) ^ (value >> 31);
  while ((rest & ~0x7f) !== 0) {
    bytes[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[position++] = rest;
  return position;
}

/**
 * Writes a safe integer as an int64 at `position`; returns the position behind it. There must be
 * room: 8 bytes (the zigzag form of a safe integer has at most 54 bits).
 */
export function writeVarlong(bytes: Uint8Array, position: number, value: number): number {
  if (value === (value | 0)) return writeVarint(bytes, position, value);
  // In two halves: the bit operators know 32 bits only, and numbers 53 where zigzag needs 54.
  const magnitude = value >= 0 ? value : -value - 1;
  let high = Math.floor(magnitude / TWO_31);
  let low = ((magnitude - high * TWO_31) * 2 + (value >= 0 ? 0 : 1)) >>> 0;
  while (high !== 0 || low > 0x7f) {
    bytes[position++] = (low & 0x7f) | 0x80;
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  bytes[position++] = low;
  return position;
}

function sizeOfUnsigned32(value: number): number {
  if ((value & ~0x7f) === 0) return 1;
  return Math.ceil((32 - Math.clz32(value)) / 7);
}
