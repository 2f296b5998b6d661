/**
 * Puts entries in the order of their keys: four bytes behind what all have in common go with the entry's
 * number into a double, of which the runtime sorts a whole array at once; those of which these bytes are
 * the same are sorted among themselves by the bytes behind them.
 */
import { compareBytes } from "./bytes-order.ts";
import { EntryView } from "./entry-format.ts";

/** Numbers of entries in a double besides 32 bits of their keys. */
const COUNT_MAX = 2 ** 20;
/** Fewer are sorted by comparing. */
const FEW = 24;

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
  const packed = new Float64Array(order.length);
  let shortest = Infinity;
  for (let index = 0; index < order.length; index++) {
    packed[index] = fourBytes(bytes, order[index]!, common) * COUNT_MAX + index;
    shortest = Math.min(shortest, view.keyEnd - view.keyStart);
  }
  const mayBeShort = shortest < common + 4;
  packed.sort();
  const before = order.slice();
  let groupStart = 0;
  let groupBits = -1;
  for (let index = 0; index < order.length; index++) {
    const bits = Math.floor(packed[index]! / COUNT_MAX);
    order[index] = before[packed[index]! - bits * COUNT_MAX]!;
    if (bits === groupBits) continue;
    if (index - groupStart > 1) {
      sortGroup(bytes, order.subarray(groupStart, index), common, mayBeShort);
    }
    groupStart = index;
    groupBits = bits;
  }
  if (order.length - groupStart > 1) {
    sortGroup(bytes, order.subarray(groupStart), common, mayBeShort);
  }
}

/**
 * Several keys that have the same four bytes there, of which those behind the end count as zero.
 * `mayBeShort`: there may be such.
 */
function sortGroup(
  bytes: Uint8Array,
  order: Uint32Array,
  depth: number,
  mayBeShort: boolean,
): void {
  const isShort = mayBeShort && order.some((start) => {
    view.read(bytes, start);
    return view.keyEnd - view.keyStart < depth + 4;
  });
  if (isShort) order.sort((one, other) => compareAt(bytes, one, other));
  else sortPart(bytes, order, depth + 4);
}

/** Leaves the entry in `view`. */
function fourBytes(bytes: Uint8Array, start: number, depth: number): number {
  view.read(bytes, start);
  let bits = 0;
  for (let at = view.keyStart + depth; at < view.keyStart + depth + 4; at++) {
    bits = bits * 256 + (at < view.keyEnd ? bytes[at]! : 0);
  }
  return bits;
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
