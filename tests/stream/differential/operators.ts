/** Which operators of Kafka Streams' DSL cases have, and which no case can have. */
import type { Case, Step } from "./cases.ts";

/** By Kafka's name: whether a step is such a one. */
const OPERATORS: Readonly<Record<string, (step: Step) => boolean>> = {
  "StreamsBuilder#stream": op("stream"),
  "StreamsBuilder#stream(Collection)": op("streamSeveral"),
  "StreamsBuilder#stream(Pattern)": op("streamPattern"),
  "StreamsBuilder#table": op("table"),
  "StreamsBuilder#globalTable": op("globalTable"),
  "StreamsBuilder#addStateStore": (step) => op("process", "processValues")(step) || isCounted(step),
  "StreamsBuilder#addGlobalStore": op("globalStore"),
  "KStream#filter": op("filter"),
  "KStream#filterNot": op("filterNot"),
  "KStream#map": op("map"),
  "KStream#mapValues": op("mapValues"),
  "KStream#flatMap": op("flatMap"),
  "KStream#flatMapValues": op("flatMapValues"),
  "KStream#selectKey": op("selectKey"),
  "KStream#peek": op("peek"),
  "KStream#process": op("process"),
  "KStream#process, punctuators of stream time": ({ ticks }) => ticks === true,
  "KStream#process, punctuators of the wall clock": ({ wallTicks }) => wallTicks === true,
  "KStream#processValues": op("processValues", "processGlobal"),
  "KStream#merge": op("merge"),
  "BranchedKStream#noDefaultBranch": op("splitTwo"),
  "KStream#split, branch, defaultBranch": op("split", "splitTwo"),
  "KStream#repartition": op("repartition"),
  "KStream#to": op("to"),
  "KStream#to(TopicNameExtractor)": op("toDynamic"),
  "KStream#toTable": op("toTable"),
  "KStream#groupBy": op("groupBy"),
  "KStream#groupByKey": op("groupByKey"),
  "KStream#join(KStream)": op("streamJoin"),
  "KStream#leftJoin(KStream)": op("streamLeftJoin"),
  "KStream#outerJoin": op("streamOuterJoin"),
  "KStream#join(KTable)": op("joinTable"),
  "KStream#leftJoin(KTable)": op("leftJoinTable"),
  "KStream#join(KTable), Joined#withGracePeriod": (step) =>
    op("joinTable", "leftJoinTable")(step) && step.graceMs !== undefined,
  "KStream#join(GlobalKTable)": op("joinGlobal"),
  "KStream#leftJoin(GlobalKTable)": op("leftJoinGlobal"),
  "KGroupedStream#count": op("count"),
  "KGroupedStream#reduce": op("reduce"),
  "KGroupedStream#aggregate": op("aggregate"),
  "CogroupedKStream#aggregate": op("cogroup"),
  "TimeWindowedKStream, TimeWindows": windows("time"),
  "TimeWindowedKStream, hopping": (step) => windows("time")(step) && step.advanceMs !== step.sizeMs,
  "TimeWindowedKStream, SlidingWindows": windows("sliding"),
  "TimeWindowedKStream, UnlimitedWindows": windows("unlimited"),
  SessionWindowedKStream: windows("session"),
  "windowed count": windowedBy("count"),
  "windowed reduce": windowedBy("reduce"),
  "windowed aggregate": windowedBy("aggregate"),
  "EmitStrategy#onWindowClose, time": closing("time"),
  "EmitStrategy#onWindowClose, sliding": closing("sliding"),
  "EmitStrategy#onWindowClose, session": closing("session"),
  "TimeWindowedCogroupedKStream#aggregate": (step) =>
    op("cogroupWindows")(step) && step.windows !== "session",
  "SessionWindowedCogroupedKStream#aggregate": (step) =>
    op("cogroupWindows")(step) && step.windows === "session",
  "KTable#filter": op("tableFilter", "windowFilter"),
  "KTable#filterNot": op("tableFilterNot"),
  "KTable#mapValues": op("tableMapValues", "windowMapValues"),
  "KTable#transformValues": op("tableTransformValues"),
  "KTable#transformValues, materialized": (step) =>
    op("tableTransformValues")(step) && step.name !== undefined,
  "KTable#toStream": op("toStream", "windowText", "windowTo", "windowRegroup"),
  "KTable#toStream(KeyValueMapper)": op("toStreamKeyed"),
  "KTable#suppress, untilTimeLimit": (step) => isHeld(step) && step.limitMs !== undefined,
  "KTable#suppress, untilWindowCloses": (step) => isHeld(step) && step.limitMs === undefined,
  "KTable#groupBy": op("tableGroupBy", "windowGroupBy"),
  "KTable#join(KTable)": op("tableJoin", "windowJoin"),
  "KTable#leftJoin(KTable)": op("tableLeftJoin", "windowLeftJoin"),
  "KTable#outerJoin(KTable)": op("tableOuterJoin", "windowOuterJoin"),
  "joins of tables of windows": op("windowJoin", "windowLeftJoin", "windowOuterJoin"),
  "KTable#join, with itself": (step) => op("tableJoin")(step) && step.of === step.with,
  "keys of windows in topics": op("windowTo"),
  "keys of windows, grouped again": op("windowRegroup"),
  "KTable#join, foreign key": op("foreignJoin"),
  "KTable#leftJoin, foreign key": op("foreignLeftJoin"),
  "KGroupedTable#count": op("groupCount"),
  "KGroupedTable#reduce": op("groupReduce"),
  "KGroupedTable#aggregate": op("groupAggregate"),
  "JoinWindows, below 0": ({ afterMs = 0, beforeMs = 0 }) => afterMs < 0 || beforeMs < 0,
  "Materialized#withCachingDisabled": ({ uncached }) => uncached === true,
  "Materialized#withRetention": ({ moreMs }) => moreMs !== undefined,
  "versioned stores": ({ historyMs }) => historyMs !== undefined,
};

/** What writes nothing, or nothing that one partition shows; tests beside the modules have it. */
export const NOT_COMPARED: Readonly<Record<string, string>> = {
  "KStream#foreach": "its records end there",
  "KStream#print": "it writes no topic",
  "Produced#withStreamPartitioner": "topics of the test driver have one partition",
  "KTable#queryableStoreName": "it is a name",
};

function op(...names: string[]): (step: Step) => boolean {
  return (step) => names.includes(step.op);
}

function windows(kind: string): (step: Step) => boolean {
  return (step) => step.windows === kind;
}

function windowedBy(by: string): (step: Step) => boolean {
  return (step) => step.op === "windows" && step.by === by;
}

function closing(kind: string): (step: Step) => boolean {
  return (step) => step.windows === kind && step.closes === true;
}

function isHeld(step: Step): boolean {
  return op("suppress", "windowSuppress")(step);
}

function isCounted({ op, fn, name }: Step): boolean {
  return op === "tableTransformValues" && fn === "counted" && name !== undefined;
}

/** In how many of the cases each operator is. */
export function operatorCounts(cases: readonly Case[]): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(OPERATORS).map(([name, isOne]) => {
      return [name, cases.filter(({ steps }) => steps.some(isOne)).length];
    }),
  );
}
