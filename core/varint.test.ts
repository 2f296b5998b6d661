import { expect, test } from "bun:test";
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from "./varint.ts";

/** The zigzag varint of any int64, the slow way. */
function reference(value: number): number[] {
  const wide = BigInt(value);
  let rest = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return bytes;
}

const edges = [0, 1, 63, 64, 8191, 8192, 2 ** 20, 2 ** 27, 2 ** 31 - 1];
const wideEdges = [2 ** 31, 2 ** 32, 2 ** 34, 2 ** 41 + 12345, 2 ** 48, 2 ** 53 - 1];
const around = (values: number[]) =>
  values.flatMap((value) => [value, -value, -value - 1].filter(Number.isSafeInteger));

test("varints of 32 bits", () => {
  for (const value of around(edges)) {
    const bytes = new Uint8Array(16);
    const end = writeVarint(bytes, 3, value);
    expect([...bytes.subarray(3, end)]).toEqual(reference(value));
    expect(sizeOfVarint(value)).toBe(end - 3);
  }
});

test("varlongs of safe integers", () => {
  for (const value of around([...edges, ...wideEdges])) {
    const bytes = new Uint8Array(16);
    const end = writeVarlong(bytes, 3, value);
    expect([...bytes.subarray(3, end)]).toEqual(reference(value));
    expect(sizeOfVarlong(value)).toBe(end - 3);
  }
});
