import { expect, test } from "bun:test";
import { bunCodecs } from "../compression/bun.ts";
import { NO_CODECS } from "../compression/codec.ts";
import { Errors } from "../errors.ts";
import { BatchBuilder } from "./batch-builder.ts";
import * as header from "./batch-header.ts";
import { recompress } from "./recompress.ts";

const value = new TextEncoder().encode("the same words again and again ".repeat(20));
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

function batch(compression: (typeof CODECS)[number]): Uint8Array {
  const builder = new BatchBuilder({
    compression,
    codecs: bunCodecs,
    producerId: 7,
    producerEpoch: 3,
    baseSequence: 11,
    transactional: true,
  });
  for (let index = 0; index < 20; index++) builder.append(1000 + index, value, value);
  return builder.build();
}

test("from any codec to any other, everything else stays", () => {
  for (const from of CODECS) {
    for (const to of CODECS) {
      const source = batch(from);
      const untouched = source.slice();
      const result = recompress(source, { type: to, level: undefined }, bunCodecs);
      if (!result.ok) throw new Error(result.message);
      expect(source).toEqual(untouched);
      expect(header.crcMatches(result.bytes, 0)).toBe(true);
      expect(header.batchSizeAt(result.bytes, 0)).toBe(result.bytes.length);
      // Back to bare records it is the batch that a producer without compression sends.
      const plain = recompress(result.bytes, { type: "none", level: undefined }, bunCodecs);
      if (!plain.ok) throw new Error(plain.message);
      expect(plain.bytes).toEqual(batch("none"));
      if (from === to) expect(result.bytes).toBe(source);
    }
  }
});

test("a topic that takes what producers send changes nothing", () => {
  const source = batch("gzip");
  const result = recompress(source, { type: "producer", level: 1 }, NO_CODECS);
  expect(result).toEqual({ ok: true, bytes: source });
  expect(result.ok && result.bytes).toBe(source);
});

test("the level counts", () => {
  const sizes = [1, 9].map((level) => {
    const result = recompress(batch("none"), { type: "gzip", level }, bunCodecs);
    return result.ok ? result.bytes.length : 0;
  });
  expect(sizes[0]).toBeGreaterThan(sizes[1]!);
});

test("what does not unpack or parse is refused", () => {
  const broken = batch("gzip");
  broken.fill(0, header.BATCH_HEADER_BYTES + 2);
  header.updateCrc(broken, 0);
  expect(recompress(broken, { type: "zstd", level: 3 }, bunCodecs)).toMatchObject({
    ok: false,
    error: Errors.INVALID_RECORD,
  });
  const cut = batch("none");
  cut[header.BATCH_HEADER_BYTES] = 0x7e;
  header.updateCrc(cut, 0);
  expect(recompress(cut, { type: "zstd", level: 3 }, bunCodecs)).toMatchObject({
    ok: false,
    error: Errors.INVALID_RECORD,
  });
  expect(recompress(batch("none"), { type: "zstd", level: 3 }, NO_CODECS)).toMatchObject({
    ok: false,
    error: Errors.UNSUPPORTED_COMPRESSION_TYPE,
  });
});
