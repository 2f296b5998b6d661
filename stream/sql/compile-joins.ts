/** Joins of a query: which keys its sources are brought together by. */
import { ExpressionError, type Span } from "../../core/expression/expression-error.ts";
import type { TopologyBuilder } from "../dsl/builder.ts";
import type { KStream } from "../dsl/kstream.ts";
import type { KTable } from "../dsl/ktable.ts";
import type { RecordFacts } from "../record.ts";
import { within } from "../windows/join-windows.ts";
import { compileExpr, type Evaluate, type Names } from "./evaluate.ts";
import { KEY, KEY_OR_NONE, ROW_JSON, rowOf, type Rows, ROWS_JSON } from "./rows.ts";
import type { Expr, Join } from "./syntax.ts";
import { toText } from "./values.ts";

/** What is equal: something of the sources before, and something of the one that is joined. */
interface Condition {
  readonly left: Side;
  readonly right: Side;
}

interface Side {
  readonly evaluate: Evaluate;
  /** It is the key of the record, so nothing has to move. */
  readonly isKey: boolean;
  readonly span: Span;
}

/** A topic as rows of one source; `isKept`: with their keys and times. */
export function streamOf(
  builder: TopologyBuilder,
  topic: string,
  keep: (value: unknown) => unknown,
  isKept: boolean,
): KStream<string | null, Rows> {
  return builder.stream<string | null, unknown>(topic, { key: KEY_OR_NONE, value: ROW_JSON })
    .filter((value) => value !== null)
    .mapValues((value, key, { timestampMs }): Rows => {
      return isKept ? [[keep(value), key, timestampMs]] : [keep(value)];
    }, ROWS_JSON);
}

/** A stream joined with the source `at`: another stream, of whose records `keep` is kept, or a table. */
export function joinedStream(
  builder: TopologyBuilder,
  stream: KStream<string | null, Rows>,
  join: Join,
  at: number,
  names: Names,
  keep: (value: unknown) => unknown,
): KStream<string | null, Rows> {
  const { source, kind } = join;
  const { left, right } = conditionOf(join, at, names);
  const name = `join-${source.alias}`;
  const keyed = left.isKey && at === 1 ? stream : stream.selectKey(
    (rows, key, facts) => toText(left.evaluate(rowOf(rows, key, facts))),
    KEY_OR_NONE,
  );
  if (source.isTable) {
    if (join.within !== null) {
      throw new ExpressionError("WITHIN is for two streams", names.text, join.within.span);
    }
    if (kind === "full" || kind === "right") {
      throw new ExpressionError(
        "a stream and a table are joined INNER or LEFT",
        names.text,
        source.span,
      );
    }
    requireKey(right, source.alias, names);
    const read = builder.table<string | null, unknown>(source.alias, source.topic, {
      ...{ key: KEY_OR_NONE, value: ROW_JSON },
    });
    const table = names.kept.has(at) ? timedTable(read, null) : read;
    const options = { name, value: ROWS_JSON, result: ROWS_JSON };
    return kind === "left"
      ? keyed.leftJoinTable(table, (rows, value): Rows => [...rows, value ?? null], options)
      : keyed.joinTable(table, (rows, value): Rows => [...rows, value], options);
  }
  if (join.within === null) {
    throw new ExpressionError(
      `two streams are joined WITHIN a time (JOIN ${source.topic} WITHIN 10 minutes ON …); ` +
        `or is this a table: JOIN TABLE(${source.topic})?`,
      names.text,
      source.span,
    );
  }
  const { beforeMs, afterMs } = join.within;
  const graceMs = join.within.graceMs ?? 0;
  const windows = within({ beforeMs, afterMs, graceMs });
  const plain = streamOf(builder, source.topic, keep, names.kept.has(at));
  const other = right.isKey ? plain : plain.selectKey(
    (rows, key, facts) => toText(right.evaluate(rowOf(withGap(rows, at), key, facts))),
    KEY_OR_NONE,
  );
  // A side that found none is null: as many nulls as it has sources.
  const joiner = (one: Rows | null, two: Rows | null): Rows => {
    return [...(one ?? Array<null>(at).fill(null)), ...(two ?? [null])];
  };
  const serdes = { value: ROWS_JSON, other: ROWS_JSON, result: ROWS_JSON };
  if (kind === "inner") return keyed.join(name, other, windows, joiner, serdes);
  if (kind === "left") return keyed.leftJoin(name, other, windows, joiner, serdes);
  if (kind === "right") {
    const turned = within({ beforeMs: afterMs, afterMs: beforeMs, graceMs });
    return other.leftJoin(name, keyed, turned, (two, one) => joiner(one, two), serdes);
  }
  return keyed.outerJoin(name, other, windows, joiner, serdes);
}

/** A table joined with another one, by the keys of both. */
export function joinedTable(
  builder: TopologyBuilder,
  table: KTable<string, Rows>,
  join: Join,
  at: number,
  names: Names,
): KTable<string, Rows> {
  const { source, kind } = join;
  if (!source.isTable) {
    throw new ExpressionError(
      `a table is joined with a table: JOIN TABLE(${source.topic}); or begin with the stream`,
      names.text,
      source.span,
    );
  }
  const { left, right } = conditionOf(join, at, names);
  requireKey(right, source.alias, names);
  requireKey(left, "the table", names);
  const read = builder.table<string, unknown>(source.alias, source.topic, {
    ...{ key: KEY, value: ROW_JSON },
  });
  const other = names.kept.has(at) ? timedTable(read, source.alias) : read;
  const joiner = (rows: Rows | null, value: unknown): Rows => {
    return [...(rows ?? Array<null>(at).fill(null)), value ?? null];
  };
  const kept = { value: ROWS_JSON };
  if (kind === "inner") return table.join(other, joiner, kept);
  if (kind === "right") return other.leftJoin(table, (value, rows) => joiner(rows, value), kept);
  return kind === "left"
    ? table.leftJoin(other, joiner, kept)
    : table.outerJoin(other, joiner, kept);
}

/**
 * A table whose values come with their keys and times (`KeptRow`). `name`: it is kept, since changes have to
 * tell the time of before as well; null: it is only looked up.
 */
export function timedTable<K extends string | null>(
  table: KTable<K, unknown>,
  name: string | null,
): KTable<K, unknown> {
  const transform = (value: unknown, key: K, { timestampMs }: RecordFacts): unknown =>
    value === null ? null : [value, key, timestampMs];
  const kept = name === null ? {} : { store: `${name}-timed` };
  return table.transformValues(() => ({ transform }), { value: ROW_JSON, ...kept });
}

function requireKey(side: Side, what: string, { text }: Names): void {
  if (side.isKey) return;
  throw new ExpressionError(`${what} is joined by its rowkey`, text, side.span);
}

/** `a.x = b.y`, where one side is of the source that is joined and the other of those before. */
function conditionOf({ on, source }: Join, at: number, names: Names): Condition {
  if (on.kind !== "binary" || on.operator !== "=") {
    throw new ExpressionError(
      `ON says what is equal: ON ${names.aliases[0]}.x = ${source.alias}.y; the rest is for WHERE`,
      names.text,
      on.span,
    );
  }
  const [one, two] = [sourcesOf(on.left, names), sourcesOf(on.right, names)];
  const isBefore = (of: ReadonlySet<number>) => of.size > 0 && [...of].every((each) => each < at);
  const isJoined = (of: ReadonlySet<number>) => of.size === 1 && of.has(at);
  if (isBefore(one) && isJoined(two)) return { left: side(on.left), right: side(on.right) };
  if (isJoined(one) && isBefore(two)) return { left: side(on.right), right: side(on.left) };
  throw new ExpressionError(
    `one side is of "${source.alias}", and the other of what is before it`,
    names.text,
    on.span,
  );

  function side(expr: Expr): Side {
    const isKey = expr.kind === "path" && expr.names.length === 2 &&
      expr.names[1]!.toLowerCase() === "rowkey";
    return { evaluate: compileExpr(expr, names), isKey, span: expr.span };
  }
}

/** The sources whose names are in an expression. */
function sourcesOf(expr: Expr, names: Names): Set<number> {
  const found = new Set<number>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if (
      "kind" in value && value.kind === "path" && "names" in value && Array.isArray(value.names)
    ) {
      const [first] = value.names;
      const at = names.aliases.indexOf(String(first));
      if (at >= 0) found.add(at);
      return;
    }
    for (const part of Object.values(value)) visit(part);
  };
  visit(expr);
  return found;
}

/** The rows of a source alone, where those of all of the query would have it. */
function withGap(rows: Rows, at: number): Rows {
  return [...Array<null>(at).fill(null), ...rows];
}
