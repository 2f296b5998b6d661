/** The steps of an application as a table: what the graph shows, and why records were left out. */
import { type Column, Table } from "../components/table.tsx";
import { count, rate } from "../data/format.ts";
import {
  droppedOf,
  figuresOf,
  type Live,
  type LiveNode,
  type NodeFigures,
  type Rates,
  rounded,
} from "../data/streams.ts";

interface Row {
  readonly part: string;
  readonly node: LiveNode;
  readonly figures: NodeFigures;
  readonly perSecond: number | undefined;
}

const COLUMNS: readonly Column<Row>[] = [
  { name: "Step", show: ({ node }) => node.name, by: ({ node }) => node.name },
  { name: "Part", show: ({ part }) => part, by: ({ part }) => part, isMinor: true },
  {
    name: "In",
    show: ({ figures }) => count(figures.in),
    by: ({ figures }) => figures.in,
    isNumber: true,
  },
  {
    name: "Now",
    show: ({ perSecond }) => perSecond === undefined ? "" : rate(rounded(perSecond)),
    by: ({ perSecond }) => perSecond ?? 0,
    isNumber: true,
    isMinor: true,
  },
  {
    name: "Out",
    show: ({ figures }) => count(figures.out),
    by: ({ figures }) => figures.out,
    isNumber: true,
  },
  {
    name: "Left out",
    show: ({ figures }) => count(droppedOf(figures)),
    by: ({ figures }) => droppedOf(figures),
    isNumber: true,
    isMinor: true,
  },
  {
    name: "Failed",
    show: ({ figures }) => (
      <span class={figures.errored > 0 ? "bad" : ""}>{count(figures.errored)}</span>
    ),
    by: ({ figures }) => figures.errored,
    isNumber: true,
  },
  {
    name: "Why left out",
    show: ({ figures }) =>
      Object.entries(figures.dropped).map(([why, times]) => `${count(times)} × ${why}`).join("; "),
    isMinor: true,
  },
];

export function StreamSteps({ live, rates }: { live: Live; rates: Rates }) {
  const rows = live.topology.subtopologies.flatMap(({ id, isGlobal, nodes }) =>
    nodes.map((node): Row => ({
      part: isGlobal ? "every member" : String(id),
      node,
      figures: figuresOf(live, node.name),
      perSecond: rates?.get(node.name)?.in,
    }))
  );
  return <Table label="Steps" items={rows} columns={COLUMNS} keyOf={({ node }) => node.name} />;
}
