/** All applications that process streams. */
import { FilterBar } from "../components/filter.tsx";
import { Command, Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { at, path } from "../data/api.ts";
import { count, lagSpan } from "../data/format.ts";
import type { ApplicationItem } from "../data/streams.ts";
import { useLatest, useResource } from "../data/use-resource.ts";
import { href, useQueryState } from "../router.ts";
import { GroupState } from "./groups.tsx";

const EVERY_MS = 5000;

const linkOf = ({ application }: ApplicationItem) => path(["streams", application]);

const KINDS: Readonly<Record<ApplicationItem["kind"], string>> = {
  kstream: "kstream",
  "kafka-streams": "Kafka Streams",
  streams: "group of streams",
};

const COLUMNS: readonly Column<ApplicationItem>[] = [
  {
    name: "Application",
    show: (row) => <a href={href(linkOf(row))} tabIndex={-1}>{row.application}</a>,
    by: ({ application }) => application,
  },
  { name: "State", show: ({ state }) => <GroupState state={state} />, by: ({ state }) => state },
  {
    name: "Members",
    show: ({ members }) => count(members),
    by: ({ members }) => members,
    isNumber: true,
  },
  { name: "Lag", show: ({ lag }) => count(lag), by: ({ lag }) => lag ?? -1, isNumber: true },
  {
    name: "In time",
    show: ({ lagSeconds }) => lagSpan(lagSeconds),
    by: ({ lagSeconds }) => lagSeconds ?? -1,
    isNumber: true,
    isMinor: true,
  },
  { name: "Kind", show: ({ kind }) => KINDS[kind], by: ({ kind }) => kind, isMinor: true },
];

export function StreamsPage() {
  const [filter, setFilter] = useQueryState("filter");
  const { data: answered, problem, reload } = useResource(at("/v1/streams"), EVERY_MS);
  const data = useLatest(answered);
  const all = data?.applications ?? [];
  const wanted = filter.toLowerCase();
  const rows = all.filter(({ application }) => application.toLowerCase().includes(wanted));
  return (
    <>
      <h1>Streams</h1>
      <FilterBar
        label="Filter applications"
        placeholder="A part of the application's id"
        value={filter}
        onChange={setFilter}
        count={data === null ? "" : count(rows.length)}
      />
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data?.isWhole === false && (
        <p class="notice">There are too many groups: not all were looked at.</p>
      )}
      {data !== null && rows.length === 0 && (
        all.length > 0
          ? <Empty title={`No application has “${filter}” in its id`} />
          : (
            <Empty title="No application of streams runs here">
              <p>One is seen as long as it has members:</p>
              <Command text="kstream stream run app.ts --queries 127.0.0.1:8090" />
            </Empty>
          )
      )}
      {rows.length > 0 && (
        <Table
          label="Applications"
          items={rows}
          columns={COLUMNS}
          keyOf={({ application }) => application}
          linkOf={linkOf}
        />
      )}
    </>
  );
}
