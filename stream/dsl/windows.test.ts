import { expect, test } from "bun:test";
import type { Processor } from "../processor.ts";
import { json, safeLong, string } from "../serdes/basic-serdes.ts";
import type { KeyValueStore } from "../stores/key-value-store.ts";
import type { SessionStore } from "../stores/session-store.ts";
import type { WindowStore } from "../stores/window-store.ts";
import { TestDriver } from "../testing/test-driver.ts";
import { onWindowClose } from "../windows/emit-strategy.ts";
import { sessions } from "../windows/session-windows.ts";
import { sliding } from "../windows/sliding-windows.ts";
import { tumbling } from "../windows/time-windows.ts";
import { sessionWindowed, timeWindowed } from "../windows/windowed-key.ts";
import { TopologyBuilder } from "./builder.ts";
import { untilTimeLimit, untilWindowCloses } from "./suppression.ts";

const MINUTE = 60_000;

function clicks(builder: TopologyBuilder) {
  return builder.stream<string, string>("clicks", { value: string() }).groupByKey();
}

test("what closes while stream time goes far is given on, whatever the interval and the windows", () => {
  for (const kind of ["tumbling", "sliding", "sessions"] as const) {
    const builder = new TopologyBuilder();
    const grouped = clicks(builder);
    const emit = onWindowClose({ intervalMs: 3600 * 1000 });
    const counts = kind === "sessions"
      ? grouped.windowedBy(sessions({ gapMs: 10 })).emitStrategy(emit).count("counts")
      : grouped.windowedBy(
        kind === "sliding" ? sliding({ differenceMs: 10 }) : tumbling({ sizeMs: 10 }),
      )
        .emitStrategy(emit).count("counts");
    counts.toStream().to("out");
    const driver = new TestDriver(builder.topology);
    const input = driver.input("clicks", string(), string());
    for (const minute of [1, 2, 9, 100, 200]) input.write("a", "x", minute * MINUTE);
    const keys = kind === "sessions" ? sessionWindowed(string()) : timeWindowed(string(), 10);
    const times = driver.read("out", keys, safeLong()).map(({ timestampMs }) => timestampMs);
    // The last one but one closes with the last.
    expect([kind, times.map((ms) => ms / MINUTE)]).toEqual([kind, [1, 2, 9, 100]]);
  }
});

test("window and session stores are asked for keys and times, forwards and backwards", () => {
  const builder = new TopologyBuilder();
  const grouped = clicks(builder);
  grouped.windowedBy(tumbling({ sizeMs: 10 })).count("windows", { retentionMs: MINUTE });
  grouped.windowedBy(sessions({ gapMs: 10 })).count("sessions", { retentionMs: MINUTE });
  const driver = new TestDriver(builder.topology);
  const input = driver.input("clicks", string(), string());
  for (const [key, ms] of [["a", 5], ["aa", 7], ["b", 7], ["a", 25], ["a", 38]] as const) {
    input.write(key, "x", ms);
  }
  const windows = driver.store("windows") as WindowStore<string, { readonly value: number }>;
  const starts = (
    found: Iterable<readonly [{ key: string; window: { startMs: number } }, unknown]>,
  ) => Array.from(found, ([{ key, window }]) => `${key}${window.startMs}`);
  expect(windows.fetch("a", 20)?.value).toBe(1);
  expect(windows.fetch("a", 10)).toBeNull();
  expect(starts(windows.fetchBetween("a", 0, 25))).toEqual(["a0", "a20"]);
  expect(starts(windows.fetchBetween("a", 0, 99, { isReversed: true }))).toEqual([
    "a30",
    "a20",
    "a0",
  ]);
  expect(starts(windows.fetchKeys("aa", null, 0, 99))).toEqual(["aa0", "b0"]);
  expect(new Set(starts(windows.fetchAll(0, 20)))).toEqual(new Set(["a0", "a20", "aa0", "b0"]));
  const held = driver.store("sessions") as SessionStore<string, number>;
  expect(starts(held.fetchSessions("a"))).toEqual(["a5", "a25", "a38"]);
  expect(starts(held.findSessions("a", 25, 30))).toEqual(["a25"]);
  expect(held.fetchSession("a", 25, 25)).toBe(1);
  // Windows older than the retention are not there any more, nor are segments of such.
  input.write("b", "x", 10 * MINUTE);
  expect(starts(windows.fetchAll())).toEqual([`b${10 * MINUTE}`]);
  expect(starts(held.fetchSessions("a"))).toEqual([]);
});

test("a full buffer fails; only tables of windows are held back until those close", () => {
  const build = (maxRecords: number) => {
    const builder = new TopologyBuilder();
    clicks(builder).windowedBy(tumbling({ sizeMs: 10 })).count("counts")
      .suppress("held", untilWindowCloses({ maxRecords })).toStream().to("out");
    return builder;
  };
  const driver = new TestDriver(build(2).topology, { applicationId: "app" });
  const input = driver.input("clicks", string(), string());
  input.write("a", "x", 1);
  input.write("b", "x", 2);
  const [first] = driver.readRaw("app-held-changelog");
  expect(first?.headers).toEqual([["v", Uint8Array.of(3)]]);
  expect(() => input.write("c", "x", 3)).toThrow("it has 3 of 2 records");
  const builder = new TopologyBuilder();
  const table = builder.table<string, string>("t", "in");
  // @ts-expect-error: the keys of this table are of no windows
  expect(() => table.suppress("held", untilWindowCloses())).toThrow("not of windows");
  table.suppress("fine", untilTimeLimit({ ms: 5 }));
});

test("windows that are grouped again are held back by the grace of those before them", () => {
  const builder = new TopologyBuilder();
  clicks(builder).windowedBy(tumbling({ sizeMs: 10, graceMs: 5 })).count("counts").toStream()
    .groupByKey().reduce("highest", (one, other) => Math.max(one ?? 0, other ?? 0))
    .suppress("held", untilWindowCloses()).toStream().to("out");
  const driver = new TestDriver(builder.topology, { applicationId: "app" });
  const input = driver.input("clicks", string(), string());
  for (const timestampMs of [1, 3, 14]) input.write("a", "x", timestampMs);
  expect(driver.readRaw("out")).toEqual([]);
  input.write("a", "x", 15);
  expect(driver.readRaw("out").length).toBe(1);
});

test("processors have stores, punctuators, headers and where a record was read", () => {
  const builder = new TopologyBuilder();
  builder.addStateStore("seen", { kind: "key-value", key: string(), value: safeLong() });
  const counting = (): Processor<string, string, string, number> => {
    let give: (key: string, value: number) => void = () => {};
    let seen!: KeyValueStore<string, number>;
    let offset = "";
    return {
      init(context) {
        seen = context.store("seen") as KeyValueStore<string, number>;
        give = (key, value) =>
          context.forward({
            key: `${key}${offset}`,
            value,
            timestampMs: 1,
            headers: [["h", null]],
          });
        context.schedule(100, "wall-clock-time", () => {
          for (const [key, count] of seen.range(null, null)) give(`${key}!`, count);
        });
      },
      process({ key, value }) {
        offset = value;
        seen.put(key, (seen.get(key) ?? 0) + 1);
        give(key, seen.get(key)!);
      },
    };
  };
  const source = builder.stream<string, string>("in", { value: string() });
  const counted = source.process(counting, {
    stores: ["seen"],
    key: string(),
    value: json<number>(),
  });
  counted.to("out");
  expect(() => counted.toTable("table")).toThrow('toTable("table", { name: … })');
  counted.toTable("table", { name: "by-key" }).toStream().to("table-out");
  source.processValues<number>(() => {
    let forward: (record: { key: string; value: number }) => void = () => {};
    return {
      init: (context) => {
        forward = (record) => context.forward({ ...record, timestampMs: 1, headers: [] });
      },
      process: ({ key, value }) => forward({ key: value === "bad" ? "other" : key, value: 1 }),
    };
  });
  const driver = new TestDriver(builder.topology, { applicationId: "app" });
  const input = driver.input("in", string(), string());
  input.write("a", "x", 1);
  input.write("a", "y", 1);
  driver.advance(100);
  const out = driver.read("out", string(), json());
  expect(out.map(({ key, value }) => [key, value])).toEqual([["ax", 1], ["ay", 2], ["a!y", 2]]);
  expect(out[0]?.headers).toEqual([["h", null]]);
  expect(driver.read("table-out", string(), json()).length).toBe(3);
  expect(driver.read("app-seen-changelog", string(), safeLong()).at(-1)?.value).toBe(2);
  expect(() => input.write("a", "bad", 1)).toThrow("gives on the key of the record");
});
