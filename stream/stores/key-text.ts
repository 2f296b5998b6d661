/** Keys as Latin-1 text: a character per byte, so they compare as their bytes do. */

/** Of any bytes, without a `Buffer` of them, which would cost more than the text. */
const latin1Slice: (this: Uint8Array, start: number, end: number) => string =
  Buffer.prototype.latin1Slice;

export function textOf(bytes: Uint8Array): string {
  return latin1Slice.call(bytes, 0, bytes.length);
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

export function byCodeUnits(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
