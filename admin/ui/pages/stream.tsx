/** One application: its graph with what goes through it, its inputs, tasks and stores. */
import { Command, Empty, Figure, Loading, ProblemNote } from "../components/notes.tsx";
import { Tabs } from "../components/tabs.tsx";
import { at, path } from "../data/api.ts";
import { count, lagSpan, rate, span } from "../data/format.ts";
import {
  type ApplicationView,
  droppedOf,
  flowOf,
  type Live,
  type Rates,
  restoreOf,
  rounded,
  type TaskCounts,
  taskCountsOf,
  useRates,
} from "../data/streams.ts";
import { useLatest, useResource } from "../data/use-resource.ts";
import { href, useRoute } from "../router.ts";
import { GroupState } from "./groups.tsx";
import { StreamGraph } from "./stream-graph.tsx";
import { StreamInputs } from "./stream-inputs.tsx";
import { StreamStores } from "./stream-stores.tsx";
import { StreamSteps } from "./stream-steps.tsx";
import { StreamTasks } from "./stream-tasks.tsx";

const EVERY_MS = 2000;
const TABS = [
  ["graph", "Graph"],
  ["steps", "Steps"],
  ["inputs", "Inputs"],
  ["tasks", "Tasks"],
  ["stores", "Stores"],
] as const;

export function StreamPage() {
  const { params } = useRoute();
  const application = params["application"] ?? "";
  const tab = params["tab"] ?? "graph";
  const url = at("/v1/streams/:application", { application });
  const { data: answered, problem, reload } = useResource(url, EVERY_MS);
  const data = useLatest(answered);
  const live = data?.live ?? null;
  const rates = useRates(live);
  return (
    <>
      <p class="crumbs">
        <a href={href("/streams")}>Streams</a>
      </p>
      <div class="row">
        <h1>{application}</h1>
        {data !== null && <GroupState state={data.state} />}
      </div>
      {problem?.status === 404
        ? (
          <Empty title="It does not run">
            <p>{problem.detail}.</p>
          </Empty>
        )
        : <ProblemNote problem={problem} onRetry={reload} />}
      {data === null && problem === null && <Loading />}
      {data !== null && problem?.status !== 404 && (
        <>
          <Figures view={data} live={live} rates={rates} />
          {live !== null && <Missing live={live} />}
          <Tabs
            label="Parts of the application"
            base={path(["streams", application])}
            current={tab}
            tabs={TABS}
          />
          {tab === "inputs" && <StreamInputs view={data} live={live} />}
          {tab === "tasks" && <StreamTasks view={data} live={live} />}
          {live === null ? tab !== "inputs" && <NotTold view={data} /> : (
            <>
              {tab === "graph" && <StreamGraph live={live} rates={rates} />}
              {tab === "steps" && <StreamSteps live={live} rates={rates} />}
              {tab === "stores" && <StreamStores live={live} />}
            </>
          )}
        </>
      )}
    </>
  );
}

function Figures({ view, live, rates }: {
  view: ApplicationView;
  live: Live | null;
  rates: Rates;
}) {
  const tasks = live === null ? null : taskCountsOf(live);
  const flow = live === null ? null : flowOf(live, rates);
  const all = live === null ? [] : Object.values(live.nodes);
  const dropped = all.reduce((sum, node) => sum + droppedOf(node), 0);
  const errored = all.reduce((sum, node) => sum + node.errored, 0);
  return (
    <dl class="figures">
      <Figure
        name="Members"
        value={count(view.members.length)}
        note={<a href={href(path(["groups", view.application]))}>the group</a>}
      />
      {live !== null && tasks !== null && (
        <Figure
          name="Tasks"
          value={`${tasks.running}/${tasks.all}`}
          note={taskNote(tasks, restoreOf(live))}
          {...(tasks.running < tasks.all && { tone: "warn" as const })}
        />
      )}
      {live !== null && <Figure name="Come in" value={rate(rounded(flow?.in))} note="records" />}
      {live !== null && <Figure name="Written" value={rate(rounded(flow?.out))} note="records" />}
      <Figure name="Behind" value={count(view.lag)} note={lagSpan(view.lagSeconds)} />
      {live !== null && (
        <Figure
          name="Left out"
          value={count(dropped)}
          note={errored > 0
            ? <span class="bad">{`and ${count(errored)} failed`}</span>
            : "none failed"}
        />
      )}
    </dl>
  );
}

function taskNote(
  { opening, standby }: TaskCounts,
  { left, leftMs }: ReturnType<typeof restoreOf>,
): string {
  if (left > 0) return `run; ${count(left)} to restore${leftMs > 0 ? `, ${span(leftMs)}` : ""}`;
  if (opening > 0) return `run, ${count(opening)} begin`;
  return standby > 0 ? `run, ${count(standby)} stand by` : "run";
}

function Missing({ live: { missing } }: { live: Live }) {
  if (missing.length === 0) return null;
  return (
    <div class="notice">
      {missing.map(({ endpoint, error }) => (
        <p key={endpoint}>What a member has done is not in these figures: {error}.</p>
      ))}
    </div>
  );
}

/** Why nothing is known of its inside, and what would change it. */
function NotTold({ view: { notTold } }: { view: ApplicationView }) {
  if (notTold === null) return null;
  return (
    <Empty title="Its members do not tell what they do">
      <p>{notTold.detail.charAt(0).toUpperCase() + notTold.detail.slice(1)}.</p>
      {notTold.command !== null && <Command text={notTold.command} />}
    </Empty>
  );
}
