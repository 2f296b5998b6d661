/** The tasks of a connector, with why they have failed. */
import { Empty } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import {
  askConnect,
  connectAt,
  type ConnectorStatus,
  lagOf,
  rateOf,
  type TaskFigures,
  type TaskView,
} from "../data/connect.ts";
import { count, rate } from "../data/format.ts";
import { Act } from "./connector.tsx";
import { ConnectState } from "./connectors.tsx";

interface Options {
  readonly status: ConnectorStatus;
  readonly figures: readonly TaskFigures[];
  readonly mayChange: boolean;
  readonly onDone: () => void;
}

function columnsOf({ status, figures, mayChange, onDone }: Options): Column<TaskView>[] {
  const of = ({ id }: TaskView) => figures.filter((each) => each.id === id);
  const timeOf = (task: TaskView) => {
    const [one] = of(task);
    return one?.figures["put-batch-avg-time-ms"] ?? one?.figures["poll-batch-avg-time-ms"];
  };
  return [
    { name: "Task", show: ({ id }) => id, by: ({ id }) => id, isNumber: true },
    {
      name: "State",
      show: ({ state }) => <ConnectState state={state} />,
      by: ({ state }) => state,
    },
    { name: "Records", show: (task) => rate(rateOf(of(task))), isNumber: true },
    { name: "Behind", show: (task) => count(lagOf(of(task))), isNumber: true, isMinor: true },
    {
      name: "Time of a batch",
      show: (task) => {
        const ms = timeOf(task);
        return ms === undefined ? "" : `${ms.toFixed(1)} ms`;
      },
      isNumber: true,
      isMinor: true,
    },
    {
      name: "Errors",
      show: (task) => count(of(task)[0]?.figures["total-record-errors"] ?? null),
      isNumber: true,
      isMinor: true,
    },
    {
      name: "Its own figures",
      show: (task) =>
        Object.entries(of(task)[0]?.gauges ?? {})
          .map(([name, value]) => `${name} ${count(value)}`).join(", "),
      isMinor: true,
    },
    {
      name: "Worker",
      show: ({ worker_id }) => <span class="mono">{worker_id}</span>,
      by: ({ worker_id }) => worker_id,
      isMinor: true,
    },
    ...(mayChange
      ? [{
        name: "What to do",
        show: ({ id }: TaskView) => (
          <Act
            isSmall
            name={`Restart ${id}`}
            act={async () => {
              await askConnect(
                "POST",
                connectAt(["connectors", status.name, "tasks", id, "restart"]),
              );
              onDone();
            }}
          />
        ),
      }]
      : []),
  ];
}

export function ConnectorTasks(options: Options) {
  const { status } = options;
  const failed = [
    { what: "The connector", trace: status.connector.trace },
    ...status.tasks.map(({ id, trace }) => ({ what: `Task ${id}`, trace })),
  ].filter(({ trace }) => trace !== undefined);
  return (
    <>
      {status.tasks.length === 0 ? <Empty title="It has no tasks" /> : (
        <Table
          label="Tasks"
          items={status.tasks}
          columns={columnsOf(options)}
          keyOf={({ id }) => id}
        />
      )}
      {failed.map(({ what, trace }) => (
        <section key={what} class="panel">
          <h2>{what} has failed</h2>
          <pre class="value" tabIndex={0} aria-label={`Why ${what} has failed`}>{trace}</pre>
        </section>
      ))}
    </>
  );
}
