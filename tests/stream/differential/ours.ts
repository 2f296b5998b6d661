/** A case through our own engine. */
import { TopologyBuilder } from "../../../stream/dsl/builder.ts";
import type { GlobalTable } from "../../../stream/dsl/global-table.ts";
import type { GroupedStream } from "../../../stream/dsl/grouped-stream.ts";
import type { GroupedTable } from "../../../stream/dsl/grouped-table.ts";
import type { KStream } from "../../../stream/dsl/kstream.ts";
import type { KTable } from "../../../stream/dsl/ktable.ts";
import { string } from "../../../stream/serdes/basic-serdes.ts";
import { within } from "../../../stream/windows/join-windows.ts";
import { TestDriver } from "../../../stream/testing/test-driver.ts";
import type { Case, Step } from "./cases.ts";
import { added, holds, joined, keyOf, mapped, removed, several } from "./functions.ts";
import { processorStep } from "./processor-steps.ts";
import { windowStep, type WindowStepResult } from "./window-steps.ts";

type Text = string | null;
type Stream = KStream<Text, Text>;
type Table = KTable<Text, Text>;
type Grouped = GroupedStream<Text, Text>;
type Global = GlobalTable<Text, Text>;
type Made =
  | Stream
  | Table
  | Grouped
  | Global
  | GroupedTable<Text, Text>
  | WindowStepResult
  | Exclude<ReturnType<typeof processorStep>, "nothing" | null>;

/** All that was written, by topic: key and value in hex, and the time. */
export type Written = Readonly<Record<string, readonly (readonly [Text, Text, number | null])[]>>;

// Text without null is never given to a serde.
const text = string() as unknown as import("../../../stream/serdes/serde.ts").Serde<Text>;
const textual = { key: text, value: text };

/** Runs it. */
export function runOurs({ steps, inputs, joinEmitIntervalMs }: Case): Written {
  const builder = new TopologyBuilder();
  const made = new Map<string, Made>();
  const written = new Set<string>();
  for (const step of steps) addStep(builder, made, step);
  const driver = new TestDriver(builder.topology, { applicationId: "app", joinEmitIntervalMs });
  for (const { topic, key, value, timestampMs, waitMs = 0 } of inputs) {
    if (!driver.reads(topic)) continue;
    driver.input(topic, text, text).write(key, value, timestampMs);
    if (waitMs > 0) driver.advance(waitMs);
  }
  for (const topic of driver.writtenTopics()) written.add(topic);
  const hex = (bytes: Uint8Array | null) =>
    bytes === null ? null : Buffer.from(bytes).toString("hex");
  const all = [...written].sort().map((topic) => {
    const records = driver.readRaw(topic).map(({ key, value, timestampMs }) =>
      // Kafka's buffers log without a time, so that it is the producer's.
      [hex(key), hex(value), topic.endsWith("-Buffer-changelog") ? null : timestampMs] as const
    );
    return [topic, records] as const;
  });
  driver.close();
  return Object.fromEntries(all);
}

function joinOf(left: Stream, right: Made | undefined, step: Step): Stream {
  const { op, fn = "", keyFn = "", name = "", beforeMs = 0, afterMs = 0, graceMs = 0 } = step;
  const join = (one: Text, other: Text) => joined(fn, one, other);
  const keyFor = (value: Text, key: Text) => keyOf(keyFn, key, value);
  const windows = within({ beforeMs, afterMs, graceMs });
  const result = { result: text };
  const grace = step.graceMs === undefined ? {} : { graceMs };
  // Cases are made so that the other side is of the right kind.
  const [stream, table, global] = [right as Stream, right as Table, right as Global];
  switch (op) {
    case "streamJoin":
      return left.join(name, stream, windows, join, result);
    case "streamLeftJoin":
      return left.leftJoin(name, stream, windows, join, result);
    case "streamOuterJoin":
      return left.outerJoin(name, stream, windows, join, result);
    case "joinTable":
      return left.joinTable(table, join, { name, ...grace, ...result });
    case "leftJoinTable":
      return left.leftJoinTable(table, join, { name, ...grace, ...result });
    case "joinGlobal":
      return left.joinGlobal(global, keyFor, join, text);
    default:
      return left.leftJoinGlobal(global, keyFor, join, text);
  }
}

function addStep(
  builder: TopologyBuilder,
  made: Map<string, Made>,
  step: Step,
): void {
  const { op, id, fn = "", name = "", topic = "" } = step;
  // Cases are made so that each step is behind one of the right kind.
  const stream = () => made.get(step.of ?? "") as Stream;
  const groupedTable = () => made.get(step.of ?? "") as GroupedTable<Text, Text>;
  const table = () => made.get(step.of ?? "") as Table;
  const other = () => made.get(step.with ?? "") as Table;
  const history = {
    ...(step.historyMs !== undefined && { historyRetentionMs: step.historyMs }),
    ...(step.uncached === true && { cached: false }),
  };
  const kept = { value: text, ...history, ...(step.name !== undefined && { store: step.name }) };
  const grouped = () => made.get(step.of ?? "") as Grouped;
  switch (op) {
    case "stream":
      return void made.set(id, builder.stream<Text, Text>(topic, textual));
    case "streamSeveral":
      return void made.set(id, builder.stream<Text, Text>([topic, `${topic}-too`], textual));
    case "table":
      return void made.set(id, builder.table<Text, Text>(name, topic, { ...textual, ...history }));
    case "filter":
      return void made.set(id, stream().filter((value, key) => holds(fn, key, value)));
    case "filterNot":
      return void made.set(id, stream().filterNot((value, key) => holds(fn, key, value)));
    case "map":
      return void made.set(
        id,
        stream().map((value, key) => [keyOf(fn, key, value), value] as const, textual),
      );
    case "mapValues":
      return void made.set(id, stream().mapValues((value, key) => mapped(fn, key, value), text));
    case "flatMap":
      return void made.set(
        id,
        stream().flatMap<Text, Text>(
          (value) => several(fn, value).map((each) => [each, value] as const),
          textual,
        ),
      );
    case "flatMapValues":
      return void made.set(id, stream().flatMapValues<Text>((value) => several(fn, value), text));
    case "selectKey":
      return void made.set(id, stream().selectKey((value, key) => keyOf(fn, key, value), text));
    case "merge":
      return void made.set(id, stream().merge(made.get(step.with ?? "") as Stream));
    case "split": {
      const { yes, no } = stream().split({ yes: (value, key) => holds(fn, key, value) }, "no");
      made.set(`${id}.yes`, yes);
      return void made.set(`${id}.no`, no);
    }
    case "splitTwo": {
      const { yes, no } = stream().split({
        yes: (value, key) => holds(fn, key, value),
        no: (value, key) => holds(step.keyFn ?? "", key, value),
      });
      made.set(`${id}.yes`, yes);
      return void made.set(`${id}.no`, no);
    }
    case "repartition":
      return void made.set(id, stream().repartition(name));
    case "groupByKey":
      return void made.set(id, stream().groupByKey({ name }));
    case "groupBy":
      return void made.set(
        id,
        stream().groupBy(name, (value, key) => keyOf(fn, key, value), textual),
      );
    case "count":
      return void made.set(
        id,
        grouped().count(name).toStream().mapValues((count) => count?.toString() ?? null, text),
      );
    case "reduce":
      return void made.set(
        id,
        grouped().reduce(name, (all, value) => added(fn, all, value), history),
      );
    case "aggregate":
      return void made.set(
        id,
        grouped().aggregate<Text>(
          name,
          () => "",
          (all, value, key) => added(fn, all, `${key}${value}`),
          { value: text, ...history },
        ),
      );
    case "tableFilter":
      return void made.set(id, table().filter((value, key) => holds(fn, key, value), kept));
    case "tableFilterNot":
      return void made.set(id, table().filterNot((value, key) => holds(fn, key, value), kept));
    case "tableMapValues":
      return void made.set(
        id,
        table().mapValues<Text>((value, key) => mapped(fn, key, value), kept),
      );
    case "tableJoin":
      return void made.set(id, table().join(other(), (a, b) => joined(fn, a, b), kept));
    case "tableLeftJoin":
      return void made.set(id, table().leftJoin(other(), (a, b) => joined(fn, a, b), kept));
    case "tableOuterJoin":
      return void made.set(id, table().outerJoin(other(), (a, b) => joined(fn, a, b), kept));
    case "tableGroupBy":
      return void made.set(
        id,
        table().groupBy<Text, Text>(
          name,
          (value, key) => [keyOf(fn, key, value), value] as const,
          textual,
        ),
      );
    case "groupCount":
      return void made.set(
        id,
        groupedTable().count(name).toStream().mapValues((count) => count?.toString() ?? null, text),
      );
    case "groupReduce":
      return void made.set(
        id,
        groupedTable().reduce(
          name,
          (all, value) => added(fn, all, value),
          (all, value) => removed(fn, all, value),
          history,
        ),
      );
    case "groupAggregate":
      return void made.set(
        id,
        groupedTable().aggregate<Text>(
          name,
          () => "",
          (all, value, key) => added(fn, all, `${key}${value}`),
          (all, value, key) => removed(fn, all, `${key}${value}`),
          { value: text, ...history },
        ),
      );
    case "toStream":
      return void made.set(id, (made.get(step.of ?? "") as Table).toStream());
    case "to":
      return stream().to(topic);
    case "foreignJoin":
      return void made.set(
        id,
        table().joinForeign(
          id,
          other(),
          (value, key) => keyOf(step.keyFn ?? "", key, value),
          (a, b) => joined(fn, a, b),
          kept,
        ),
      );
    case "foreignLeftJoin":
      return void made.set(
        id,
        table().leftJoinForeign(
          id,
          other(),
          (value, key) => keyOf(step.keyFn ?? "", key, value),
          (a, b) => joined(fn, a, b),
          kept,
        ),
      );
    case "globalTable":
      return void made.set(id, builder.globalTable<Text, Text>(name, topic, textual));
    case "streamJoin":
    case "streamLeftJoin":
    case "streamOuterJoin":
    case "joinTable":
    case "leftJoinTable":
    case "joinGlobal":
    case "leftJoinGlobal":
      return void made.set(id, joinOf(stream(), made.get(step.with ?? ""), step));
    default: {
      const found = windowStep(step, made, text) ?? processorStep(step, builder, made, text);
      if (found === null) throw new Error(`there is no step "${op}"`);
      if (found !== "nothing") made.set(id, found);
      return;
    }
  }
}
