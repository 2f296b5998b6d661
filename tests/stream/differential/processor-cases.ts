/** Draws steps of an application's own: processors, transformers, global stores, sources by pattern. */
import type { CaseDraw } from "./cases.ts";

const KEYS = ["first", "same", "value", "one"];
const TRANSFORMS = ["upper", "with-key", "null-if-b", "timed", "counted"];

/** Adds one to a case that has a stream. */
export function drawProcessor(draw: CaseDraw): void {
  const of = draw.pick(draw.streams);
  switch (draw.below(9)) {
    case 0:
    case 1:
      return draw.rekeyed(draw.add("process", { of, fn: draw.pick(KEYS) }));
    case 2:
      return void draw.behind("processValues", of, {});
    case 3:
      return void draw.behind("peek", of, {});
    case 4:
      return void draw.add("toDynamic", { of });
    case 5: {
      const topic = `global-${draw.count}`;
      draw.inputs.push(topic);
      const store = draw.add("globalStore", { topic });
      return void draw.behind("processGlobal", of, { with: store, fn: draw.pick(KEYS) });
    }
    case 6: {
      const topic = `pattern-${draw.count}`;
      draw.inputs.push(`${topic}-one`, `${topic}-two`);
      return void draw.streams.push(draw.add("streamPattern", { topic }));
    }
    default:
      return void draw.tables.push(draw.add("toTable", { of, name: `table-${draw.count}` }));
  }
}

/** Makes values of a table by a transformer. */
export function drawTransform(draw: CaseDraw, of: string): void {
  const kept = draw.below(2) === 0 ? { name: `kept-${draw.count}` } : {};
  const transform = { of, fn: draw.pick(TRANSFORMS), ...kept };
  draw.tables.push(draw.add("tableTransformValues", transform));
}
