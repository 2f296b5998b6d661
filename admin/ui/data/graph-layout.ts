/**
 * Where the boxes of a graph without circles stand: in layers, each behind what leads to it, ordered so
 * that few lines cross (Sugiyama's method with barycentres). A line over several layers goes through
 * gaps that are kept for it.
 */

/** A box, and which ones are behind it. */
export interface GraphNode {
  readonly name: string;
  readonly heightPx: number;
  readonly children: readonly string[];
}

/** Its upper left corner, and its size. */
export interface PlacedBox {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly heightPx: number;
}

/** A line from the lower side of a box to the upper side of another. */
export interface PlacedLine {
  readonly from: string;
  readonly to: string;
  /** From above to below: straight down as long as it is beside boxes. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** See the head of the file. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly PlacedBox[];
  readonly lines: readonly PlacedLine[];
}

export const BOX_WIDTH = 210;
const LINE_WIDTH = 24;
const GAP_X = 28;
const GAP_Y = 44;
const SWEEPS = 6;

/** In a layer: a box, or where a line goes through. */
interface Slot {
  readonly key: string;
  readonly name: string | null;
  readonly width: number;
  readonly heightPx: number;
  readonly above: string[];
  readonly below: string[];
}

/** `nodes`: parents before children. */
export function layoutOf(nodes: readonly GraphNode[]): Layout {
  const layers = layersOf(nodes);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    if (sweep % 2 === 0) {
      for (let i = 1; i < layers.length; i++) sortBy(layers[i]!, layers[i - 1]!, "above");
    } else {
      for (let i = layers.length - 2; i >= 0; i--) sortBy(layers[i]!, layers[i + 1]!, "below");
    }
  }
  return placed(nodes, layers);
}

function layersOf(nodes: readonly GraphNode[]): Slot[][] {
  const depths = new Map<string, number>();
  for (const { name, children } of nodes) {
    const own = depths.get(name) ?? 0;
    depths.set(name, own);
    for (const child of children) depths.set(child, Math.max(depths.get(child) ?? 0, own + 1));
  }
  const layers: Slot[][] = Array.from({ length: Math.max(0, ...depths.values()) + 1 }, () => []);
  const slots = new Map<string, Slot>();
  for (const { name, heightPx } of nodes) {
    const slot = { key: name, name, width: BOX_WIDTH, heightPx, above: [], below: [] };
    slots.set(name, slot);
    layers[depths.get(name) ?? 0]!.push(slot);
  }
  for (const { name, children } of nodes) {
    for (const child of children) {
      let before = slots.get(name)!;
      for (let depth = depths.get(name)! + 1; depth < (depths.get(child) ?? 0); depth++) {
        const key = keyOf(name, child, depth);
        const slot = { key, name: null, width: LINE_WIDTH, heightPx: 0, above: [], below: [] };
        layers[depth]!.push(slot);
        join(before, slot);
        before = slot;
      }
      join(before, slots.get(child)!);
    }
  }
  return layers;
}

function keyOf(from: string, to: string, depth: number): string {
  return `${from}\n${to}\n${depth}`;
}

function join(upper: Slot, lower: Slot): void {
  upper.below.push(lower.key);
  lower.above.push(upper.key);
}

/** By the middle of where its neighbours in the other layer are. */
function sortBy(layer: Slot[], other: readonly Slot[], side: "above" | "below"): void {
  const at = new Map(other.map(({ key }, index) => [key, index]));
  const own = new Map(layer.map(({ key }, index) => [key, index]));
  const middle = (slot: Slot) => {
    const places = slot[side].flatMap((key) => at.get(key) ?? []);
    if (places.length === 0) return own.get(slot.key)!;
    return places.reduce((sum, place) => sum + place, 0) / places.length;
  };
  const middles = new Map(layer.map((slot) => [slot.key, middle(slot)]));
  layer.sort((a, b) =>
    middles.get(a.key)! - middles.get(b.key)! || own.get(a.key)! - own.get(b.key)!
  );
}

function placed(nodes: readonly GraphNode[], layers: readonly Slot[][]): Layout {
  const widths = layers.map((layer) =>
    layer.reduce((sum, { width }) => sum + width + GAP_X, -GAP_X)
  );
  const width = Math.max(0, ...widths);
  const boxes: PlacedBox[] = [];
  const ways = new Map<string, Way>();
  let y = 0;
  layers.forEach((layer, i) => {
    const heightPx = Math.max(...layer.map((slot) => slot.heightPx));
    let x = (width - widths[i]!) / 2;
    for (const slot of layer) {
      const bottom = slot.name === null ? y : y + slot.heightPx;
      ways.set(slot.key, { x: x + slot.width / 2, top: y, bottom, layerBottom: y + heightPx });
      if (slot.name !== null) boxes.push({ name: slot.name, x, y, heightPx: slot.heightPx });
      x += slot.width + GAP_X;
    }
    y += heightPx + GAP_Y;
  });
  const lines = nodes.flatMap(({ name, children }) =>
    children.map((child) => ({ from: name, to: child, points: pointsOf(name, child, ways) }))
  );
  return { width, height: Math.max(0, y - GAP_Y), boxes, lines };
}

/** How lines go through a slot. */
interface Way {
  /** Its middle. */
  readonly x: number;
  readonly top: number;
  /** Where a box ends; its layer ends with the highest one. */
  readonly bottom: number;
  readonly layerBottom: number;
}

function pointsOf(
  from: string,
  to: string,
  ways: ReadonlyMap<string, Way>,
): (readonly [number, number])[] {
  const [first, last] = [ways.get(from)!, ways.get(to)!];
  const points: [number, number][] = [[first.x, first.bottom]];
  if (first.layerBottom > first.bottom) points.push([first.x, first.layerBottom]);
  for (const [key, { x, top, layerBottom }] of ways) {
    if (key.startsWith(`${from}\n${to}\n`)) points.push([x, top], [x, layerBottom]);
  }
  return [...points, [last.x, last.top]];
}

/** A smooth line through points that come from above, for `d` of an SVG path. */
export function pathThrough(points: readonly (readonly [number, number])[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  let [x, y] = first;
  let text = `M${x} ${y}`;
  for (const [nextX, nextY] of rest) {
    const half = (y + nextY) / 2;
    text += x === nextX ? `L${nextX} ${nextY}` : `C${x} ${half} ${nextX} ${half} ${nextX} ${nextY}`;
    [x, y] = [nextX, nextY];
  }
  return text;
}
