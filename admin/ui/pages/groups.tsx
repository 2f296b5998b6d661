/** The groups that this broker coordinates, and how far behind they are. */
import { FilterBar } from "../components/filter.tsx";
import { Command, Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { path } from "../data/api.ts";
import { count, span } from "../data/format.ts";
import { groupSummaries, type GroupSummary } from "../data/groups.ts";
import { useMetrics } from "../data/use-metrics.ts";
import { href, useQueryState } from "../router.ts";

const EVERY_MS = 2000;
const linkOf = ({ group }: GroupSummary) => path(["groups", group]);

const COLUMNS: readonly Column<GroupSummary>[] = [
  {
    name: "Group",
    show: (group) => <a href={href(linkOf(group))} tabIndex={-1}>{group.group}</a>,
    by: ({ group }) => group,
  },
  {
    name: "Topics",
    show: ({ topics }) => topics.map(({ topic }) => topic).join(", "),
    isMinor: true,
  },
  { name: "Lag", show: ({ lag }) => count(lag), by: ({ lag }) => lag, isNumber: true },
  {
    name: "In time",
    show: ({ lagMs }) => span(lagMs),
    by: ({ lagMs }) => lagMs ?? -1,
    isNumber: true,
  },
];

export function GroupsPage() {
  const [filter, setFilter] = useQueryState("filter");
  const { now, problem } = useMetrics(EVERY_MS);
  const groups = now === null ? [] : groupSummaries(now);
  const wanted = filter.toLowerCase();
  const shown = groups.filter(({ group, topics }) =>
    [group, ...topics.map(({ topic }) => topic)].some((name) => name.toLowerCase().includes(wanted))
  );
  return (
    <>
      <h1>Groups</h1>
      <FilterBar
        label="Filter groups"
        placeholder="A part of the group's id or of a topic's name"
        value={filter}
        onChange={setFilter}
        count={now === null ? "" : `${count(shown.length)} of ${count(groups.length)}`}
      />
      <ProblemNote problem={problem} />
      {now === null && problem === null && <Loading />}
      {now !== null && groups.length === 0 && (
        <Empty title="No group has committed anything yet">
          <p>A group is there as soon as somebody reads in its name:</p>
          <Command text="kstream consume TOPIC --group readers" />
        </Empty>
      )}
      {groups.length > 0 && shown.length === 0 && <Empty title="No group matches the filter" />}
      {shown.length > 0 && (
        <Table
          label="Groups"
          items={shown}
          columns={COLUMNS}
          keyOf={({ group }) => group}
          linkOf={linkOf}
        />
      )}
    </>
  );
}
