/**
 * A query as a topology of the DSL. Records go through it as rows (`Rows`): a list of the values of its
 * sources, so that joins only lengthen it.
 */
import { ExpressionError, type Span } from "../../core/expression/expression-error.ts";
import { murmur2 } from "../../core/murmur2.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import type { GroupedStream } from "../dsl/grouped-stream.ts";
import type { KStream } from "../dsl/kstream.ts";
import type { KTable } from "../dsl/ktable.ts";
import type { Topology } from "../topology/topology.ts";
import type { Serde } from "../serdes/serde.ts";
import { onWindowClose } from "../windows/emit-strategy.ts";
import { sessions } from "../windows/session-windows.ts";
import { sliding } from "../windows/sliding-windows.ts";
import { hopping, tumbling } from "../windows/time-windows.ts";
import type { Windowed } from "../windows/windowed-key.ts";
import { compileExpr, type Evaluate, type Names, type Row, sourceValue } from "./evaluate.ts";
import { type Added, Groups, type GroupState, isGrouped } from "./groups.ts";
import { keepFields, keptSources, neededFields } from "./needed-fields.ts";
import { joinedStream, joinedTable, streamOf, timedTable } from "./compile-joins.ts";
import { onceEach } from "./once-each.ts";
import { jsonOf, KEY, KEY_OR_NONE, ROW_JSON, rowOf, type Rows, ROWS_JSON } from "./rows.ts";
import type { Expr, Query, QueryWindow } from "./syntax.ts";
import { exactJsonText } from "./exact-json.ts";
import { toBoolean, toText } from "./values.ts";

/** A row of the result. */
export interface ResultRow {
  readonly key: ResultKey | null;
  /** Null: what was there of this key is no more. */
  readonly value: Readonly<Record<string, unknown>> | unknown;
  readonly timestampMs: number;
}

/** What a row of the result goes by: text, and of groups in windows the window as well. */
export interface ResultKey {
  readonly text: string;
  readonly window: { readonly startMs: number; readonly endMs: number } | null;
}

/** As late as records of windows may be where the query does not say, unless windows are given at their end. */
const GRACE_MS = 24 * 3_600_000;

/**
 * Where rows of the result go: to the topic of the query, or to whoever looks, while he does: then stores
 * are not logged, since nobody goes on with them.
 */
export type ResultSink = { readonly topic: string } | { readonly look: (row: ResultRow) => void };

/** Builds the topology. Throws `ExpressionError`. */
export function compileQuery(query: Query, sink: ResultSink): Topology {
  const builder = new TopologyBuilder();
  if ("topic" in sink) refuseLoop(query, sink.topic);
  const result = new QueryCompiler(query, builder).result();
  if ("topic" in sink) {
    result.to(sink.topic, {
      key: RESULT_KEY,
      value: ROW_JSON,
      partitioner: ({ key }, _topic, count) => partitionOf(key, count),
    });
  } else {
    result.foreach((value, key, { timestampMs }) => sink.look({ key, value, timestampMs }));
    const { stores } = builder.topology;
    for (const [name, spec] of stores) stores.set(name, { ...spec, isLogged: false });
  }
  return builder.topology;
}

/** What a query writes must not come back to it: but for a table that a stream looks up, that has no end. */
function refuseLoop({ text, from, joins }: Query, into: string): void {
  const read = [from, ...joins.map(({ source }) => source)];
  const again = read.find(({ topic, isTable }) => topic === into && !(isTable && !from.isTable));
  if (again === undefined) return;
  const why =
    `this is also written, and each row would be read again, without end: INTO another topic`;
  throw new ExpressionError(why, text, again.span);
}

/** How late records of a window may be. */
export function graceOf({ emits }: Query, { graceMs }: QueryWindow): number {
  return graceMs ?? (emits === "final" ? 0 : GRACE_MS);
}

/** A result's key in a topic: text, or JSON of text and window. */
export function resultKeyText({ text, window }: ResultKey): string {
  if (window === null) return text;
  return JSON.stringify({ key: text, windowstart: window.startMs, windowend: window.endMs });
}

type Result = KStream<ResultKey | null, unknown>;

class QueryCompiler {
  readonly #names: Names;

  constructor(private readonly query: Query, private readonly builder: TopologyBuilder) {
    const sources = [query.from, ...query.joins.map(({ source }) => source)];
    const aliases = sources.map(({ alias }) => alias);
    sources.forEach(({ alias, span }, at) => {
      if (aliases.indexOf(alias) < at) {
        this.#fail(`there are two "${alias}": name one of them`, span);
      }
    });
    this.#names = {
      ...{ text: query.text, aliases, kept: keptSources(query), isOfTables: query.from.isTable },
      windows: query.window === null ? "none" : "not yet",
    };
  }

  /** What names mean behind a group: its key and time, its window. */
  get #groupNames(): Names {
    const windows = this.query.window === null ? "none" : "known";
    return { ...this.#names, windows, kept: new Set(), isOfTables: false };
  }

  result(): Result {
    const { query } = this;
    if (query.from.isTable) return this.#tableResult();
    const { alias, topic } = query.from;
    // Without a join nothing but what is selected, or added up, goes through a topic.
    const keep = keepFields(query.joins.length === 0 ? null : neededFields(query, alias));
    let stream = streamOf(this.builder, topic, keep, this.#names.kept.has(0));
    query.joins.forEach((join, at) => {
      const keepJoined = keepFields(neededFields(query, join.source.alias));
      stream = joinedStream(this.builder, stream, join, at + 1, this.#names, keepJoined);
    });
    if (query.where !== null) {
      const holds = this.#expr(query.where);
      stream = stream.filter((rows, key, facts) =>
        toBoolean(holds(rowOf(rows, key, facts))) === true
      );
    }
    return isGrouped(query) ? this.#groupedResult(stream) : this.#selectedResult(stream);
  }

  /** Each record by itself. */
  #selectedResult(stream: KStream<string | null, Rows>): Result {
    const { query } = this;
    this.#refuseWindow("adds nothing up: it needs GROUP BY or an aggregate");
    const select = this.#selection();
    if (query.isDistinct) return this.#distinctResult(stream, select);
    const partitionBy = query.partitionBy === null ? null : this.#expr(query.partitionBy);
    return stream.map<ResultKey | null, unknown>((rows, key, facts) => {
      const row = rowOf(rows, key, facts);
      const text = partitionBy === null ? key : toText(partitionBy(row));
      return [text === null ? null : { text, window: null }, select(row)];
    }, { key: RESULT_KEY });
  }

  /** Each row the first time alone; its key is all of it. */
  #distinctResult(stream: KStream<string | null, Rows>, select: Evaluate): Result {
    this.#refusePartitionBy("what is DISTINCT goes by all that is selected");
    if (this.query.emits === "final") this.#fail("EMIT FINAL is of windows", this.#all);
    const rows = stream.map((given, key, facts): readonly [string | null, unknown] => {
      const row = select(rowOf(given, key, facts));
      return [exactJsonText(row), row];
    }, { key: KEY_OR_NONE, value: ROW_JSON });
    return onceEach(this.builder, rows.repartition("distinct"), "distinct-rows")
      .map<ResultKey | null, unknown>((row, key) => [{ text: key ?? "", window: null }, row], {
        key: RESULT_KEY,
      });
  }

  #groupedResult(stream: KStream<string | null, Rows>): Result {
    const { query } = this;
    this.#refusePartitionBy();
    this.#refuseDistinct("groups are there once anyway");
    const groups = new Groups(query, this.#names);
    const added = stream
      .map((rows, key, facts): readonly [string | null, Added] => {
        const of = groups.added(rowOf(rows, key, facts));
        return [groups.keyOf(of), of];
      }, { key: KEY_OR_NONE })
      .groupByKey({ name: "group", value: ADDED_JSON });
    if (query.window === null) {
      if (query.emits === "final") {
        return this.#fail("EMIT FINAL is of windows, which end: there is none", this.#all);
      }
      const table = added.aggregate(
        "aggregate",
        () => groups.begin(),
        (state, value) => groups.add(state, value),
        { value: STATE_JSON },
      );
      return this.#groupRows(table, groups, (text) => ({ text: text ?? "", window: null }));
    }
    const table = this.#windowedTable(added, groups, query.window);
    return this.#groupRows(table, groups, ({ key, window }) => ({ text: key ?? "", window }));
  }

  #windowedTable(
    added: GroupedStream<string | null, Added>,
    groups: Groups,
    window: QueryWindow,
  ): KTable<Windowed<string | null>, GroupState> {
    const isFinal = this.query.emits === "final";
    const graceMs = graceOf(this.query, window);
    const begin = () => groups.begin();
    const add = (state: GroupState, value: Added) => groups.add(state, value);
    if (window.kind === "session") {
      const windowed = added.windowedBy(sessions({ gapMs: window.gapMs, graceMs }));
      return (isFinal ? windowed.emitStrategy(onWindowClose()) : windowed)
        .aggregate("aggregate", begin, add, (one, other) => groups.merge(one, other), {
          value: STATE_JSON,
        });
    }
    const windows = window.kind === "sliding"
      ? sliding({ differenceMs: window.sizeMs, graceMs })
      : window.kind === "hopping"
      ? hopping({ sizeMs: window.sizeMs, advanceMs: window.advanceMs, graceMs })
      : tumbling({ sizeMs: window.sizeMs, graceMs });
    const windowed = added.windowedBy(windows);
    return (isFinal ? windowed.emitStrategy(onWindowClose()) : windowed)
      .aggregate("aggregate", begin, add, { value: STATE_JSON });
  }

  /** Rows of groups, from the table of what is kept of them. */
  #groupRows<K>(
    table: KTable<K, GroupState>,
    groups: Groups,
    keyOf: (key: K) => ResultKey,
  ): Result {
    const row = (state: GroupState, of: K, timeMs: number): Row => {
      const { text: key, window } = keyOf(of);
      return { values: [], key, window, timeMs, slots: groups.slots(state) };
    };
    const names = this.#groupNames;
    const having = groups.having === null ? null : compileExpr(groups.having, names);
    const kept = having === null
      ? table
      : table.filter((state, key) => toBoolean(having(row(state, key, -1))) === true);
    const columns = groups.columns.map(({ name, expr }) => {
      return [name, compileExpr(expr, names)] as const;
    });
    return kept.toStream().map<ResultKey | null, unknown>((state, key, { timestampMs }) => {
      const value = state === null ? null : selected(columns, row(state, key, timestampMs));
      return [keyOf(key), value];
    }, { key: RESULT_KEY });
  }

  #tableResult(): Result {
    const { query, builder } = this;
    this.#refuseWindow("is of streams: a table has only what is there now");
    this.#refusePartitionBy();
    if (query.emits === "final") this.#fail("EMIT FINAL is of windows", this.#all);
    this.#refuseDistinct("rows of a table are there once for each key: GROUP BY");
    const { from } = query;
    const read = builder.table<string, unknown>(from.alias, from.topic, {
      key: KEY,
      value: ROW_JSON,
    });
    const own = this.#names.kept.has(0) ? timedTable(read, from.alias) : read;
    let table = own.mapValues((value): Rows => [value], { value: ROWS_JSON });
    query.joins.forEach((join, at) => {
      table = joinedTable(builder, table, join, at + 1, this.#names);
    });
    if (query.where !== null) {
      const holds = this.#expr(query.where);
      table = table.filter((rows, key) => toBoolean(holds(rowOf(rows, key, null))) === true);
    }
    if (isGrouped(query)) return this.#groupedTable(table);
    const select = this.#selection();
    return table.toStream().map<ResultKey | null, unknown>((rows, key, facts) => {
      const value = rows === null ? null : select(rowOf(rows, key, facts));
      return [{ text: key, window: null }, value];
    }, { key: RESULT_KEY });
  }

  #groupedTable(table: KTable<string, Rows>): Result {
    const groups = new Groups(this.query, this.#names);
    groups.requireRemovable();
    const grouped = table.groupBy<string, Added>("group", (rows, key) => {
      const added = groups.added(rowOf(rows, key, null));
      return [groups.keyOf(added) ?? "", added];
    }, { key: KEY, value: ADDED_JSON });
    const kept = grouped.aggregate(
      "aggregate",
      () => groups.begin(),
      (state, value) => groups.add(state, value),
      (state, value) => groups.remove(state, value),
      { value: STATE_JSON },
    );
    return this.#groupRows(kept, groups, (text) => ({ text, window: null }));
  }

  /** What is selected of a row. */
  #selection(): Evaluate {
    const { selected: items } = this.query;
    const [only] = items;
    const { aliases, text } = this.#names;
    if (items.length === 1 && only?.kind === "all" && aliases.length === 1) {
      const whole = sourceValue(this.#names, 0);
      return ({ values }) => whole(values);
    }
    const columns = items.flatMap((item) => {
      return item.kind === "value" ? [[item.name, this.#expr(item.expr)] as const] : [];
    });
    if (columns.length === items.length) return (row) => selected(columns, row);
    const parts = items.map((item): (row: Row) => readonly Field[] => {
      if (item.kind === "value") {
        const expr = this.#expr(item.expr);
        return (row) => [[item.name, expr(row)]];
      }
      const which = item.source === null ? -1 : aliases.indexOf(item.source);
      if (item.source !== null && which < 0) {
        const known = aliases.join(", ");
        throw new ExpressionError(`there is no "${item.source}": ${known}`, text, item.span);
      }
      const sources = which < 0 ? aliases.map((_, at) => at) : [which];
      const whole = sources.map((at) => sourceValue(this.#names, at));
      return ({ values }) => whole.flatMap((valueOf) => fieldsOf(valueOf(values)));
    });
    return (row) => Object.fromEntries(parts.flatMap((part) => part(row)));
  }

  #expr(expr: Expr): Evaluate {
    return compileExpr(expr, this.#names);
  }

  get #all(): Span {
    return { start: 0, end: this.query.text.trimEnd().length };
  }

  #refuseWindow(why: string): void {
    const { window } = this.query;
    if (window !== null) this.#fail(`WINDOW ${why}`, window.span);
  }

  #refusePartitionBy(why = "the key is what is grouped by"): void {
    const { partitionBy } = this.query;
    if (partitionBy !== null) this.#fail(why, partitionBy.span);
  }

  #refuseDistinct(why: string): void {
    if (this.query.isDistinct) this.#fail(`no DISTINCT: ${why}`, this.#all);
  }

  #fail(message: string, span: Span): never {
    throw new ExpressionError(message, this.query.text, span);
  }
}

function selected(columns: readonly (readonly [string, Evaluate])[], row: Row): object {
  return Object.fromEntries(columns.map(([name, expr]) => [name, expr(row)]));
}

type Field = readonly [name: string, value: unknown];

/** Of what is no record there are none. */
function fieldsOf(value: unknown): readonly Field[] {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value)
    : [];
}

const ADDED_JSON = jsonOf<Added>();
const STATE_JSON = jsonOf<GroupState>();

const RESULT_KEY: Serde<ResultKey | null> = {
  serialize: (key) => Buffer.from(key === null ? "" : resultKeyText(key)),
  deserialize: (bytes) => ({ text: Buffer.from(bytes).toString(), window: null }),
};

/** Windows of a key are in one partition, that of the key alone. */
function partitionOf(key: ResultKey | null, count: number): number | null {
  if (key === null || key.window === null) return null;
  return (murmur2(Buffer.from(key.text)) & 0x7fffffff) % count;
}
