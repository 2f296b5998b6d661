import { expect, test } from "bun:test";
import { defineSink, defineSource, int, RetriableError, string } from "../index.ts";
import { runSink, runSource, sinkRecords, startSink, startSource, VirtualClock } from "./index.ts";

const counter = defineSource({
  name: "counter",
  doc: "Counts.",
  version: "1.0.0",
  config: { topic: string(), "interval.ms": int().default(60_000) },
  async *read({ config, clock, offsets, signal }) {
    const last = await offsets.get({ counter: "only" });
    for (let n = Number(last?.["n"] ?? 0); !signal.aborted; n++) {
      yield [{
        topic: config.topic,
        value: { n },
        sourcePartition: { counter: "only" },
        sourceOffset: { n: n + 1 },
      }];
      await clock.sleep(config["interval.ms"], signal);
    }
  },
});

test("a source begins again where it was committed, in virtual time", async () => {
  const clock = new VirtualClock();
  const from = clock.wallMs();
  const first = await runSource(counter, { topic: "t" }, { until: 3, clock });
  expect(first.values()).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
  expect(clock.wallMs() - from).toBe(120_000);
  const { offsets } = first;
  const second = startSource(counter, { topic: "t" }, { clock, offsets });
  await second.take(3);
  await second.commit(1);
  await second.stop();
  const third = await runSource(counter, { topic: "t" }, { until: 1, clock, offsets });
  expect(third.values()).toEqual([{ n: 4 }]);
});

test("a source that does not end when it is told is found", async () => {
  const deaf = defineSource({
    name: "deaf",
    doc: "Waits.",
    version: "1.0.0",
    config: {},
    async *read() {
      yield [];
      await new Promise(() => {});
    },
  });
  const run = startSource(deaf, {}, { timeoutMs: 50 });
  await run.next();
  await expect(run.next()).rejects.toThrow("waited 50 ms for a batch");
  await expect(run.stop()).rejects.toThrow("the source to end");
});

test("offsets that are no JSON, and keys that are no fields, are refused", async () => {
  expect(() => startSource(counter, { topic: "t", pace: "1" })).toThrow('"pace" is no field');
  const big = defineSource({
    name: "big",
    doc: "Has an offset that cannot be stored.",
    version: "1.0.0",
    config: {},
    async *read() {
      const sourceOffset = JSON.parse("{}") as Record<string, number>;
      sourceOffset["at"] = NaN;
      yield [{ topic: "t", value: 1, sourcePartition: { a: 1 }, sourceOffset }];
      await Promise.resolve();
    },
  });
  await expect(runSource(big, {}, { until: 1 })).rejects.toThrow('"at" is none');
});

test("a sink is tried again, skips what it has, and loses what a crash loses", async () => {
  const stored: unknown[] = [];
  let failures = 2;
  const sink = defineSink({
    name: "shelf",
    doc: "Keeps pairs.",
    version: "1.0.0",
    config: {},
    open(context) {
      let held: unknown[] = [];
      return {
        assigned: () => Promise.resolve([{ topic: "test", partition: 0, offset: 1n }]),
        async write(records) {
          if (failures-- > 0) throw new RetriableError("not now");
          for (const record of records) {
            if (record.value === "bad") await context.reject(record, new Error("bad"));
            else held.push(record.value);
          }
        },
        flush(taken) {
          stored.push(...held);
          held = [];
          return Promise.resolve(taken);
        },
      };
    },
  });
  const clock = new VirtualClock();
  const run = await startSink(sink, {}, { clock });
  await run.write(sinkRecords(["had", "new", "bad"]));
  await expect(run.retries).toBe(2);
  await expect(run.rejected.map(({ error }) => error.message)).toEqual(["bad"]);
  await run.flush();
  await expect(run.committed()).toEqual({ "test-0": 3n });
  await run.write(sinkRecords(["lost"], { first: 3 }));
  await run.crash();
  expect(stored).toEqual(["new"]);
  const again = await runSink(sink, {}, sinkRecords(["kept"], { first: 3 }), { clock });
  expect(again.committed()).toEqual({ "test-0": 4n });
  expect(stored).toEqual(["new", "kept"]);
});
