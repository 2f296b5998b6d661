/** The partitions of a topic: who has them, and how much is in them. */
import { Badge } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { bytes, count } from "../data/format.ts";
import type { PartitionView, TopicView } from "../data/model.ts";

function recordsOf({ startOffset, endOffset }: PartitionView): number | null {
  return startOffset === null || endOffset === null ? null : endOffset - startOffset;
}

const COLUMNS: readonly Column<PartitionView>[] = [
  {
    name: "Partition",
    show: ({ partition }) => partition,
    by: ({ partition }) => partition,
    isNumber: true,
  },
  {
    name: "Leader",
    show: ({ leader }) => leader === null ? <Badge tone="bad" text="none" /> : leader,
    by: ({ leader }) => leader ?? -1,
    isNumber: true,
  },
  { name: "Replicas", show: (partition) => <Replicas partition={partition} /> },
  {
    name: "Start",
    show: ({ startOffset }) => count(startOffset),
    isNumber: true,
    isMinor: true,
  },
  { name: "End", show: ({ endOffset }) => count(endOffset), isNumber: true, isMinor: true },
  {
    name: "Records",
    show: (partition) => count(recordsOf(partition)),
    by: (partition) => recordsOf(partition) ?? -1,
    isNumber: true,
  },
  {
    name: "Size",
    show: ({ sizeBytes }) => bytes(sizeBytes),
    by: ({ sizeBytes }) => sizeBytes ?? -1,
    isNumber: true,
  },
];

function Replicas({ partition: { replicas, isr } }: { partition: PartitionView }) {
  const late = replicas.filter((replica) => !isr.includes(replica));
  return (
    <>
      {replicas.join(", ")}
      {late.length > 0 && (
        <span class="note">
          <Badge tone="warn" text={`not in sync: ${late.join(", ")}`} />
        </span>
      )}
    </>
  );
}

export function TopicPartitions({ topic }: { topic: TopicView }) {
  return (
    <Table
      label="Partitions"
      items={topic.partitions}
      columns={COLUMNS}
      keyOf={({ partition }) => partition}
    />
  );
}
