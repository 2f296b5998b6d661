/** Random joins, for `cases.ts`. */
import type { CaseDraw } from "./cases.ts";

const JOINERS = ["both", "left", "null-if-b"];
const STREAM_JOINS = ["streamJoin", "streamLeftJoin", "streamOuterJoin"];
const TABLE_JOINS = ["joinTable", "leftJoinTable"];
const GLOBAL_JOINS = ["joinGlobal", "leftJoinGlobal"];
const GLOBAL_KEYS = ["first", "same", "value"];

/** Adds a join to a case that has a stream. */
export function drawJoin(draw: CaseDraw): void {
  const of = draw.pick(draw.streams);
  switch (draw.below(7)) {
    case 0:
      return joinGlobal(draw, of);
    case 2:
    case 3:
      return joinForeign(draw);
    case 1:
    case 4:
      return joinTable(draw, of);
    default:
      return joinStreams(draw, of);
  }
}

function joinStreams(draw: CaseDraw, of: string): void {
  const other = draw.pick(draw.streams);
  if (draw.isRace(of, other)) return;
  const times = {
    beforeMs: draw.below(150) - draw.below(2) * draw.below(60),
    graceMs: draw.below(3) * draw.below(60),
  };
  const least = -times.beforeMs;
  // Below 0 the other record is at least so much older.
  const isPast = least < 0 && draw.below(4) === 0;
  const afterMs = isPast ? least + draw.below(-least + 1) : draw.below(150) + Math.max(0, least);
  const name = `join-${draw.count}`;
  const fn = draw.pick(JOINERS);
  const op = draw.pick(STREAM_JOINS);
  draw.streams.push(draw.add(op, { of, with: other, name, fn, ...times, afterMs }));
  draw.waits();
}

function joinTable(draw: CaseDraw, of: string): void {
  if (draw.tables.length === 0) return joinStreams(draw, of);
  const versioned = draw.tables.filter((table) => draw.historyMsOf(table) !== null);
  const isVersioned = versioned.length > 0 && draw.below(2) === 0;
  const table = draw.pick(isVersioned ? versioned : draw.tables);
  if (draw.isRace(of, table)) return joinStreams(draw, of);
  const fn = draw.pick(JOINERS);
  const historyMs = draw.historyMsOf(table);
  // Kafka's buffer fails with a record that has no key.
  const left = historyMs === null ? of : draw.behind("filter", of, { fn: "keyed" });
  const grace = historyMs === null ? {} : { graceMs: draw.below(historyMs + 1) };
  const name = `join-${draw.count}`;
  draw.streams.push(
    draw.add(draw.pick(TABLE_JOINS), { of: left, with: table, name, fn, ...grace }),
  );
}

function joinForeign(draw: CaseDraw): void {
  // Answers come through a topic: if others come so too, those of the same time may be first or last.
  const still = draw.tables.filter((table) => !draw.isMoved(table));
  const one = still.length > 0 ? draw.pick(still) : tableOf(draw, "left");
  const apart = still.filter((table) => !draw.shareInput(one, table));
  const two = apart.length > 0 ? draw.pick(apart) : tableOf(draw, "right");
  const [of, other] = draw.below(2) === 0 ? [one, two] : [two, one];
  const isKept = draw.below(2) === 0;
  const fn = draw.pick(JOINERS);
  const join = { of, with: other, fn, keyFn: draw.pick(GLOBAL_KEYS) };
  const op = draw.pick(["foreignJoin", "foreignLeftJoin"]);
  if (isKept) draw.tables.push(draw.add(op, { ...join, name: `kept-${draw.count}` }));
  else draw.streams.push(draw.add("toStream", { of: draw.add(op, join) }));
}

function tableOf(draw: CaseDraw, side: string): string {
  const topic = `${side}-${draw.count}`;
  draw.inputs.push(topic);
  const table = draw.add("table", { topic, name: `table-of-${topic}` });
  draw.tables.push(table);
  return table;
}

function joinGlobal(draw: CaseDraw, of: string): void {
  let [table] = draw.globals;
  if (table === undefined) {
    const topic = `global-${draw.count}`;
    table = draw.add("globalTable", { topic, name: `table-of-${topic}` });
    draw.globals.push(table);
    draw.inputs.push(topic);
  }
  const fn = draw.pick(JOINERS);
  const keyFn = draw.pick(GLOBAL_KEYS);
  draw.behind(draw.pick(GLOBAL_JOINS), of, { with: table, fn, keyFn });
}
