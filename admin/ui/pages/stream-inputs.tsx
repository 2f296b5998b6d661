/** The partitions that an application reads: what is committed, and where its tasks are by now. */
import { Empty } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { path } from "../data/api.ts";
import { count, lagSpan } from "../data/format.ts";
import type { ApplicationView, Live } from "../data/streams.ts";
import { href } from "../router.ts";

interface Row {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number | null;
  readonly endOffset: number | null;
  readonly lag: number | null;
  readonly lagSeconds: number | null;
  readonly task: string | null;
  readonly position: number | null;
  readonly member: string | null;
}

const COLUMNS: readonly Column<Row>[] = [
  {
    name: "Topic",
    show: ({ topic }) => <a href={href(path(["topics", topic]))}>{topic}</a>,
    by: ({ topic }) => topic,
  },
  {
    name: "Partition",
    show: ({ partition }) => partition,
    by: ({ partition }) => partition,
    isNumber: true,
  },
  { name: "Task", show: ({ task }) => task ?? "–", by: ({ task }) => task ?? "", isMinor: true },
  { name: "Committed", show: ({ offset }) => count(offset), isNumber: true, isMinor: true },
  { name: "Now at", show: ({ position }) => count(position), isNumber: true, isMinor: true },
  { name: "End", show: ({ endOffset }) => count(endOffset), isNumber: true, isMinor: true },
  { name: "Behind", show: ({ lag }) => count(lag), by: ({ lag }) => lag ?? -1, isNumber: true },
  {
    name: "In time",
    show: ({ lagSeconds }) => lagSpan(lagSeconds),
    by: ({ lagSeconds }) => lagSeconds ?? -1,
    isNumber: true,
  },
  {
    name: "Member",
    show: ({ member }) => member ?? "–",
    by: ({ member }) => member ?? "",
    isMinor: true,
  },
];

export function StreamInputs({ view, live }: { view: ApplicationView; live: Live | null }) {
  const rows = rowsOf(view, live);
  if (rows.length === 0) return <Empty title="It has read nothing yet" />;
  return (
    <Table
      label="Inputs"
      items={rows}
      columns={COLUMNS}
      keyOf={({ topic, partition }) => `${topic}/${partition}`}
    />
  );
}

function rowsOf({ partitions }: ApplicationView, live: Live | null): Row[] {
  const rows = new Map<string, Row>();
  const nobody = { task: null, position: null, member: null };
  for (const place of partitions) {
    rows.set(`${place.topic}/${place.partition}`, { ...place, ...nobody });
  }
  for (const { endpoint, sources } of live?.members ?? []) {
    for (const { task, topic, partition, position, lag } of sources) {
      const key = `${topic}/${partition}`;
      const known = rows.get(key) ??
        { topic, partition, offset: null, endOffset: null, lag, lagSeconds: null };
      rows.set(key, { ...known, task, position, member: endpoint });
    }
  }
  return [...rows.values()].sort((a, b) =>
    a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition
  );
}
