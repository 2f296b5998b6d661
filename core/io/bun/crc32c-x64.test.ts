import { expect, test } from "bun:test";
import { crc32c, crc32cPortable, offerFasterCrc32c } from "../../crc32c.ts";
import { loadCrc32cX64 } from "./crc32c-x64.ts";

const bytes = Uint8Array.from({ length: 20_000 }, (_, at) => (at * 2654435761) >>> 24);

test.skipIf(process.arch !== "x64")("agrees with the portable one on every range", () => {
  const fast = loadCrc32cX64();
  if (fast === null) throw new Error("this machine has no SSE 4.2");
  for (let length = 0; length < 5000; length += 1) {
    const start = length % 11;
    const end = start + length;
    expect(fast(bytes, start, end, length)).toBe(crc32cPortable(bytes, start, end, length));
  }
  expect(fast(bytes, 0, bytes.length, 0)).toBe(crc32cPortable(bytes));
});

test("an offer is taken up once much has been checked, and a wrong one never", () => {
  const big = new Uint8Array(1 << 20);
  const right = crc32cPortable(big);
  let asked = 0;
  offerFasterCrc32c(() => {
    asked++;
    return () => 42;
  });
  for (let round = 0; round < 20; round++) expect(crc32c(big)).toBe(right);
  expect(asked).toBe(1);
  let used = 0;
  offerFasterCrc32c(() => (...range) => {
    used++;
    return crc32cPortable(...range);
  });
  expect(crc32c(big)).toBe(right);
  used = 0;
  expect(crc32c(big)).toBe(right);
  expect(used).toBe(1);
});
