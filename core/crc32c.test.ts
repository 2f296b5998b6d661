import { expect, test } from "bun:test";
import { crc32c, crc32cIsNative, crc32cPortable } from "./crc32c.ts";

const bytes = Uint8Array.from({ length: 5000 }, (_, i) => (i * 2654435761) >>> 24);

test("the check value of the CRC catalogue", () => {
  const digits = new TextEncoder().encode("123456789");
  expect(crc32c(digits)).toBe(0xe3069283);
  expect(crc32cPortable(digits)).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(0))).toBe(0);
});

test("the addon is there, and both agree on every range", () => {
  expect(crc32cIsNative()).toBe(true);
  for (let start = 0; start < 20; start++) {
    for (const end of [start, start + 1, start + 511, start + 512, start + 513, 4999, 5000]) {
      expect(crc32c(bytes, start, end)).toBe(crc32cPortable(bytes, start, end));
    }
  }
});

test("chunks give the same as the whole", () => {
  for (const crc of [crc32c, crc32cPortable]) {
    for (const cut of [0, 1, 511, 512, 1000, 4000, 5000]) {
      expect(crc(bytes, cut, 5000, crc(bytes, 0, cut))).toBe(crc(bytes));
    }
  }
});
