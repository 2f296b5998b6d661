/** Steps of an application's own through our engine: processors, transformers, global stores, patterns. */
import type { StoreHandle, TopologyBuilder } from "../../../stream/index.ts";
import type { KStream } from "../../../stream/dsl/kstream.ts";
import type { KTable } from "../../../stream/dsl/ktable.ts";
import type { ValueTransformer } from "../../../stream/processors/value-transformer.ts";
import type { Processor, PunctuationType } from "../../../stream/processor.ts";
import type { Serde } from "../../../stream/serdes/serde.ts";
import type { KeyValueStore } from "../../../stream/stores/key-value-store.ts";
import type { Step } from "./cases.ts";
import { keyOf, mapped } from "./functions.ts";

type Text = string | null;
type Values = KeyValueStore<Text, Text>;
type Handle = StoreHandle<Values>;

const EVERY_MS = 100;

/** What the step makes, "nothing" where that is so; null: it is none of these. */
export function processorStep(
  step: Step,
  builder: TopologyBuilder,
  made: ReadonlyMap<string, unknown>,
  text: Serde<Text>,
): KStream<Text, Text> | KTable<Text, Text> | Handle | "nothing" | null {
  const { op, fn = "", name = "", topic = "", id, historyMs } = step;
  const textual = { key: text, value: text };
  const history = {
    ...(historyMs !== undefined && { historyRetentionMs: historyMs }),
    ...(step.uncached === true && { cached: false }),
  };
  // Cases are made so that steps before it fit.
  const stream = made.get(step.of ?? "") as KStream<Text, Text>;
  const table = made.get(step.of ?? "") as KTable<Text, Text>;
  const seen = () => builder.addStateStore(`${id}-seen`, { kind: "key-value", ...textual });
  switch (op) {
    case "process": {
      const store = seen();
      const ticks = step.ticks === true
        ? "stream-time"
        : step.wallTicks === true
        ? "wall-clock-time"
        : null;
      return stream.process(() => counting(store, fn, ticks), { ...textual, stores: [store] });
    }
    case "processValues": {
      const store = seen();
      return stream.processValues(() => countingValues(store), { value: text, stores: [store] });
    }
    case "globalStore": {
      const spec = { kind: "key-value", ...textual } as const;
      const fill = () => filling({ name: `${id}-global` });
      return builder.addGlobalStore(`${id}-global`, spec, topic, fill, textual);
    }
    case "processGlobal": {
      const store = made.get(step.with ?? "") as Handle;
      return stream.processValues(() => looking(store, fn), { value: text });
    }
    case "peek":
      return stream.peek(() => {});
    case "toTable":
      // A table has no null.
      return stream.toTable(`${name}`, { name, ...history }) as KTable<Text, Text>;
    case "toDynamic":
      stream.to(({ key, value }) => `dynamic-${keyOf("first", key, value)}`);
      return "nothing";
    case "toStreamKeyed":
      return table.toStream().selectKey((value, key) => keyOf(fn, key, value), text);
    case "streamPattern":
      return builder.stream<Text, Text>(new RegExp(`${topic}-.*`), textual);
    case "tableTransformValues": {
      const kept = step.name === undefined ? {} : { store: name, ...history };
      const isCounted = fn === "counted" && step.name !== undefined;
      const store = isCounted ? seen() : null;
      const stores = store === null ? [] : [store];
      return table.transformValues<Text>(
        () => transforming(fn, store),
        { value: text, ...kept, stores },
      );
    }
    default:
      return null;
  }
}

function countOf(seen: Values, key: Text): string {
  const now = String(Number(seen.get(key) ?? 0) + 1);
  seen.put(key, now);
  return now;
}

function counting(
  store: Handle,
  fn: string,
  ticks: PunctuationType | null,
): Processor<Text, Text, Text, Text> {
  let count: (key: Text) => string;
  let forward: Parameters<NonNullable<Processor<Text, Text, Text, Text>["init"]>>[0]["forward"];
  return {
    init(context) {
      const seen = context.store(store);
      count = (key) => countOf(seen, key);
      forward = (record) => context.forward(record);
      if (ticks === null) return;
      context.schedule(EVERY_MS, ticks, (timestampMs) => {
        for (const [key, value] of seen.range(null, null)) {
          forward({ key, value: `=${value}`, timestampMs, headers: [] });
        }
      });
    },
    process(record) {
      const { key, value } = record;
      if (key === null) return;
      const counted = `${value}#${count(key)}`;
      forward({ ...record, key: keyOf(fn, key, value), value: counted });
    },
  };
}

function countingValues(store: Handle): Processor<Text, Text, Text, Text> {
  let process: (record: Parameters<Processor<Text, Text>["process"]>[0]) => void;
  return {
    init(context) {
      process = (record) => {
        const { key, value } = record;
        if (key === null) return;
        context.forward({ ...record, value: `${value}#${countOf(context.store(store), key)}` });
      };
    },
    process: (record) => process(record),
  };
}

function filling(store: Handle): Processor<Text, Text, never, never> {
  let values: Values;
  return {
    init: (context) => void (values = context.store(store)),
    process({ key, value }) {
      if (key !== null) values.put(key, `${values.get(key) ?? ""}${value}`);
    },
  };
}

function looking(store: Handle, fn: string): Processor<Text, Text, Text, Text> {
  let process: (record: Parameters<Processor<Text, Text>["process"]>[0]) => void;
  return {
    init(context) {
      process = (record) => {
        const key = keyOf(fn, record.key, record.value);
        const found = key === null ? null : context.store(store).get(key);
        context.forward({ ...record, value: `${record.value}~${found}` });
      };
    },
    process: (record) => process(record),
  };
}

function transforming(fn: string, store: Handle | null): ValueTransformer<Text, Text, Text> {
  let seen: Values | null = null;
  return {
    init: (context) => void (seen = store === null ? null : context.store(store)),
    transform(value, key, { timestampMs }) {
      switch (fn) {
        case "timed":
          return value === null ? null : `${value}@${timestampMs}`;
        case "counted":
          return value === null || seen === null ? value : `${value}#${countOf(seen, key)}`;
        default:
          return mapped(fn, key, value);
      }
    },
  };
}
