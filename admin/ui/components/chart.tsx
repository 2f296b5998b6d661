/** Lines over time, by uPlot. What they show is said in words beside them. */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { THEME_CHANGED } from "../theme.ts";

/** A line of a chart. */
export interface Line {
  readonly name: string;
  /** Which of the style's line colours it has. */
  readonly colour: 1 | 2;
  readonly values: readonly (number | null)[];
}

/** A chart; `times` in milliseconds. */
export function Chart({ label, times, lines, show, heightPx = 180 }: {
  label: string;
  times: readonly number[];
  lines: readonly Line[];
  show: (value: number) => string;
  heightPx?: number;
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [round, setRound] = useState(0);
  const shape = lines.map(({ name }) => name).join("\n");
  // Of a single point no range can be made.
  const isOne = times.length === 1;
  const data = () => [
    [...isOne ? [(times[0] ?? 0) - 1000] : [], ...times].map((ms) => ms / 1000),
    ...lines.map(({ values }) => isOne ? [null, ...values] : [...values]),
  ];
  useEffect(() => {
    const again = () => setRound((before) => before + 1);
    addEventListener(THEME_CHANGED, again);
    return () => removeEventListener(THEME_CHANGED, again);
  }, []);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const made = new uPlot(
      optionsOf(element, lines, show, heightPx),
      data() as uPlot.AlignedData,
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: heightPx });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [shape, round]);
  useEffect(() => plot.current?.setData(data() as uPlot.AlignedData), [times, lines]);
  return <div class="chart" ref={box} role="img" aria-label={label} />;
}

/** What the axes show at least: the last minute, and what is small as small. */
const SECONDS_MIN = 60;
const TOP_MIN = 10;

function optionsOf(
  element: Element,
  lines: readonly Line[],
  show: (value: number) => string,
  heightPx: number,
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 } };
  return {
    width: element.clientWidth,
    height: heightPx,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: (_plot, min, max) => [Math.min(min, max - SECONDS_MIN), max] },
      y: { range: (_plot, _min, max) => [0, Math.max(TOP_MIN, max * 1.1)] },
    },
    axes: [
      { ...axis, ticks: { show: false }, values: (_plot, splits) => splits.map(clockOf) },
      {
        ...axis,
        ticks: { show: false },
        size: 84,
        values: (_plot, splits) => splits.map(show),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, colour: number }) => ({
        label: name,
        stroke: colour(`--line-${number}`),
        width: 2,
        points: { show: false },
      })),
    ],
  };
}

function clockOf(seconds: number): string {
  return new Date(seconds * 1000).toTimeString().slice(0, 8);
}
