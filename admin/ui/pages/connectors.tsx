/** All connectors of the workers, worst first where that is asked. */
import { FilterBar } from "../components/filter.tsx";
import { Badge, Command, Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { path, type Problem } from "../data/api.ts";
import {
  connectAt,
  type ConnectorEntries,
  lagOf,
  rateOf,
  type TaskFigures,
  useConnect,
  useFigures,
  worstState,
} from "../data/connect.ts";
import { count, rate } from "../data/format.ts";
import { useMe } from "../data/me.ts";
import { useLatest } from "../data/use-resource.ts";
import { href, navigate, useQueryState } from "../router.ts";

const EVERY_MS = 3000;
const STATES = ["FAILED", "RUNNING", "PAUSED", "STOPPED", "UNASSIGNED", "RESTARTING"] as const;

interface Row {
  readonly name: string;
  readonly state: string;
  readonly running: number;
  readonly tasks: number;
  readonly kind: string;
  readonly className: string;
  readonly figures: readonly TaskFigures[];
}

/** A state in its colour. */
export function ConnectState({ state }: { state: string }) {
  const tone = state === "RUNNING"
    ? "good"
    : state === "FAILED"
    ? "bad"
    : state === "PAUSED" || state === "STOPPED"
    ? "plain"
    : "warn";
  return <Badge tone={tone} text={state.toLowerCase()} />;
}

/** Whether who looks may change connectors: where nobody is asked who they are, anybody may. */
export function useMayConnect(): boolean {
  const me = useMe();
  return me === null || me.cluster.includes("ALTER");
}

const linkOf = ({ name }: { name: string }) => path(["connectors", name]);

const COLUMNS: readonly Column<Row>[] = [
  {
    name: "Connector",
    show: (row) => <a href={href(linkOf(row))} tabIndex={-1}>{row.name}</a>,
    by: ({ name }) => name,
  },
  {
    name: "State",
    show: ({ state }) => <ConnectState state={state} />,
    by: ({ state }) => STATES.findIndex((each) => each === state),
  },
  {
    name: "Tasks",
    show: ({ running, tasks }) => `${running}/${tasks}`,
    by: ({ tasks }) => tasks,
    isNumber: true,
  },
  {
    name: "Records",
    show: ({ figures }) => {
      const perSecond = rateOf(figures);
      return perSecond === null ? "" : rate(perSecond);
    },
    by: ({ figures }) => rateOf(figures) ?? -1,
    isNumber: true,
  },
  {
    name: "Behind",
    show: ({ figures }) => {
      const lag = lagOf(figures);
      return lag === null ? "" : count(lag);
    },
    by: ({ figures }) => lagOf(figures) ?? -1,
    isNumber: true,
    isMinor: true,
  },
  { name: "Kind", show: ({ kind }) => kind, by: ({ kind }) => kind, isMinor: true },
  {
    name: "Class",
    show: ({ className }) => <span class="mono">{className}</span>,
    by: ({ className }) => className,
    isMinor: true,
  },
];

export function ConnectorsPage() {
  const [filter, setFilter] = useQueryState("filter");
  const [state, setState] = useQueryState("state");
  const query = connectAt(["connectors"]) + "?expand=status&expand=info";
  const { data: answered, problem, reload } = useConnect<ConnectorEntries>(query, EVERY_MS);
  const data = useLatest(answered);
  const figures = useFigures(null, EVERY_MS);
  const mayChange = useMayConnect();
  if (problem?.status === 404) return <NoWorkers problem={problem} />;
  const all = data === null ? [] : rowsOf(data, figures);
  const rows = all.filter((row) =>
    `${row.name} ${row.className}`.toLowerCase().includes(filter.toLowerCase()) &&
    (state === "" || row.state === state)
  );
  return (
    <>
      <h1>Connectors</h1>
      <FilterBar
        label="Filter connectors"
        placeholder="A part of the name or class"
        value={filter}
        onChange={setFilter}
        count={data === null ? "" : count(rows.length)}
      >
        <select
          aria-label="State"
          value={state}
          onChange={(event) => setState(event.currentTarget.value)}
        >
          <option value="">All states</option>
          {STATES.map((each) => <option key={each} value={each}>{each.toLowerCase()}</option>)}
        </select>
        {mayChange && (
          <button type="button" class="main" onClick={() => navigate("/new-connector")}>
            New connector…
          </button>
        )}
      </FilterBar>
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data !== null && rows.length === 0 && (
        <Empty
          title={all.length === 0 ? "There are no connectors" : "No connector is like that"}
        >
          {all.length === 0 && (
            <p>A connector reads another system into topics, or writes topics to one.</p>
          )}
        </Empty>
      )}
      {rows.length > 0 && (
        <Table
          label="Connectors"
          items={rows}
          columns={COLUMNS}
          keyOf={({ name }) => name}
          linkOf={linkOf}
        />
      )}
    </>
  );
}

function rowsOf(entries: ConnectorEntries, figures: readonly TaskFigures[]): Row[] {
  const byConnector = Map.groupBy(figures, ({ connector }) => connector);
  return Object.entries(entries).flatMap(([name, { status, info }]) =>
    status === undefined ? [] : [{
      name,
      state: worstState(status),
      running: status.tasks.filter((task) => task.state === "RUNNING").length,
      tasks: status.tasks.length,
      kind: status.type,
      className: info?.config["connector.class"] ?? "",
      figures: byConnector.get(name) ?? [],
    }]
  ).sort((a, b) => a.name < b.name ? -1 : 1);
}

function NoWorkers({ problem }: { problem: Problem }) {
  return (
    <>
      <h1>Connectors</h1>
      <Empty title="No worker of connectors is known here">
        <p>{problem.detail}. As in these:</p>
        <Command text="kstream connect worker --group connect" />
        <br />
        <Command text="kstream serve --connect-url http://127.0.0.1:8083" />
      </Empty>
    </>
  );
}
