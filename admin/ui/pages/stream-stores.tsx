/** The stores of an application: each task's part, how much is in it, and what is being restored. */
import { Badge, Empty } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { bytes, count, plural, span } from "../data/format.ts";
import type { Live } from "../data/streams.ts";

type Part = Live["members"][number]["stores"][number];
interface Row extends Part {
  readonly member: string | null;
}

const COLUMNS: readonly Column<Row>[] = [
  { name: "Store", show: ({ store }) => store, by: ({ store }) => store },
  { name: "Task", show: ({ task }) => task, by: ({ task }) => task },
  { name: "State", show: ({ state }) => <StoreState state={state} />, by: ({ state }) => state },
  {
    name: "Entries",
    show: ({ entries }) => count(entries),
    by: ({ entries }) => entries,
    isNumber: true,
  },
  {
    name: "On disk",
    show: (part) => part.bytes === null ? "in memory" : bytes(part.bytes),
    by: (part) => part.bytes ?? -1,
    isNumber: true,
    isMinor: true,
  },
  {
    name: "Behind",
    show: ({ lag }) => count(lag),
    by: ({ lag }) => lag ?? -1,
    isNumber: true,
    isMinor: true,
  },
  {
    name: "Member",
    show: ({ member }) => member ?? "–",
    by: ({ member }) => member ?? "",
    isMinor: true,
  },
];

function StoreState({ state }: { state: Part["state"] }) {
  const tone = state === "running" ? "good" : state === "restoring" ? "warn" : "plain";
  return <Badge tone={tone} text={state === "standby" ? "copy" : state} />;
}

export function StreamStores({ live }: { live: Live }) {
  const rows = live.members.flatMap(({ endpoint, stores }) =>
    stores.map((part): Row => ({ ...part, member: endpoint }))
  ).sort((a, b) => a.store < b.store ? -1 : a.store > b.store ? 1 : a.task < b.task ? -1 : 1);
  const restoring = live.members.flatMap((member) => member.restoring);
  return (
    <>
      {restoring.map(({ topic, partition, records, left, leftMs }) => (
        <p class="progress" key={`${topic}/${partition}`}>
          <progress
            aria-label={`Restoring ${topic}-${partition}`}
            max={records + left}
            value={records}
          />
          <span>
            {`${topic}-${partition}: ${plural(left, "record")} to restore`}
            {leftMs !== null && `, ${span(leftMs)}`}
          </span>
        </p>
      ))}
      {rows.length === 0 ? <Empty title="It keeps nothing" /> : (
        <Table
          label="Stores"
          items={rows}
          columns={COLUMNS}
          keyOf={({ store, task, member }) => `${store} ${task} ${member}`}
        />
      )}
    </>
  );
}
