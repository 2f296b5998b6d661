/**
 * Puts entries in the order of their keys: 32 bits of what is behind the bytes that all have in common go
 * with the entry's number into a double, of which the runtime sorts a whole array at once; those of
 * which these bits are the same are sorted among themselves by the bytes behind them. The bits are those
 * of four bytes, or of up to eight where few different bytes occur there, as in numbers written as text:
 * each byte counts by its rank among them.
 */
import { compareBytes } from "./bytes-order.ts";
import { EntryView } from "./entry-format.ts";

/** Numbers of entries in a double besides 32 bits of their keys. */
const COUNT_MAX = 2 ** 20;
/** Fewer are sorted by comparing. */
const FEW = 24;
/** So many bytes go into 32 bits at the most, and at the least. */
const DIGITS_MAX = 8;
const DIGITS_MIN = 4;
/** With more kinds of bytes there is room for four only. */
const KINDS_MAX = 64;

const view = new EntryView();
const otherView = new EntryView();

function compareAt(bytes: Uint8Array, one: number, other: number): number {
  view.read(bytes, one);
  otherView.read(bytes, other);
  const { keyStart, keyEnd } = otherView;
  return compareBytes(bytes, view.keyStart, view.keyEnd, bytes, keyStart, keyEnd);
}

/** The first `count` of `starts`, ordered. */
export function sortedEntries(bytes: Uint8Array, starts: Uint32Array, count: number): Uint32Array {
  const order = starts.slice(0, count);
  sortPart(bytes, order, 0);
  return order;
}

/** Sorts keys that are the same before `depth`. */
function sortPart(bytes: Uint8Array, order: Uint32Array, depth: number): void {
  if (order.length <= FEW || order.length > COUNT_MAX) {
    order.sort((one, other) => compareAt(bytes, one, other));
    return;
  }
  const common = commonLength(bytes, order, depth);
  const digits = digitsOf(bytes, order, common);
  const behind = common + digits.count;
  const packed = new Float64Array(order.length);
  let shortest = Infinity;
  for (let index = 0; index < order.length; index++) {
    packed[index] = packedDigits(bytes, order[index]!, common, digits) * COUNT_MAX + index;
    shortest = Math.min(shortest, view.keyEnd - view.keyStart);
  }
  const mayBeShort = shortest < behind;
  packed.sort();
  const before = order.slice();
  let groupStart = 0;
  let groupBits = -1;
  for (let index = 0; index < order.length; index++) {
    const bits = Math.floor(packed[index]! / COUNT_MAX);
    order[index] = before[packed[index]! - bits * COUNT_MAX]!;
    if (bits === groupBits) continue;
    if (index - groupStart > 1) {
      sortGroup(bytes, order.subarray(groupStart, index), behind, mayBeShort);
    }
    groupStart = index;
    groupBits = bits;
  }
  if (order.length - groupStart > 1) {
    sortGroup(bytes, order.subarray(groupStart), behind, mayBeShort);
  }
}

/**
 * Several keys that are the same before `depth`, of which those behind the end of a key count as the
 * smallest one. `mayBeShort`: there may be such.
 */
function sortGroup(
  bytes: Uint8Array,
  order: Uint32Array,
  depth: number,
  mayBeShort: boolean,
): void {
  const isShort = mayBeShort && order.some((start) => {
    view.read(bytes, start);
    return view.keyEnd - view.keyStart < depth;
  });
  if (isShort) order.sort((one, other) => compareAt(bytes, one, other));
  else sortPart(bytes, order, depth);
}

/** How bytes at some place of the keys become bits. */
interface Digits {
  /** How many bytes. */
  readonly count: number;
  readonly bitsEach: number;
  /** Of each byte its rank among those that occur there. */
  readonly ranks: Uint8Array;
}

const EVERY_BYTE: Digits = {
  ...{ count: DIGITS_MIN, bitsEach: 8 },
  ranks: Uint8Array.from({ length: 256 }, (_, byte) => byte),
};

function digitsOf(bytes: Uint8Array, order: Uint32Array, depth: number): Digits {
  const ranks = new Uint8Array(256);
  let kinds = 0;
  for (let index = 0; index < order.length; index++) {
    view.read(bytes, order[index]!);
    const end = Math.min(view.keyEnd, view.keyStart + depth + DIGITS_MAX);
    for (let at = view.keyStart + depth; at < end; at++) {
      if (ranks[bytes[at]!] !== 0) continue;
      ranks[bytes[at]!] = 1;
      if (++kinds > KINDS_MAX) return EVERY_BYTE;
    }
  }
  for (let byte = 0, rank = 0; byte < 256; byte++) if (ranks[byte] !== 0) ranks[byte] = rank++;
  const bitsEach = Math.max(32 / DIGITS_MAX, 32 - Math.clz32(kinds - 1));
  return { count: Math.floor(32 / bitsEach), bitsEach, ranks };
}

/** Leaves the entry in `view`. */
function packedDigits(
  bytes: Uint8Array,
  start: number,
  depth: number,
  { count, bitsEach, ranks }: Digits,
): number {
  view.read(bytes, start);
  const from = view.keyStart + depth;
  let bits = 0;
  for (let at = from; at < from + count; at++) {
    bits = (bits << bitsEach) | (at < view.keyEnd ? ranks[bytes[at]!]! : 0);
  }
  return bits >>> 0;
}

/** How many bytes all keys have in common, `known` at least. */
function commonLength(bytes: Uint8Array, order: Uint32Array, known: number): number {
  otherView.read(bytes, order[0]!);
  const { keyStart } = otherView;
  let length = otherView.keyEnd - keyStart;
  for (let index = 1; index < order.length && length > known; index++) {
    view.read(bytes, order[index]!);
    length = Math.min(length, view.keyEnd - view.keyStart);
    let at = known;
    while (at < length && bytes[keyStart + at] === bytes[view.keyStart + at]) at++;
    length = at;
  }
  return length;
}
