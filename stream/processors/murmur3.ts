/** MurmurHash3, 128 bits, x64, with the seed that Kafka Streams takes (`Murmur3.hash128`). */
const SEED = 104729n;
const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;
const BLOCK = 16;

const low = (value: bigint) => BigInt.asUintN(64, value);
const rotated = (value: bigint, by: bigint) => low((value << by) | (value >> (64n - by)));
const mixedOne = (k: bigint) => low(rotated(low(k * C1), 31n) * C2);
const mixedTwo = (k: bigint) => low(rotated(low(k * C2), 33n) * C1);

function finished(hash: bigint): bigint {
  let h = low((hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn);
  h = low((h ^ (h >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return h ^ (h >> 33n);
}

/** Sixteen bytes: two longs, big-endian. */
export function murmur3(data: Uint8Array): Uint8Array {
  let [one, two] = [SEED, SEED];
  // What is over of the last block is as if zeros followed.
  const blocks = Math.floor(data.length / BLOCK);
  const tail = new Uint8Array(BLOCK);
  tail.set(data.subarray(blocks * BLOCK));
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  for (let i = 0; i < blocks; i++) {
    one = rotated(one ^ mixedOne(view.getBigUint64(i * BLOCK, true)), 27n);
    one = low((one + two) * 5n + 0x52dce729n);
    two = rotated(two ^ mixedTwo(view.getBigUint64(i * BLOCK + 8, true)), 31n);
    two = low((two + one) * 5n + 0x38495ab5n);
  }
  const last = new DataView(tail.buffer);
  const length = BigInt(data.length);
  one ^= mixedOne(last.getBigUint64(0, true)) ^ length;
  two ^= mixedTwo(last.getBigUint64(8, true)) ^ length;
  one = low(one + two);
  two = low(two + one);
  [one, two] = [finished(one), finished(two)];
  one = low(one + two);
  two = low(two + one);
  const hash = new Uint8Array(BLOCK);
  const out = new DataView(hash.buffer);
  out.setBigUint64(0, one);
  out.setBigUint64(8, two);
  return hash;
}
