/** Draws windows of all kinds, what is added up in them, and what holds changes back. */
import type { CaseDraw, Step } from "./cases.ts";

const ADDERS = ["concat", "last", "null-if-b"];
const JOINERS = ["both", "left", "null-if-b"];
const MAPPERS = ["upper", "null-if-b"];
const PREDICATES = ["long", "has-b"];
const WINDOWS = ["time", "time", "sliding", "sliding", "session", "session", "unlimited"];
const AGGREGATES = ["count", "reduce", "aggregate"];

type Rest = Omit<Step, "op" | "id">;

/** Adds up a group in windows; one case in three only once they are closed. */
export function drawWindows(draw: CaseDraw, of: string): void {
  const times = drawTimes(draw);
  const closes = times.windows !== "unlimited" && draw.below(3) === 0;
  if (closes) draw.waits();
  // Stream time may go far, so that windows are let go of.
  else draw.leaps();
  const more = closes || draw.below(3) > 0 ? {} : { moreMs: draw.below(2000) };
  const rest = { ...times, ...more, of, fn: drawAdder(draw, times), name: `store-${draw.count}` };
  const by = draw.pick(AGGREGATES);
  draw.windowed.push(draw.add("windows", { ...rest, by, ...(closes && { closes }) }));
}

/** Adds up two groups together, or three, in windows or not. */
export function drawCogroup(draw: CaseDraw, groups: readonly string[]): void {
  const rest = { groups, fn: draw.pick(ADDERS), name: `store-${draw.count}` };
  if (draw.below(2) === 0) {
    draw.tables.push(draw.add("cogroup", rest));
  } else {
    draw.leaps();
    // Kafka's tables of such windows do not know how their keys are written.
    const times = drawTimes(draw);
    const of = draw.add("cogroupWindows", { ...rest, ...times, fn: drawAdder(draw, times) });
    draw.rekeyed(draw.add("windowText", { of }));
  }
}

/** A step behind a table of windows: at the end its records are made a stream of text keys. */
export function drawWindowed(draw: CaseDraw): void {
  const of = draw.pick(draw.windowed);
  const name = `kept-${draw.count}`;
  const kept = draw.below(2) === 0 ? { name } : {};
  if (draw.windowed.length > 1 && draw.below(3) === 0) return drawWindowJoin(draw, of);
  switch (draw.below(8)) {
    case 6:
      return void draw.add("windowTo", { of, topic: `windows-${draw.count}` });
    case 7:
      return void draw.windowed.push(
        draw.add("windowRegroup", { of, name: `store-${draw.count}`, fn: draw.pick(ADDERS) }),
      );
    case 0:
      return void draw.windowed.push(
        draw.add("windowFilter", { of, fn: draw.pick(PREDICATES), ...kept }),
      );
    case 1:
      return void draw.windowed.push(
        draw.add("windowMapValues", { of, fn: draw.pick(MAPPERS), ...kept }),
      );
    case 2:
      return suppressWindows(draw, of, name);
    case 3: {
      const id = draw.add("windowGroupBy", { of, name });
      const op = draw.pick(["groupReduce", "groupAggregate"]);
      const rest = { of: id, name: `store-${draw.count + 1}`, fn: draw.pick(ADDERS) };
      return void draw.tables.push(draw.add(op, rest));
    }
    default:
      return draw.rekeyed(draw.add("windowText", { of }));
  }
}

function suppressWindows(draw: CaseDraw, of: string, name: string): void {
  draw.windowed.push(draw.add("windowSuppress", { of, name, ...drawBounds(draw) }));
}

/** Two tables of windows; what comes of it is kept where both write their keys alike. */
function drawWindowJoin(draw: CaseDraw, of: string): void {
  const other = draw.pick(draw.windowed);
  if (draw.isRace(of, other)) return;
  const isAlike = draw.kindOfWindows(of) === draw.kindOfWindows(other);
  const kept = isAlike && draw.below(2) === 0 ? { name: `kept-${draw.count}` } : {};
  const op = draw.pick(["windowJoin", "windowLeftJoin", "windowOuterJoin"]);
  draw.windowed.push(draw.add(op, { of, with: other, fn: draw.pick(JOINERS), ...kept }));
}

/** Holds back what changes in a table. */
export function drawSuppress(draw: CaseDraw, of: string): void {
  const bounds = { ...drawBounds(draw), limitMs: draw.below(200) };
  const name = `held-${draw.count}`;
  draw.tables.push(draw.add("suppress", { of, name, ...bounds }));
}

/** Without a limit in time rows are held until their windows close. */
function drawBounds(draw: CaseDraw): Rest {
  const limitMs = draw.below(2) === 0 ? {} : { limitMs: draw.below(200) };
  const isBounded = draw.below(2) === 0;
  if (!isBounded) return limitMs;
  const bound = draw.below(2) === 0
    ? { maxRecords: 1 + draw.below(4) }
    : { maxBytes: 40 + draw.below(200) };
  const isEager = "limitMs" in limitMs && draw.below(6) > 0;
  return { ...limitMs, ...bound, ...(isEager && { isEager }) };
}

/** Kafka fails where a sliding window is taken away by its aggregate. */
function drawAdder(draw: CaseDraw, { windows }: Rest): string {
  return draw.pick(windows === "sliding" ? ADDERS.slice(0, 2) : ADDERS);
}

function drawTimes(draw: CaseDraw): Rest {
  const windows = draw.pick(WINDOWS);
  // Those are never closed.
  if (windows === "unlimited") return { windows, sizeMs: draw.below(2) * (1000 + draw.below(600)) };
  const graceMs = draw.below(3) * draw.below(100);
  if (windows === "session") return { windows, sizeMs: 1 + draw.below(80), graceMs };
  if (windows === "sliding") {
    return { windows, sizeMs: draw.below(8) === 0 ? 1500 : 1 + draw.below(120), graceMs };
  }
  const sizeMs = 1 + draw.below(300);
  const advanceMs = draw.below(2) === 0 ? sizeMs : Math.min(sizeMs, 20 + draw.below(sizeMs));
  return { windows, sizeMs, advanceMs, graceMs };
}
