/** The members of an application, and which tasks each has. */
import { Badge } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { span } from "../data/format.ts";
import type { ApplicationView, Live } from "../data/streams.ts";

interface Row {
  readonly key: string;
  readonly endpoint: string | null;
  readonly host: string | null;
  readonly told: Live["members"][number] | null;
}

const COLUMNS: readonly Column<Row>[] = [
  {
    name: "Member",
    show: ({ endpoint }) => endpoint ?? "no address",
    by: ({ endpoint }) => endpoint ?? "",
  },
  { name: "Host", show: ({ host }) => host ?? "–", isMinor: true },
  {
    name: "Tasks that run",
    show: ({ told }) => told === null ? <Badge text="does not tell" /> : names(told.running),
    by: ({ told }) => told?.running.length ?? -1,
  },
  { name: "Begin", show: ({ told }) => names(told?.opening ?? []) },
  { name: "Copies", show: ({ told }) => names(told?.standby ?? []), isMinor: true },
  {
    name: "Up",
    show: ({ told }) => told === null ? "–" : span(told.upMs),
    isNumber: true,
    isMinor: true,
  },
];

function names(tasks: readonly string[]): string {
  return tasks.length === 0 ? "–" : [...tasks].sort().join(" ");
}

export function StreamTasks({ view, live }: { view: ApplicationView; live: Live | null }) {
  const rows = view.members.map(({ memberId, clientHost, endpoint }): Row => ({
    ...{ key: memberId, endpoint, host: clientHost },
    told: live?.members.find((each) => endpoint !== null && each.endpoint === endpoint) ?? null,
  }));
  const rest = (live?.members ?? []).filter((told) => !rows.some((row) => row.told === told))
    .map((told): Row => ({
      ...{ key: told.endpoint ?? "", endpoint: told.endpoint, host: null, told },
    }));
  return (
    <Table
      label="Members"
      items={[...rows, ...rest]}
      columns={COLUMNS}
      keyOf={({ key }) => key}
    />
  );
}
