/**
 * CRC-32C (Castagnoli), the checksum of record batches. A slicing-by-8 in TypeScript does it until
 * there is enough to do for the native addon, whose loading takes longer than many commands and tests
 * have to compute; where that cannot be loaded (another runtime, an unusual platform), it does all.
 */

/** The CRC of `bytes[start, end)` after `previous`; as an unsigned integer. */
export type Crc32c = (bytes: Uint8Array, start: number, end: number, previous: number) => number;

/** Below this many bytes the call into the addon costs more than the work itself. */
const NATIVE_FROM_BYTES = 512;

/** So much is checked without the addon: in about half the time that it takes to load. */
const ADDON_FROM_BYTES = 64 * 1024;

/** So much is checked by the addon before a faster implementation is worth the time it takes to load. */
const FASTER_FROM_BYTES = 16 * 1024 * 1024;

let implementation: Crc32c = crc32cAtFirst;
let faster: (() => Crc32c | null) | null = null;
let checkedBytes = 0;
let tables: Uint32Array[] | null = null;

/**
 * The checksum of `bytes[start, end)` as an unsigned 32-bit integer. To continue over several
 * chunks, give the result of the earlier ones as `previous`.
 */
export function crc32c(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
  previous: number = 0,
): number {
  return implementation(bytes, start, end, previous);
}

function crc32cAtFirst(bytes: Uint8Array, start: number, end: number, previous: number): number {
  checkedBytes += end - start;
  if (checkedBytes < ADDON_FROM_BYTES) return crc32cPortable(bytes, start, end, previous);
  return loadImplementation()(bytes, start, end, previous);
}

function loadImplementation(): Crc32c {
  return implementation = loadNative() ?? crc32cPortable;
}

/**
 * Names a way to get a faster implementation for this machine. It is loaded once this process has
 * checked a good deal, and used if it agrees with the portable one; `load` may throw or give null.
 */
export function offerFasterCrc32c(load: () => Crc32c | null): void {
  faster = load;
}

/** As `crc32c`, always in TypeScript. */
export function crc32cPortable(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
  previous: number = 0,
): number {
  tables ??= makeTables();
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  let crc = ~previous;
  let at = start;
  for (const last = end - 8; at <= last; at += 8) {
    crc = t7[(crc ^ bytes[at]!) & 0xff]! ^ t6[((crc >>> 8) ^ bytes[at + 1]!) & 0xff]! ^
      t5[((crc >>> 16) ^ bytes[at + 2]!) & 0xff]! ^ t4[(crc >>> 24) ^ bytes[at + 3]!]! ^
      t3[bytes[at + 4]!]! ^ t2[bytes[at + 5]!]! ^ t1[bytes[at + 6]!]! ^ t0[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}

/** Whether the addon does the work here; loads it if it has not been used yet. */
export function crc32cIsNative(): boolean {
  const known = implementation === crc32cAtFirst ? loadImplementation() : implementation;
  return known !== crc32cPortable;
}

/** The addon's function: the whole input, after an earlier checksum. */
type NativeCrc32c = (input: Uint8Array, initial?: number | null) => number;

/** In the binary the addon is found while it is compiled, so its name has to stand here. */
let loadAddon: () => NativeCrc32c | undefined = () =>
  (require("@node-rs/crc32") as typeof import("@node-rs/crc32")).crc32c;

/** Names another way to get the addon, where there is no `require`; used once it is wanted. */
export function offerNativeCrc32c(load: () => NativeCrc32c | undefined): void {
  loadAddon = load;
}

function loadNative(): Crc32c | null {
  let native: NativeCrc32c;
  try {
    const loaded = loadAddon();
    if (loaded === undefined) return null;
    native = loaded;
    // The check value of the CRC catalogue: an addon that gets this wrong must not guard data.
    if (native(new TextEncoder().encode("123456789")) !== 0xe3069283) return null;
  } catch {
    return null;
  }
  const viaAddon: Crc32c = (bytes, start, end, previous) => {
    if (end - start < NATIVE_FROM_BYTES) return crc32cPortable(bytes, start, end, previous);
    checkedBytes += end - start;
    if (faster !== null && checkedBytes > FASTER_FROM_BYTES) implementation = loadFaster(viaAddon);
    const whole = start === 0 && end === bytes.length;
    return native(whole ? bytes : bytes.subarray(start, end), previous);
  };
  return viaAddon;
}

/** The offered implementation if it can be had and is right, else what there is. */
function loadFaster(current: Crc32c): Crc32c {
  const load = faster;
  faster = null;
  try {
    const loaded = load?.() ?? null;
    return loaded !== null && agreesWithPortable(loaded) ? loaded : current;
  } catch {
    return current;
  }
}

/**
 * Compares on lengths around every size at which an implementation may change its ways, after every
 * kind of earlier checksum, and with numbers that the engine may hold as floats.
 */
function agreesWithPortable(loaded: Crc32c): boolean {
  const bytes = Uint8Array.from({ length: 10_000 }, (_, at) => (at * 2654435761) >>> 24);
  for (let length = 0; length < bytes.length; length += length < 64 ? 1 : 509) {
    for (const start of [0, 3, asFloat(3)]) {
      const end = Math.min(start + length, bytes.length);
      for (const previous of [0, length, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
        const expected = crc32cPortable(bytes, start, end, previous);
        if (loaded(bytes, start, end, previous) !== expected) return false;
      }
    }
  }
  return true;
}

/** The same number, as the engine keeps numbers with a fraction. */
function asFloat(value: number): number {
  return new Float64Array([value])[0]!;
}

/** tables[k][b]: the effect of byte b after k further zero bytes. 0x82f63b78 is 0x1edc6f41 reversed. */
function makeTables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    first[byte] = crc;
  }
  const all = [first];
  for (let k = 1; k < 8; k++) {
    const before = all[k - 1]!;
    all.push(before.map((crc) => (crc >>> 8) ^ first[crc & 0xff]!));
  }
  return all;
}
