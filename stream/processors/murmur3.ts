/**
 * MurmurHash3, 128 bits, x64, with the seed that Kafka Streams takes (`Murmur3.hash128`). Numbers of 64
 * bits are two of 32, high and low: many times faster than `BigInt`.
 */

/** A number of 64 bits, as two of 32 with a sign. */
class Long {
  constructor(public high: number, public low: number) {}

  set(other: Long): this {
    this.high = other.high;
    this.low = other.low;
    return this;
  }

  xor(other: Long): this {
    this.high ^= other.high;
    this.low ^= other.low;
    return this;
  }

  add({ high, low }: Long): this {
    const sum = (this.low >>> 0) + (low >>> 0);
    this.high = (this.high + high + (sum > 0xffff_ffff ? 1 : 0)) | 0;
    this.low = sum | 0;
    return this;
  }

  times({ high, low }: Long): this {
    // The product of the low halves has 64 bits, which are made of products of 16 bits each.
    const a = this.low & 0xffff;
    const b = this.low >>> 16;
    const c = low & 0xffff;
    const d = low >>> 16;
    // None of these sums is more than 32 bits hold.
    const middle = (Math.imul(b, c) >>> 0) + (Math.imul(a, c) >>> 16);
    const carried = (middle & 0xffff) + (Math.imul(a, d) >>> 0);
    const top = Math.imul(b, d) + (middle >>> 16) + (carried >>> 16);
    this.high = (top + Math.imul(this.high, low) + Math.imul(this.low, high)) | 0;
    this.low = Math.imul(this.low, low);
    return this;
  }

  /** To the left; `by` is from 1 to 31. */
  rotate(by: number): this {
    const { high, low } = this;
    this.high = (high << by) | (low >>> (32 - by));
    this.low = (low << by) | (high >>> (32 - by));
    return this;
  }

  swapHalves(): this {
    const { high } = this;
    this.high = this.low;
    this.low = high;
    return this;
  }

  /** The murmur's last step of each half. */
  finish(): this {
    this.low ^= this.high >>> 1;
    this.times(FIRST_FINISH);
    this.low ^= this.high >>> 1;
    this.times(SECOND_FINISH);
    this.low ^= this.high >>> 1;
    return this;
  }
}

const SEED = new Long(0, 104729);
const C1 = new Long(0x87c3_7b91 | 0, 0x1142_53d5);
const C2 = new Long(0x4cf5_ad43, 0x2745_937f);
const FIVE = new Long(0, 5);
const FIRST_ADDED = new Long(0, 0x52dc_e729);
const SECOND_ADDED = new Long(0, 0x3849_5ab5);
const FIRST_FINISH = new Long(0xff51_afd7 | 0, 0xed55_8ccd | 0);
const SECOND_FINISH = new Long(0xc4ce_b9fe | 0, 0x1a85_ec53);
const BLOCK = 16;

// Of the hash under way: all in here is synchronous.
const [one, two, k] = [new Long(0, 0), new Long(0, 0), new Long(0, 0)];

function mixedOne(view: DataView, at: number): Long {
  k.low = view.getInt32(at, true);
  k.high = view.getInt32(at + 4, true);
  return k.times(C1).rotate(31).times(C2);
}

function mixedTwo(view: DataView, at: number): Long {
  k.low = view.getInt32(at + 8, true);
  k.high = view.getInt32(at + 12, true);
  // By 33.
  return k.times(C2).swapHalves().rotate(1).times(C1);
}

/** Sixteen bytes: two longs, big-endian. */
export function murmur3(data: Uint8Array): Uint8Array {
  const { length } = data;
  one.set(SEED);
  two.set(SEED);
  const whole = length - length % BLOCK;
  const view = new DataView(data.buffer, data.byteOffset, length);
  for (let at = 0; at < whole; at += BLOCK) {
    one.xor(mixedOne(view, at)).rotate(27).add(two).times(FIVE).add(FIRST_ADDED);
    two.xor(mixedTwo(view, at)).rotate(31).add(one).times(FIVE).add(SECOND_ADDED);
  }
  // What is over of the last block is as if zeros followed.
  const tail = new Uint8Array(BLOCK);
  tail.set(data.subarray(whole));
  const last = new DataView(tail.buffer);
  one.xor(mixedOne(last, 0));
  two.xor(mixedTwo(last, 0));
  one.low ^= length;
  two.low ^= length;
  one.add(two);
  two.add(one);
  one.finish();
  two.finish();
  one.add(two);
  two.add(one);
  const hash = new Uint8Array(BLOCK);
  const out = new DataView(hash.buffer);
  out.setInt32(0, one.high);
  out.setInt32(4, one.low);
  out.setInt32(8, two.high);
  out.setInt32(12, two.low);
  return hash;
}
