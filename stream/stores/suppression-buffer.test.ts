import { expect, test } from "bun:test";
import { string } from "../serdes/basic-serdes.ts";
import { RecordContext } from "../task/record-context.ts";
import { MemoryEngine } from "./memory-engine.ts";
import { SuppressionBuffer } from "./suppression-buffer.ts";

function open(engine = new MemoryEngine()) {
  const context = new RecordContext();
  const log: [Uint8Array, Uint8Array | null][] = [];
  const buffer = new SuppressionBuffer({
    ...{ engine, topic: "t", keySerde: string(), valueSerde: string(), context },
    onChange: (key, value) => void log.push([key.slice(), value?.slice() ?? null]),
  });
  return { buffer, context, log };
}

function released(buffer: SuppressionBuffer, untilMs: number) {
  const all: unknown[] = [];
  buffer.releaseWhile(
    () => buffer.firstMs <= untilMs,
    (key, change, { timestampMs, headers, origin }) => {
      all.push([key, change, timestampMs, headers, origin?.offset ?? null]);
    },
  );
  return all;
}

test("what is held back comes again from the changelog, in its order, with what the record was", () => {
  const { buffer, context, log } = open();
  const headers = [["h", Uint8Array.of(1)], ["none", null]] as const;
  const raw = { topic: "in", partition: 2, key: null, value: null, timestampMs: 7, headers: [] };
  context.now = { timestampMs: 7, headers, origin: { ...raw, offset: 5n } };
  buffer.put(20, "b", { newValue: "1", oldValue: "0" });
  buffer.put(10, "a", { newValue: null, oldValue: null });
  buffer.put(10, "c", { newValue: "x", oldValue: null });
  buffer.put(99, "b", { newValue: "2", oldValue: "1" });
  expect(buffer.priorOf("b")).toBe("0");
  buffer.flush();
  expect(released(buffer, 10).length).toBe(2);
  buffer.flush();
  const engine = new MemoryEngine();
  for (const [key, value] of log) engine.put(key, value);
  const again = open(engine).buffer;
  expect([again.firstMs, again.count, again.bytes]).toEqual([20, 1, buffer.bytes]);
  expect([again.priorOf("b"), again.priorOf("a")]).toEqual(["0", undefined]);
  const change = { newValue: "2", oldValue: "1" };
  expect(released(again, 20)).toEqual([["b", change, 7, headers.map((each) => [...each]), 5n]]);
  expect([again.count, again.bytes, again.firstMs]).toEqual([0, 0, Infinity]);
});
