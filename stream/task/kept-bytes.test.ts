/** What waits in stores holds nothing of what was fetched: a few bytes of it would keep megabytes. */
import { expect, test } from "bun:test";
import { TopologyBuilder } from "../dsl/builder.ts";
import type { RawRecord } from "../record.ts";
import { safeLong, string } from "../serdes/basic-serdes.ts";
import { CacheBudget } from "../stores/cache-budget.ts";
import { keyValueStore } from "../stores/key-value-store.ts";
import { MemoryEngine } from "../stores/memory-engine.ts";
import { openStoreOf } from "../stores/open-store.ts";
import { SuppressionBuffer } from "../stores/suppression-buffer.ts";
import { subtopologiesOf } from "../topology/subtopologies.ts";
import { RecordContext, type RecordMoment } from "./record-context.ts";
import { Task, type TaskWorld } from "./task.ts";

const FETCHED = new Uint8Array(1_000_000);
const part = () => FETCHED.subarray(5, 8);

function taskOf(keepsRead: boolean): Task {
  const builder = new TopologyBuilder();
  builder.stream("in", { value: string() }).groupByKey().count("counts");
  const budget = new CacheBudget(1e6);
  const nothing = () => {};
  const world: TaskWorld = {
    ...{ keepsRead, output: { send: nothing }, wallMs: () => 0, internalTopic: (name) => name },
    openStore: (spec, onChange, context) =>
      openStoreOf(spec, { engine: new MemoryEngine(), topic: "t", onChange, context, budget }),
    ...{ requestCommit: nothing, dropped: nothing, unreadable: nothing, failed: nothing },
    unwritable: nothing,
  };
  return new Task(builder.topology, subtopologiesOf(builder.topology)[0]!, 0, world);
}

for (const keepsRead of [false, true]) {
  test(`a task that ${keepsRead ? "wants" : "does not want"} what was read of what is put off`, () => {
    const task = taskOf(keepsRead);
    const raws = [0, 1, 2].map((at): RawRecord => ({
      ...{ topic: "in", partition: 0, offset: BigInt(at), timestampMs: at, headers: [] },
      ...{ key: part(), value: part() },
    }));
    task.add("in", raws);
    while (task.process());
    expect(raws.map(({ key, value }) => [key !== null, value !== null])).toEqual(
      raws.map(() => [keepsRead, keepsRead]),
    );
    task.close();
  });
}

const NOW: RecordMoment = {
  timestampMs: 1,
  headers: [["h", part()], ["none", null]],
  origin: {
    ...{ topic: "in", partition: 0, offset: 7n, timestampMs: 1, key: part(), value: part() },
    headers: [["read", part()]],
  },
};

function isOwn([, value]: RecordMoment["headers"][number]): boolean {
  return value === null || value.buffer.byteLength === value.length;
}

test("headers of a change in a cache are its own", () => {
  const context = new RecordContext();
  const store = keyValueStore<string, number>({
    ...{ engine: new MemoryEngine(), topic: "t", keySerde: string(), valueSerde: safeLong() },
    ...{ onChange: null, cache: { context, budget: new CacheBudget(1e6) } },
  });
  const moments: RecordMoment[] = [];
  store.onFlush(({ moment }) => void moments.push(moment), () => false);
  context.at(NOW, () => store.put("a", 1));
  store.flush();
  expect(moments).toEqual([NOW]);
  expect([...moments[0]!.headers, ...moments[0]!.origin!.headers].every(isOwn)).toBe(true);
});

test("headers of a change that is held back are its own, and the rest is where it was read", () => {
  const context = new RecordContext();
  const buffer = new SuppressionBuffer({
    ...{ engine: new MemoryEngine(), topic: "t", keySerde: string(), valueSerde: safeLong() },
    ...{ onChange: null, context },
  });
  context.at(NOW, () => buffer.put(1, "a", { oldValue: null, newValue: 1 }));
  const moments: RecordMoment[] = [];
  buffer.releaseWhile(() => buffer.count > 0, (_key, _change, moment) => void moments.push(moment));
  expect(moments).toEqual([{ ...NOW, origin: { ...NOW.origin!, key: null, value: null } }]);
  expect([...moments[0]!.headers, ...moments[0]!.origin!.headers].every(isOwn)).toBe(true);
});
