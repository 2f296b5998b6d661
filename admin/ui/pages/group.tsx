/** A group: how far behind it is in each of its topics, as it changes. */
import { Chart } from "../components/chart.tsx";
import { Command, Empty, Figure, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { path } from "../data/api.ts";
import { count, span } from "../data/format.ts";
import { type GroupTopic, groupTopics, totalOf } from "../data/groups.ts";
import { useHistory } from "../data/history.ts";
import { useMetrics } from "../data/use-metrics.ts";
import { href, useRoute } from "../router.ts";

const EVERY_MS = 1000;

/** Topics of a group, or groups of a topic: how far behind. */
export function lagColumns(first: Column<GroupTopic>): readonly Column<GroupTopic>[] {
  return [
    first,
    { name: "Partitions", show: ({ partitions }) => count(partitions), isNumber: true },
    { name: "Lag", show: ({ lag }) => count(lag), by: ({ lag }) => lag, isNumber: true },
    {
      name: "In time",
      show: ({ lagMs }) => span(lagMs),
      by: ({ lagMs }) => lagMs ?? -1,
      isNumber: true,
    },
  ];
}

const COLUMNS = lagColumns({
  name: "Topic",
  show: ({ topic }) => <a href={href(path(["topics", topic]))} tabIndex={-1}>{topic}</a>,
  by: ({ topic }) => topic,
});

export function GroupPage() {
  const { params } = useRoute();
  const id = params["group"] ?? "";
  const { now, problem } = useMetrics(EVERY_MS);
  const topics = now === null ? [] : groupTopics(now).filter(({ group }) => group === id);
  const { lag, lagMs } = totalOf(topics);
  const history = useHistory(now, now === null ? null : { lag });
  return (
    <>
      <p class="crumbs">
        <a href={href("/groups")}>Groups</a>
      </p>
      <h1>{id}</h1>
      <ProblemNote problem={problem} />
      {now === null && problem === null && <Loading />}
      {now !== null && topics.length === 0 && (
        <Empty title="This broker knows no offsets of such a group">
          <p>Another broker may coordinate it, or nobody has read in its name yet:</p>
          <Command text={`kstream group describe ${id}`} />
        </Empty>
      )}
      {topics.length > 0 && (
        <>
          <dl class="figures">
            <Figure name="Lag" value={count(lag)} note="records" />
            <Figure name="Lag in time" value={span(lagMs)} />
            <Figure name="Topics" value={count(topics.length)} />
          </dl>
          {history !== null && (
            <section class="panel">
              <h2>Lag</h2>
              <Chart
                label={`Lag: ${count(lag)} records`}
                times={history.times}
                lines={[{ name: "lag", colour: 1, values: history.values.lag }]}
                show={count}
                heightPx={140}
              />
            </section>
          )}
          <Table
            label="Topics"
            items={topics}
            columns={COLUMNS}
            keyOf={({ topic }) => topic}
            linkOf={({ topic }) => path(["topics", topic])}
          />
          <h2>From the shell</h2>
          <Command text={`kstream group describe ${id}`} />
          <br />
          <Command text={`kstream group seek ${id} --to -1h`} />
        </>
      )}
    </>
  );
}
