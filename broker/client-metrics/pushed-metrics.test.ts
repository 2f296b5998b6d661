/** What clients push: read, given labels, and hostile bytes refused. */
import { expect, test } from "bun:test";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { bunCodecs } from "../../core/compression/bun.ts";
import { Compression } from "../../core/compression/codec.ts";
import { Errors } from "../../core/errors.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { metricsData } from "./metrics-data.test-helper.ts";
import { MalformedError } from "./protobuf.ts";
import { PushQueue } from "./push-queue.ts";
import { readMetrics, withLabels } from "./pushed-metrics.ts";
import { readPush } from "./read-push.ts";

const MONOTONIC = { isMonotonic: true, temporality: 2 } as const;
const PUSH = metricsData([
  { name: "a.gauge", value: 1.5, attributes: { topic: "orders" } },
  { name: "a.count", value: 7, as: "int", sum: MONOTONIC },
  { name: "a.delta", value: 7, sum: { isMonotonic: true, temporality: 1 } },
  { name: "an.amount", value: 7, sum: { isMonotonic: false, temporality: 2 } },
], { group_id: "readers", principal: "User:somebody-else" });

test("numbers are read with their attributes", () => {
  const resource = new Map([["group_id", "readers"], ["principal", "User:somebody-else"]]);
  const point = (value: number, attributes = new Map<string, string>()) => ({ value, attributes });
  const common = { description: "", resource };
  expect(readMetrics(PUSH)).toEqual([
    {
      ...common,
      name: "a.gauge",
      kind: "gauge",
      points: [point(1.5, new Map([["topic", "orders"]]))],
    },
    { ...common, name: "a.count", kind: "counter", points: [point(7)] },
    { ...common, name: "a.delta", kind: "gauge", points: [point(7)] },
    { ...common, name: "an.amount", kind: "gauge", points: [point(7)] },
  ]);
  expect(readMetrics(new Uint8Array())).toEqual([]);
});

test("the broker's labels win over the client's, and nothing else changes", () => {
  const labels = { client_instance_id: "i-1", client_id: "shop", principal: "User:alice" };
  const bytes = withLabels(PUSH, labels);
  // In their place, not behind them.
  expect(Buffer.from(bytes).includes("somebody-else")).toBe(false);
  const labelled = readMetrics(bytes);
  expect(labelled[0]?.resource).toEqual(
    new Map([
      ["group_id", "readers"],
      ["client_instance_id", "i-1"],
      ["client_id", "shop"],
      ["principal", "User:alice"],
      ["service.name", "shop"],
      ["service.instance.id", "i-1"],
    ]),
  );
  const without = (metrics: readonly object[]) =>
    metrics.map((metric) => ({ ...metric, resource: null }));
  expect(without(labelled)).toEqual(without(readMetrics(PUSH)));
  // A client that names its service keeps the name.
  const named = withLabels(metricsData([{ name: "x" }], { "service.name": "till" }), labels);
  expect(readMetrics(named)[0]?.resource.get("service.name")).toBe("till");
});

/** A value that is a list in a list in a list … */
function nested(depth: number): Uint8Array {
  if (depth === 0) return new Uint8Array();
  const list = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(nested(depth - 1))
    .finish();
  return new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(list).finish();
}

function resourceOf(attribute: Uint8Array): Uint8Array {
  const wrap = (bytes: Uint8Array) =>
    new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(bytes).finish();
  return wrap(wrap(wrap(attribute)));
}

test("what is no metrics is refused, whatever it is", () => {
  const wrongType = new BinaryWriter().tag(1, WireType.Varint).int32(5).finish();
  const group = new BinaryWriter().tag(1, WireType.StartGroup).tag(1, WireType.EndGroup).finish();
  const badText = resourceOf(new Uint8Array([0x0a, 2, 0xc3, 0x28]));
  const deep = resourceOf(
    new BinaryWriter().tag(2, WireType.LengthDelimited).bytes(nested(50)).finish(),
  );
  const long = new Uint8Array([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]);
  const bad = [new Uint8Array([1, 2, 3]), wrongType, group, badText, deep, long, PUSH.slice(0, -1)];
  for (const bytes of bad) expect(() => readMetrics(bytes)).toThrow(MalformedError);
  const random = new SimRandom(3);
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = PUSH.slice(0, random.chance(50) ? random.below(PUSH.length) : PUSH.length);
    for (let flips = random.below(5); flips > 0 && bytes.length > 0; flips--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    try {
      readMetrics(bytes);
      // What is taken can be passed on.
      readMetrics(withLabels(bytes, { client_id: "x" }));
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedError);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(1000);
});

test("too many points are refused", () => {
  const many = metricsData(Array.from({ length: 50_001 }, () => ({ name: "x" })));
  expect(() => readMetrics(many)).toThrow("too many points");
});

test("pushes are unpacked, and bombs are not", () => {
  for (const name of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
    const compressionType = Compression[name];
    const metrics = name === "none" ? PUSH : bunCodecs[name]!.compress(PUSH);
    const read = readPush({ compressionType, metrics }, bunCodecs);
    expect(read).toMatchObject({ ok: true });
    if (name === "none") continue;
    const garbage = { compressionType, metrics: new Uint8Array([1, 2, 3, 4, 5]) };
    expect(readPush(garbage, bunCodecs)).toEqual({ ok: false, error: Errors.INVALID_RECORD });
    const bomb = bunCodecs[name]!.compress(new Uint8Array(5 * 1024 * 1024));
    expect(readPush({ compressionType, metrics: bomb }, bunCodecs)).toEqual({
      ok: false,
      error: Errors.TELEMETRY_TOO_LARGE,
    });
  }
});

test("the queue is bounded, and gives out requests of a size", () => {
  const queue = new PushQueue();
  const push = () => new Uint8Array(1024 * 1024);
  for (let count = 0; count < 20; count++) queue.add(push());
  expect(queue.dropped).toBe(4);
  expect(queue.take(10).length).toBe(1);
  expect(queue.take(3 * 1024 * 1024).length).toBe(3);
  queue.add(push());
  expect(queue.dropped).toBe(4);
});
