import { expect, test } from "bun:test";
import { readInt64, writeInt64 } from "./int64.ts";

test("as a DataView has them, up to the last safe integer", () => {
  const limit = Number.MAX_SAFE_INTEGER;
  for (
    const value of [0, 1, -1, 255, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 40 + 7, limit, -limit]
  ) {
    const bytes = new Uint8Array(10);
    writeInt64(bytes, 1, value);
    expect(new DataView(bytes.buffer).getBigInt64(1)).toBe(BigInt(value));
    expect(readInt64(bytes, 1)).toBe(value);
  }
  const bytes = new Uint8Array(8);
  for (const value of [2n ** 53n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    new DataView(bytes.buffer).setBigInt64(0, value);
    expect(Number.isSafeInteger(readInt64(bytes, 0))).toBe(false);
  }
});
