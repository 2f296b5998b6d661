import { expect, test } from "bun:test";
import { crc32cPortable } from "../../crc32c.ts";
import { loadCrc32cX64 } from "./crc32c-x64.ts";

const MODULE = Bun.fileURLToPath(new URL("../../crc32c.ts", import.meta.url));
const bytes = Uint8Array.from({ length: 20_000 }, (_, at) => (at * 2654435761) >>> 24);

test.skipIf(process.arch !== "x64")("agrees with the portable one on every range", () => {
  const fast = loadCrc32cX64();
  if (fast === null) throw new Error("this machine has no SSE 4.2");
  for (let length = 0; length < 5000; length += 1) {
    const start = length % 11;
    const end = start + length;
    expect(fast(bytes, start, end, length)).toBe(crc32cPortable(bytes, start, end, length));
  }
  const floats = new Float64Array([17, 4321, 0xfedc_ba98]);
  for (const previous of [0x7fff_ffff, 0x8000_0000, 0xffff_ffff, floats[2]!]) {
    expect(fast(bytes, floats[0]!, floats[1]!, previous)).toBe(
      crc32cPortable(bytes, 17, 4321, previous),
    );
  }
  expect(fast(bytes, 0, bytes.length, 0)).toBe(crc32cPortable(bytes));
});

test("an offer is taken up once much has been checked, and a wrong one never", () => {
  // In a process of its own: whoever checks much elsewhere in this one takes up what there is.
  const script = `
    import { crc32c, crc32cPortable, offerFasterCrc32c } from ${JSON.stringify(MODULE)};
    const big = new Uint8Array(1 << 20);
    const right = crc32cPortable(big);
    const counts = { asked: 0, used: 0, wrong: 0 };
    const check = () => counts.wrong += crc32c(big) === right ? 0 : 1;
    offerFasterCrc32c(() => {
      counts.asked++;
      return () => 42;
    });
    for (let round = 0; round < 20; round++) check();
    offerFasterCrc32c(() => (...range) => {
      counts.used++;
      return crc32cPortable(...range);
    });
    check();
    counts.used = 0;
    check();
    console.log(JSON.stringify(counts));
  `;
  const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", script]);
  expect(stderr.toString()).toBe("");
  expect(JSON.parse(stdout.toString())).toEqual({ asked: 1, used: 1, wrong: 0 });
});
