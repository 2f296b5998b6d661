import { expect, test } from "bun:test";
import { BOX_WIDTH, type GraphNode, layoutOf, pathThrough } from "./graph-layout.ts";

const graph = (edges: Readonly<Record<string, readonly string[]>>): GraphNode[] =>
  Object.entries(edges).map(([name, children]) => ({ name, children, heightPx: 50 }));

test("a chain stands straight, each step below the one before it", () => {
  const { boxes, lines, width } = layoutOf(graph({ a: ["b"], b: ["c"], c: [] }));
  expect(width).toBe(BOX_WIDTH);
  expect(boxes.map(({ x }) => x)).toEqual([0, 0, 0]);
  expect(boxes.map(({ y }) => y)).toEqual([0, 94, 188]);
  for (const { points } of lines) expect(points[0]![0]).toBe(points[1]![0]);
});

test("no two boxes overlap, and lines that need not cross do not", () => {
  const { boxes } = layoutOf(graph({
    ...{ a: ["d"], b: ["c"], c: ["f"], d: ["e"], e: ["g"], f: ["g"], g: [] },
  }));
  const at = new Map(boxes.map((box) => [box.name, box]));
  for (const one of boxes) {
    for (const other of boxes) {
      if (one === other || one.y !== other.y) continue;
      expect(Math.abs(one.x - other.x)).toBeGreaterThanOrEqual(BOX_WIDTH);
    }
  }
  expect(at.get("a")!.x < at.get("b")!.x).toBe(at.get("d")!.x < at.get("c")!.x);
  expect(at.get("d")!.x < at.get("c")!.x).toBe(at.get("e")!.x < at.get("f")!.x);
});

test("a line over several layers goes beside the boxes between", () => {
  const { boxes, lines } = layoutOf(graph({ a: ["b", "c"], b: ["c"], c: [] }));
  const between = boxes.find(({ name }) => name === "b")!;
  const long = lines.find(({ from, to }) => from === "a" && to === "c")!;
  const [, [x], [lowerX]] = long.points as [number, number][] as [
    ...[[number, number], [number, number], [number, number]],
  ];
  expect(x).toBe(lowerX);
  expect(x < between.x || x > between.x + BOX_WIDTH).toBe(true);
  expect(pathThrough(long.points)).toMatch(/^M[\d.]+ [\d.]+C/);
});

test("a graph of nothing is nothing, of one box that one", () => {
  expect(layoutOf([])).toMatchObject({ boxes: [], lines: [], width: 0 });
  expect(layoutOf(graph({ a: [] })).boxes).toEqual([{ name: "a", x: 0, y: 0, heightPx: 50 }]);
});
