/** Contexts in batches, whatever is in them, and the bounds of looking for them. */
import { expect, test } from "bun:test";
import { bunCodecs } from "../../core/compression/bun.ts";
import type { CompressionName } from "../../core/compression/codec.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { HandClock } from "../hand-clock.test-helper.ts";
import { TRACED_PER_BATCH_MAX, tracedRecords } from "./record-contexts.ts";
import { Tracing } from "./tracing.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;
const encode = (text: string) => new TextEncoder().encode(text);

interface Sent {
  readonly value?: Uint8Array | null;
  readonly headers?: Readonly<Record<string, string | null>>;
}

function batchOf(records: readonly Sent[], compression: CompressionName = "none"): Uint8Array {
  const builder = new BatchBuilder({ compression, codecs: bunCodecs });
  for (const { value = encode("v"), headers = {} } of records) {
    const list = Object.entries(headers).map(([name, text]): RecordHeader => [
      name,
      text === null ? null : encode(text),
    ]);
    builder.append(1, null, value, list);
  }
  return builder.build();
}

const look = (batch: Uint8Array) => tracedRecords(batch, bunCodecs, () => true);

test("finds the records of a trace among others, compressed or not", () => {
  const records: Sent[] = [
    {},
    { headers: { traceparent: TRACEPARENT } },
    // The name in a value, with what stands before it in a header, is no header.
    { value: encode("\x16traceparent") },
    { headers: { a: "b", traceparent: TRACEPARENT, tracestate: "x=1" }, value: null },
    { headers: { traceparent: null } },
    { headers: { traceparent: "x".repeat(1000) } },
    { headers: { traceparent: TRACEPARENT.replace(/01$/, "00") } },
  ];
  const context = { traceId: TRACE, spanId: SPAN, isSampled: true };
  for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
    expect(look(batchOf(records, compression))).toEqual({
      records: [
        { offsetDelta: 1, context, traceState: "", valueBytes: 1 },
        { offsetDelta: 3, context, traceState: "x=1", valueBytes: -1 },
      ],
      skipped: null,
    });
  }
});

test("large compressed batches, and more than a hundred records, are left out and said", () => {
  const traced = { headers: { traceparent: TRACEPARENT } };
  const many = Array.from({ length: TRACED_PER_BATCH_MAX + 1 }, () => traced);
  expect(look(batchOf(many.slice(1))).skipped).toBeNull();
  const { records, skipped } = look(batchOf(many));
  expect([records.length, skipped]).toEqual([TRACED_PER_BATCH_MAX, "many"]);
  const noise = new SimRandom(1).bytes(300_000);
  expect(look(batchOf([{ ...traced, value: noise }], "lz4"))).toEqual({
    records: [],
    skipped: "large",
  });
  // Small before, large after: a bomb is not unpacked to its end.
  const bomb = batchOf([{ ...traced, value: new Uint8Array(8_000_000) }], "zstd");
  expect(bomb.length).toBeLessThan(10_000);
  expect(look(bomb)).toEqual({ records: [], skipped: "large" });
  // The length of what is not compressed does not matter.
  expect(look(batchOf([{ ...traced, value: noise }])).records.length).toBe(1);
});

test("bytes that are no batch, cut or damaged ones do no harm", () => {
  const random = new SimRandom(7);
  const traced = { headers: { traceparent: TRACEPARENT } };
  for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
    const good = batchOf([traced, {}, traced], compression);
    for (let round = 0; round < 500; round++) {
      const bad = good.slice(0, random.chance(50) ? random.below(good.length) : good.length);
      for (let flips = random.below(4); flips > 0 && bad.length > 0; flips--) {
        bad[random.below(bad.length)] = random.below(256);
      }
      expect(look(bad).records.length).toBeLessThanOrEqual(TRACED_PER_BATCH_MAX);
    }
  }
});

test("looking takes a twentieth of the time at most", () => {
  const clock = new HandClock();
  const slow = {
    lz4: {
      compress: bunCodecs.lz4!.compress,
      decompress: (bytes: Uint8Array, max: number) => {
        clock.advance(10);
        return bunCodecs.lz4!.decompress(bytes, max);
      },
    },
  };
  const tracing = new Tracing(clock, new SimRandom(1), slow, 1);
  const batch = batchOf([{ headers: { traceparent: TRACEPARENT } }], "lz4");
  let found = 0;
  const startMs = clock.monotonicMs();
  for (let count = 0; count < 1000; count++) {
    found += tracing.look(batch).length;
    clock.advance(1);
  }
  const tookMs = found * 10;
  const allMs = clock.monotonicMs() - startMs;
  // What was saved up before comes on top, and the last look may go beyond.
  expect(tookMs).toBeLessThanOrEqual(allMs * 0.05 + 60);
  expect(tookMs).toBeGreaterThan(allMs * 0.05);
  expect(tracing.skipped.busy).toBe(1000 - found);
});

test("times are those of the wall clock, finer, and follow it when it jumps", () => {
  const clock = {
    wall: 1_000_000,
    mono: 5,
    wallMs: () => clock.wall,
    monotonicMs: () => clock.mono,
  };
  const setTimer = () => ({ cancel: () => {} });
  const tracing = new Tracing({ ...clock, setTimer }, new SimRandom(1), {}, 1);
  expect(tracing.nowMs()).toBe(1_000_000);
  clock.mono += 0.25;
  expect(tracing.nowMs()).toBe(1_000_000.25);
  clock.mono += 1;
  clock.wall += 1;
  expect(tracing.nowMs()).toBe(1_000_001.25);
  clock.wall -= 500_000;
  clock.mono += 1;
  expect(tracing.nowMs()).toBe(500_001);
});
