/** Steps of windows through our own engine. */
import type { CogroupedStream } from "../../../stream/dsl/cogrouped-stream.ts";
import type { GroupedStream } from "../../../stream/dsl/grouped-stream.ts";
import type { GroupedTable } from "../../../stream/dsl/grouped-table.ts";
import type { KStream } from "../../../stream/dsl/kstream.ts";
import type { KTable } from "../../../stream/dsl/ktable.ts";
import {
  type Suppression,
  untilTimeLimit,
  untilWindowCloses,
} from "../../../stream/dsl/suppression.ts";
import type { Serde } from "../../../stream/serdes/serde.ts";
import { onWindowClose, onWindowUpdate } from "../../../stream/windows/emit-strategy.ts";
import { sessions } from "../../../stream/windows/session-windows.ts";
import { sliding } from "../../../stream/windows/sliding-windows.ts";
import { NO_END_MS, unlimited } from "../../../stream/windows/unlimited-windows.ts";
import { hopping } from "../../../stream/windows/time-windows.ts";
import type { Windowed } from "../../../stream/windows/windowed-key.ts";
import type { Step } from "./cases.ts";
import { added, holds, joined, mapped } from "./functions.ts";

type Text = string | null;
type WindowedTable = KTable<Windowed<Text>, Text>;
type Table = KTable<Text, Text>;
export type WindowStepResult =
  | WindowedTable
  | "nothing"
  | Table
  | KStream<Text, Text>
  | GroupedTable<Text, Text>;

const adder = (fn: string) => (all: Text, value: Text, key: Text) =>
  added(fn, all, `${key}${value}`);
const merger = (fn: string) => (one: Text, other: Text) => added(fn, one, other);

/** As Kafka has it where there is none. */
function endOf({ endMs }: Windowed<Text>["window"]): string {
  return endMs === NO_END_MS ? "9223372036854775807" : String(endMs);
}

/** What the step makes; null: it is none of windows. Cases are made so that steps before it fit. */
export function windowStep(
  step: Step,
  made: ReadonlyMap<string, unknown>,
  text: Serde<Text>,
): WindowStepResult | null {
  const { fn = "" } = step;
  const of = made.get(step.of ?? "");
  const kept = {
    value: text,
    ...(step.name !== undefined && { store: step.name }),
    ...(step.uncached === true && { cached: false }),
  };
  const [table, other] = [of as WindowedTable, made.get(step.with ?? "") as WindowedTable];
  const join = (one: Text, two: Text) => joined(fn, one, two);
  const textual = { key: text, value: text };
  switch (step.op) {
    case "windows":
      return windows(step, of as GroupedStream<Text, Text>, text);
    case "windowJoin":
      return table.join(other, join, kept);
    case "windowLeftJoin":
      return table.leftJoin(other, join, kept);
    case "windowOuterJoin":
      return table.outerJoin(other, join, kept);
    case "windowRegroup":
      return table.toStream().groupByKey().reduce(
        step.name ?? "",
        (all, value) => added(fn, all, value),
      );
    case "windowTo":
      table.toStream().to(step.topic ?? "");
      return "nothing";
    case "cogroup":
      return cogrouped(step, made).aggregate(step.name ?? "", () => "", {
        value: text,
        ...(step.uncached === true && { cached: false }),
      });
    case "cogroupWindows":
      return cogroupedWindows(step, cogrouped(step, made), text);
    case "windowFilter":
      return (of as WindowedTable).filter((value, { key }) => holds(fn, key, value), kept);
    case "windowMapValues":
      return (of as WindowedTable).mapValues((value, { key }) => mapped(fn, key, value), kept);
    case "windowGroupBy":
      return (of as WindowedTable).groupBy<Text, Text>(
        step.name ?? "",
        (value, { key }) => [key, value],
        textual,
      );
    case "windowSuppress":
      return (of as WindowedTable).suppress(`${step.name}-store`, suppression(step));
    case "suppress":
      return (of as Table).suppress(`${step.name}-store`, limit(step));
    case "windowText":
      return (of as WindowedTable).toStream().map<Text, Text>(
        (value, { key, window }) => [`${key}@${window.startMs}-${endOf(window)}`, value],
        textual,
      );
    default:
      return null;
  }
}

function windows(step: Step, group: GroupedStream<Text, Text>, text: Serde<Text>): WindowedTable {
  const { fn = "", name = "" } = step;
  const emit = step.closes === true ? onWindowClose({ intervalMs: 500 }) : onWindowUpdate();
  const reducer = (all: Text, value: Text) => added(fn, all, value);
  const counted = (table: KTable<Windowed<Text>, number>) =>
    table.mapValues<Text>((count) => String(count), { value: text });
  const least = step.windows === "session"
    ? 2 * (step.sizeMs ?? 0)
    : step.windows === "sliding"
    ? 2 * (step.sizeMs ?? 0)
    : step.sizeMs ?? 0;
  const kept = {
    ...(step.moreMs !== undefined && {
      retentionMs: least + (step.graceMs ?? 0) + 1 + step.moreMs,
    }),
    ...(step.uncached === true && { cached: false }),
  };
  const value = { value: text, ...kept };
  if (step.windows === "session") {
    const stream = group.windowedBy(sessionsOf(step)).emitStrategy(emit);
    if (step.by === "count") return counted(stream.count(name, kept));
    if (step.by === "reduce") return stream.reduce(name, reducer, kept);
    return stream.aggregate<Text>(name, () => "", adder(fn), merger(fn), value);
  }
  const stream = group.windowedBy(timesOf(step)).emitStrategy(emit);
  if (step.by === "count") return counted(stream.count(name, kept));
  if (step.by === "reduce") return stream.reduce(name, reducer, kept);
  return stream.aggregate<Text>(name, () => "", adder(fn), value);
}

function cogrouped(
  { groups = [], fn = "" }: Step,
  made: ReadonlyMap<string, unknown>,
): CogroupedStream<Text, Text> {
  const [first, ...others] = groups.map((id) => made.get(id) as GroupedStream<Text, Text>);
  let all = first!.cogroup<Text>(adder(fn));
  for (const [i, group] of others.entries()) {
    all = all.cogroup(group, (before, value) => added(fn, before, `${i}:${value}`));
  }
  return all;
}

function cogroupedWindows(
  step: Step,
  stream: CogroupedStream<Text, Text>,
  text: Serde<Text>,
): WindowedTable {
  const { name = "", fn = "" } = step;
  const value = { value: text };
  // As in Java: see `forDays` there.
  const retention = step.windows === "unlimited" ? {} : { retentionMs: 86_400_000 };
  return step.windows === "session"
    ? stream.windowedBy(sessionsOf(step)).aggregate(name, () => "", merger(fn), value)
    : stream.windowedBy(timesOf(step)).aggregate(name, () => "", { ...value, ...retention });
}

function sessionsOf({ sizeMs: gapMs = 1, graceMs = 0 }: Step) {
  return sessions({ gapMs, graceMs });
}

function timesOf({ windows, sizeMs = 1, advanceMs = 1, graceMs = 0 }: Step) {
  if (windows === "unlimited") return unlimited({ startMs: sizeMs });
  return windows === "sliding"
    ? sliding({ differenceMs: sizeMs, graceMs })
    : hopping({ sizeMs, advanceMs, graceMs });
}

function suppression(step: Step): Suppression<Windowed<Text>> {
  return step.limitMs === undefined ? untilWindowCloses(boundsOf(step)) : limit(step);
}

function limit(step: Step): Suppression<unknown> {
  const whenFull = step.isEager === true ? "emit" : "fail";
  return untilTimeLimit({ ms: step.limitMs ?? 0, whenFull, ...boundsOf(step) });
}

function boundsOf({ maxRecords, maxBytes }: Step) {
  return {
    ...(maxRecords !== undefined && { maxRecords }),
    ...(maxBytes !== undefined && { maxBytes }),
  };
}
