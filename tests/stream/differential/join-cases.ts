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
  switch (draw.below(4)) {
    case 0:
      return joinGlobal(draw, of);
    case 1:
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
  const afterMs = draw.below(150) + Math.max(0, -times.beforeMs);
  const name = `join-${draw.count}`;
  const fn = draw.pick(JOINERS);
  const op = draw.pick(STREAM_JOINS);
  draw.streams.push(draw.add(op, { of, with: other, name, fn, ...times, afterMs }));
  draw.waits();
}

function joinTable(draw: CaseDraw, of: string): void {
  if (draw.tables.length === 0) return joinStreams(draw, of);
  const table = draw.pick(draw.tables);
  if (draw.isRace(of, table)) return joinStreams(draw, of);
  const name = `join-${draw.count}`;
  const fn = draw.pick(JOINERS);
  draw.streams.push(draw.add(draw.pick(TABLE_JOINS), { of, with: table, name, fn }));
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
