/** What a query does, in lines for people: what `EXPLAIN` says before the topology. */
import type { Topology } from "../topology/topology.ts";
import { graceOf } from "./compile.ts";
import { isGrouped } from "./groups.ts";
import type { Expr, Join, Query, QueryWindow, Source } from "./syntax.ts";

/** A line of an explanation: `groups  by country`. */
export type ExplainedLine = readonly [verb: string, what: string];

/** See the head of the file. `applicationId` stands before the names of topics that the query makes. */
export function explainQuery(
  query: Query,
  topology: Topology,
  applicationId: string,
): ExplainedLine[] {
  const textOf = ({ span }: Expr) => query.text.slice(span.start, span.end).replaceAll(/\s+/g, " ");
  const lines: ExplainedLine[] = [["reads", sourceText(query.from)]];
  for (const join of query.joins) lines.push(["joins", joinText(join, textOf(join.on))]);
  if (query.where !== null) lines.push(["keeps", textOf(query.where)]);
  if (isGrouped(query)) {
    const by = query.groupBy.length === 0
      ? "all together"
      : `by ${query.groupBy.map(textOf).join(", ")}`;
    lines.push([
      "groups",
      query.window === null ? by : `${by}, in ${windowText(query, query.window)}`,
    ]);
    if (query.having !== null) lines.push(["keeps", `groups with ${textOf(query.having)}`]);
  }
  lines.push([
    "gives",
    query.selected.map((item) => {
      if (item.kind === "all") return item.source === null ? "*" : `${item.source}.*`;
      const text = textOf(item.expr);
      return text === item.name ? text : `${text} as ${item.name}`;
    }).join(", "),
  ]);
  if (query.isDistinct) lines.push(["keeps", "of rows that are the same the first"]);
  if (query.partitionBy !== null) lines.push(["keys", textOf(query.partitionBy)]);
  lines.push(["writes", query.into ?? "nothing: rows are shown"]);
  const made = [
    ...topology.repartitionTopics.keys(),
    ...[...topology.stores.values()].filter(({ isLogged }) => isLogged)
      .map(({ name }) => `${name}-changelog`),
  ].map((name) => `${applicationId}-${name}`);
  if (made.length > 0) lines.push(["makes", made.join(", ")]);
  return lines;
}

function sourceText({ topic, alias, isTable }: Source): string {
  const kind = isTable ? "table: the last value of each key" : "stream";
  return `${topic}${alias === topic ? "" : ` as ${alias}`} (${kind})`;
}

function joinText({ kind, source, within }: Join, on: string): string {
  const time = within === null
    ? ""
    : `, ${durationText(within.beforeMs)} before to ${durationText(within.afterMs)} after`;
  return `${sourceText(source)}, ${kind}, on ${on}${time}`;
}

function windowText(query: Query, window: QueryWindow): string {
  const graceMs = graceOf(query, window);
  const late = graceMs === 0 ? "left out" : `taken for ${durationText(graceMs)}`;
  const grace = `; late ones are ${late}`;
  const when = query.emits === "final" ? "; given when they are over" : "; each change is given";
  switch (window.kind) {
    case "tumbling":
      return `windows of ${durationText(window.sizeMs)}${grace}${when}`;
    case "hopping": {
      const every = durationText(window.advanceMs);
      return `windows of ${durationText(window.sizeMs)} every ${every}${grace}${when}`;
    }
    case "sliding":
      return `windows that slide, of ${durationText(window.sizeMs)}${grace}${when}`;
    case "session":
      return `sessions that end after ${durationText(window.gapMs)} of silence${grace}${when}`;
  }
}

const UNITS = [[604_800_000, "week"], [86_400_000, "day"], [3_600_000, "hour"]] as const;
const SMALL = [[60_000, "minute"], [1000, "second"], [1, "millisecond"]] as const;

/** `90 seconds`: the largest unit that it is a whole number of. */
function durationText(ms: number): string {
  const [unitMs, unit] = [...UNITS, ...SMALL].find(([each]) => ms > 0 && ms % each === 0) ??
    [1, "millisecond"];
  const count = ms / unitMs;
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
