/** Steps and stores of an application's own. */
import { expect, test } from "bun:test";
import { partitionOfKey } from "../../core/murmur2.ts";
import type { Processor, ProcessorContext } from "../processor.ts";
import type { ValueTransformer } from "../processors/value-transformer.ts";
import { json, safeLong, string } from "../serdes/basic-serdes.ts";
import type { KeyValueStore } from "../stores/key-value-store.ts";
import type { WindowStore } from "../stores/window-store.ts";
import { TestDriver } from "../testing/test-driver.ts";
import { onWindowClose } from "../windows/emit-strategy.ts";
import { sessions } from "../windows/session-windows.ts";
import { tumbling } from "../windows/time-windows.ts";
import { NO_END_MS, unlimited } from "../windows/unlimited-windows.ts";
import { TopologyBuilder } from "./builder.ts";

const text = { value: string() };

test("transformers have stores and times, give nothing on, and are closed, those of look-ups too", () => {
  const builder = new TopologyBuilder();
  const seen = builder.addStateStore("seen", { kind: "key-value", key: string(), ...safeNumbers });
  let [open, contexts] = [0, 0];
  const counting = (): ValueTransformer<string, string, string> => {
    let store: KeyValueStore<string, number>;
    return {
      init(context) {
        open++;
        contexts++;
        store = context.store(seen);
        // @ts-expect-error: it gives nothing on.
        expect(() => context.forward({})).toThrow("gives nothing on but what it returns");
      },
      transform(value, key, { timestampMs }) {
        if (value === null) return `no ${key}`;
        store.put(key, (store.get(key) ?? 0) + 1);
        return `${value}${store.get(key)}@${timestampMs}`;
      },
      close: () => void open--,
    };
  };
  const table = builder.table<string, string>("table", "in", text);
  const made = table.transformValues(counting, { stores: [seen], ...text });
  // @ts-expect-error: its values are texts.
  table.transformValues((): ValueTransformer<string, number, string> => ({ transform: () => "" }));
  const other = builder.table<string, string>("other", "in-2", text);
  const both = other.leftJoin(made, (one, two) => `${one}|${two}`, text);
  made.toStream().to("out");
  both.toStream().to("joined");
  const driver = new TestDriver(builder.topology);
  expect([open, contexts]).toEqual([2, 2]);
  const input = driver.input("in", string(), string());
  input.writeAll([["a", "x", 5], ["a", null, 6]]);
  expect(driver.output("out", string(), string()).readValues()).toEqual(["x1@5", "no a"]);
  driver.input("in-2", string(), string()).write("a", "y", 7);
  expect(driver.output("joined", string(), string()).readValues()).toEqual(["y|no a"]);
  input.write("a", "z", 8);
  driver.close();
  expect(open).toBe(0);
});

const safeNumbers = { value: safeLong() };

test("stores are of the type that their handle has; others cannot be asked for", () => {
  const builder = new TopologyBuilder();
  const counts = builder.addStateStore("counts", {
    ...{ kind: "window", sizeMs: 10, retentionMs: 60_000, key: string(), ...safeNumbers },
  });
  const asked = (context: ProcessorContext) => {
    const store: WindowStore<string, number> = context.store(counts);
    // @ts-expect-error: it is one of windows.
    const wrong: KeyValueStore<string, number> = context.store(counts);
    // @ts-expect-error: by its name alone nothing is known of it.
    const unknown: WindowStore<string, number> = context.store("counts");
    return [store, wrong, unknown];
  };
  const source = builder.stream<string, string>("in", text);
  let stores: unknown[] = [];
  source.processValues<string>(
    () => ({ init: (context) => void (stores = asked(context)), process: () => {} }),
    { stores: [counts] },
  );
  new TestDriver(builder.topology).close();
  expect(new Set(stores).size).toBe(1);
  const spec = { kind: "key-value", key: string(), ...safeNumbers } as const;
  expect(() => builder.addStateStore("counts", spec)).toThrow("two stores");
  expect(() => builder.addStateStore("short", { ...spec, ttlMs: 0 })).toThrow("ttlMs");
  expect(() => builder.addStateStore("kept", { ...spec, ttlMs: 5, cached: true })).toThrow(
    "is not cached",
  );
  // @ts-expect-error: windows go by their retention.
  builder.addStateStore("windows", { ...spec, kind: "window", ttlMs: 5 });
});

test("entries with a time to live are gone from the store of a processor", () => {
  const builder = new TopologyBuilder();
  const seen = builder.addStateStore("seen", {
    ...{ kind: "key-value", key: string(), value: json<boolean>(), ttlMs: 1000 },
  });
  builder.stream<string, string>("in", text).processValues<string>(() => {
    let process: (record: { key: string; value: string; timestampMs: number }) => void;
    return {
      init(context) {
        const store = context.store(seen);
        process = (record) => {
          if (store.putIfAbsent(record.key, true) === null) {
            context.forward({ ...record, headers: [] });
          }
        };
      },
      process: (record) => process(record),
    };
  }, { stores: [seen], ...text }).to("firsts");
  const driver = new TestDriver(builder.topology);
  driver.input("in", string(), string()).writeAll([
    ["a", "1", 0],
    ["a", "2", 999],
    ["a", "3", 1000],
    ["b", "4", 400],
    ["b", "5", 1999],
    ["b", "6", 2000],
  ]);
  expect(driver.output("firsts", string(), string()).readValues()).toEqual(["1", "3", "4", "6"]);
  expect(driver.keyValues<string, boolean>("seen").approximateCount).toBe(2);
});

test("a global store is filled by a processor, read by all, written by none of them", () => {
  const builder = new TopologyBuilder();
  const spec = { kind: "key-value", key: string(), ...safeNumbers } as const;
  const sizes = builder.addGlobalStore("sizes", spec, "words", () => {
    let store: KeyValueStore<string, number>;
    return {
      init: (context) => void (store = context.store(sizes)),
      process: ({ key, value }) => store.put(key, value.length),
    };
  }, text);
  // @ts-expect-error: its topic is its log.
  expect(() => builder.addGlobalStore("more", { ...spec, logged: true }, "words", () => ({})))
    .toThrow("is read twice");
  builder.stream<string, string>("in", text).processValues<number>(() => {
    let size: (key: string) => number;
    return {
      init(context) {
        size = (key) => context.store(sizes).get(key) ?? -1;
        this.process = (record) => context.forward({ ...record, value: size(record.value) });
      },
      process: () => {},
    };
  }).to("out");
  const driver = new TestDriver(builder.topology);
  const words = driver.input("words", string(), string());
  words.write("w", "four");
  driver.input("in", string(), string()).writeAll([["a", "w"], ["a", "v"]]);
  expect(driver.output("out", string(), json<number>()).readValues()).toEqual([4, -1]);
  expect([...driver.keyValues<string, number>("sizes").range(null, null)]).toEqual([["w", 4]]);
  expect(driver.writtenTopics()).toEqual([]);
});

test("windows without an end have all records from their beginning on, and are never closed", () => {
  const builder = new TopologyBuilder();
  const grouped = builder.stream<string, string>("in", text).groupByKey();
  const windowed = grouped.windowedBy(unlimited({ startMs: 100 }));
  windowed.count("counts", { retentionMs: 5 }).toStream()
    .map((_, { key, window }) => [key, window.endMs], { key: string() }).to("ends");
  expect(() => windowed.emitStrategy(onWindowClose()).count("closed")).toThrow("never closed");
  expect(() => unlimited({ startMs: -1 })).toThrow("startMs");
  const driver = new TestDriver(builder.topology);
  const input = driver.input("in", string(), string());
  input.writeAll([["a", "x", 99], ["a", "x", 100], ["a", "x", 1e12], ["a", "x", 100]]);
  const window = { startMs: 100, endMs: NO_END_MS };
  expect(driver.windows<string, number>("counts")).toEqual([[{ key: "a", window }, 3]]);
  expect(driver.output("ends", string(), json()).readValues()).toEqual(Array(3).fill(NO_END_MS));
});

test("all windows of a key are written to the partition of the key", () => {
  const builder = new TopologyBuilder();
  const grouped = builder.stream<string, string>("in", text).groupByKey();
  grouped.windowedBy(tumbling({ sizeMs: 10 })).count("windows").toStream().to("out");
  grouped.windowedBy(sessions({ gapMs: 10 })).count("sessions").toStream().to("out-2");
  grouped.windowedBy(tumbling({ sizeMs: 10 })).count("more").toStream().repartition("whole");
  const driver = new TestDriver(builder.topology, { applicationId: "app" });
  const input = driver.input("in", string(), string());
  for (let i = 0; i < 60; i++) input.write(`key-${i % 6}`, "x", i * 100);
  for (const topic of ["out", "out-2"]) {
    const records = driver.readRaw(topic);
    expect(records.length).toBe(60);
    for (const { key, partition } of records) {
      const own = new TextEncoder().encode(new TextDecoder().decode(key!.subarray(0, 5)));
      const expected = partitionOfKey(7, own, 0, own.length);
      expect(typeof partition === "function" ? partition(7) : partition).toBe(expected);
    }
  }
  // Behind a repartition it is all of the key.
  expect(driver.readRaw("app-whole-repartition").every(({ partition }) => partition === null))
    .toBe(true);
});

test("what a processor gives on needs neither headers nor, for keys of the same type, a serde", () => {
  const builder = new TopologyBuilder();
  const sums = builder.addStateStore("sums", { kind: "key-value", key: string(), ...safeNumbers });
  const summing = (): Processor<string, number, string, number> => {
    let store: KeyValueStore<string, number>;
    return {
      init(context) {
        store = context.store(sums);
        context.schedule(1000, "wall-clock-time", (timestampMs) => {
          for (const [key, value] of store.all()) context.forward({ key, value, timestampMs });
        });
      },
      process: ({ key, value }) => store.put(key, (store.get(key) ?? 0) + value),
    };
  };
  const made = builder.stream<string, number>("in", safeNumbers)
    .process(summing, { stores: [sums], ...safeNumbers });
  made.to("out");
  const renaming = (): Processor<string, number, number, number> => ({ process: () => {} });
  const other = builder.stream<string, number>("other");
  // @ts-expect-error: keys of another type have a serde.
  other.process(renaming);
  const driver = new TestDriver(builder);
  driver.input("in", string(), safeLong()).writeAll([["b", 1], ["a", 2], ["b", 3]]);
  driver.advance(1000);
  expect(driver.output("out", string(), safeLong()).readPairs()).toEqual([["a", 2], ["b", 4]]);
  expect([...driver.keyValues("sums").all()].length).toBe(2);
  driver.close();
});
