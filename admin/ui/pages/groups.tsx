/** All groups, of every kind, and how far behind they are. */
import { FilterBar } from "../components/filter.tsx";
import {
  Badge,
  Command,
  Empty,
  Loading,
  NoneListed,
  NotForYou,
  ProblemNote,
} from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { at, path } from "../data/api.ts";
import { count, lagSpan } from "../data/format.ts";
import type { GroupItem } from "../data/model.ts";
import { useLatest, useResource, useSettled } from "../data/use-resource.ts";
import { href, useQueryState } from "../router.ts";

const EVERY_MS = 3000;
const GROUPS_MAX = 1000;

const linkOf = ({ group }: GroupItem) => path(["groups", group]);

const COLUMNS: readonly Column<GroupItem>[] = [
  {
    name: "Group",
    show: (group) => <a href={href(linkOf(group))} tabIndex={-1}>{group.group}</a>,
    by: ({ group }) => group,
  },
  { name: "State", show: ({ state }) => <GroupState state={state} />, by: ({ state }) => state },
  { name: "Kind", show: ({ type }) => type, by: ({ type }) => type, isMinor: true },
  { name: "Lag", show: ({ lag }) => count(lag), by: ({ lag }) => lag ?? -1, isNumber: true },
  {
    name: "In time",
    show: ({ lagSeconds }) => lagSpan(lagSeconds),
    by: ({ lagSeconds }) => lagSeconds ?? -1,
    isNumber: true,
  },
];

/** A state in its colour. */
export function GroupState({ state }: { state: string }) {
  const tone = state === "Stable"
    ? "good"
    : state === "Dead" || state === "NotReady"
    ? "bad"
    : state === "Empty"
    ? "plain"
    : "warn";
  return <Badge tone={tone} text={state === "" ? "unknown" : state} />;
}

export function GroupsPage() {
  const [filter, setFilter] = useQueryState("filter");
  const wanted = useSettled(filter, 150);
  const url = at("/v1/groups", { limit: GROUPS_MAX, filter: wanted });
  const { data: answered, problem, reload } = useResource(url, EVERY_MS);
  const data = useLatest(answered);
  const rows = data?.groups ?? [];
  const more = data !== null && data.nextCursor !== null;
  return (
    <>
      <h1>Groups</h1>
      <FilterBar
        label="Filter groups"
        placeholder="A part of the group's id"
        value={filter}
        onChange={setFilter}
        count={data === null ? "" : `${count(rows.length)}${more ? ", and more: filter" : ""}`}
      />
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data !== null && rows.length === 0 && (
        <NoneListed what="groups">
          <NoGroups filter={wanted} />
        </NoneListed>
      )}
      {rows.length > 0 && <NotForYou what="groups" />}
      {rows.length > 0 && (
        <Table
          label="Groups"
          items={rows}
          columns={COLUMNS}
          keyOf={({ group }) => group}
          linkOf={linkOf}
        />
      )}
    </>
  );
}

function NoGroups({ filter }: { filter: string }) {
  if (filter !== "") return <Empty title={`No group has “${filter}” in its id`} />;
  return (
    <Empty title="There are no groups yet">
      <p>A group is there as soon as somebody reads in its name:</p>
      <Command text="kstream consume TOPIC --group readers" />
    </Empty>
  );
}
