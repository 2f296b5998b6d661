/** The groups that read a topic. */
import { Command, Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { path } from "../data/api.ts";
import { count, span } from "../data/format.ts";
import { type GroupTopic, groupTopics } from "../data/groups.ts";
import { useMetrics } from "../data/use-metrics.ts";
import { href } from "../router.ts";

const EVERY_MS = 2000;
const COLUMNS: readonly Column<GroupTopic>[] = [
  {
    name: "Group",
    show: ({ group }) => <a href={href(path(["groups", group]))} tabIndex={-1}>{group}</a>,
    by: ({ group }) => group,
  },
  { name: "Partitions", show: ({ partitions }) => count(partitions), isNumber: true },
  { name: "Lag", show: ({ lag }) => count(lag), by: ({ lag }) => lag, isNumber: true },
  {
    name: "In time",
    show: ({ lagMs }) => span(lagMs),
    by: ({ lagMs }) => lagMs ?? -1,
    isNumber: true,
  },
];

export function TopicGroups({ topic }: { topic: string }) {
  const { now, problem } = useMetrics(EVERY_MS);
  const groups = now === null ? [] : groupTopics(now).filter((each) => each.topic === topic);
  return (
    <>
      <ProblemNote problem={problem} />
      {now === null && problem === null && <Loading />}
      {now !== null && groups.length === 0 && (
        <Empty title="No group has committed an offset here">
          <Command text={`kstream consume ${topic} --group readers`} />
        </Empty>
      )}
      {groups.length > 0 && (
        <Table
          label="Groups"
          items={groups}
          columns={COLUMNS}
          keyOf={({ group }) => group}
          linkOf={({ group }) => path(["groups", group])}
        />
      )}
    </>
  );
}
