/** Topics that a connector has used. */
import { Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { path } from "../data/api.ts";
import { askConnect, connectAt, useConnect } from "../data/connect.ts";
import { href } from "../router.ts";
import { Act } from "./connector.tsx";

const COLUMNS: readonly Column<string>[] = [
  {
    name: "Topic",
    show: (topic) => <a href={href(path(["topics", topic]))}>{topic}</a>,
    by: (topic) => topic,
  },
];

export function ConnectorTopics({ name, mayChange }: { name: string; mayChange: boolean }) {
  const url = connectAt(["connectors", name, "topics"]);
  const { data, problem, reload } = useConnect<
    Readonly<Record<string, { readonly topics: readonly string[] }>>
  >(url);
  const topics = data?.[name]?.topics ?? [];
  const forget = async () => {
    await askConnect("PUT", connectAt(["connectors", name, "topics", "reset"]));
    reload();
  };
  return (
    <>
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data !== null && topics.length === 0 && <Empty title="It has used no topic yet" />}
      {topics.length > 0 && (
        <>
          <Table label="Topics" items={topics} columns={COLUMNS} keyOf={(topic) => topic} />
          {mayChange && (
            <div class="bar">
              <Act name="Forget which it has used" act={forget} />
            </div>
          )}
        </>
      )}
    </>
  );
}
