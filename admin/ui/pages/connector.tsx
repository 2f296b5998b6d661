/** One connector: what it does, its config, where it has come to, and what can be done with it. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { Form, TypedConfirmation } from "../components/form.tsx";
import { Empty, Figure, Loading, ProblemNote } from "../components/notes.tsx";
import { Tabs } from "../components/tabs.tsx";
import { path } from "../data/api.ts";
import {
  askConnect,
  connectAt,
  type ConnectorStatus,
  lagOf,
  rateOf,
  skippedOf,
  useConnect,
  useFigures,
  worstState,
} from "../data/connect.ts";
import { count, rate } from "../data/format.ts";
import { href, navigate, useRoute } from "../router.ts";
import { EditConfig } from "./connector-config.tsx";
import { ConnectorLog } from "./connector-log.tsx";
import { ConnectorOffsets } from "./connector-offsets.tsx";
import { ConnectorTasks } from "./connector-tasks.tsx";
import { ConnectorTopics } from "./connector-topics.tsx";
import { ConnectState, useMayConnect } from "./connectors.tsx";

const EVERY_MS = 2000;
const TABS = [
  ["tasks", "Tasks"],
  ["config", "Config"],
  ["offsets", "Offsets"],
  ["topics", "Topics"],
  ["log", "Log"],
] as const;

export function ConnectorPage() {
  const { params } = useRoute();
  const name = params["connector"] ?? "";
  const tab = params["tab"] ?? "tasks";
  const url = connectAt(["connectors", name, "status"]);
  const { data, problem, reload } = useConnect<ConnectorStatus>(url, EVERY_MS);
  const figures = useFigures(name, EVERY_MS);
  const mayChange = useMayConnect();
  return (
    <>
      <p class="crumbs">
        <a href={href("/connectors")}>Connectors</a>
      </p>
      <div class="row">
        <h1>{name}</h1>
        {data !== null && mayChange && <Actions status={data} onDone={reload} />}
      </div>
      {problem?.status === 404
        ? <Empty title="There is no such connector" />
        : <ProblemNote problem={problem} onRetry={reload} />}
      {data === null && problem === null && <Loading />}
      {data !== null && (
        <>
          <dl class="figures">
            <Figure
              name="State"
              value={<ConnectState state={worstState(data)} />}
              note={`wanted: ${data.connector.state.toLowerCase()}`}
            />
            <Figure name="Kind" value={data.type} />
            <Figure
              name="Tasks"
              value={`${
                data.tasks.filter(({ state }) => state === "RUNNING").length
              }/${data.tasks.length}`}
              note="run"
            />
            <Figure name="Records" value={rate(rateOf(figures))} />
            <Figure name="Behind" value={count(lagOf(figures))} note="records" />
            <Figure name="Left out" value={count(skippedOf(figures))} note="records" />
          </dl>
          <Tabs
            label="Parts of the connector"
            base={path(["connectors", name])}
            current={tab}
            tabs={TABS}
          />
          {tab === "tasks" && (
            <ConnectorTasks
              status={data}
              figures={figures}
              mayChange={mayChange}
              onDone={reload}
            />
          )}
          {tab === "config" && <EditConfig name={name} mayChange={mayChange} />}
          {tab === "offsets" && <ConnectorOffsets status={data} mayChange={mayChange} />}
          {tab === "topics" && <ConnectorTopics name={name} mayChange={mayChange} />}
          {tab === "log" && <ConnectorLog name={name} mayChange={mayChange} />}
        </>
      )}
    </>
  );
}

type Asked = "stop" | "restart" | "delete" | null;

function Actions({ status, onDone }: { status: ConnectorStatus; onDone: () => void }) {
  const [asked, setAsked] = useState<Asked>(null);
  const { name, connector: { state } } = status;
  const close = () => setAsked(null);
  const put = async (verb: string) => {
    await askConnect("PUT", connectAt(["connectors", name, verb]));
    close();
    onDone();
  };
  const rests = state === "PAUSED" || state === "STOPPED";
  return (
    <div class="row end">
      <Act name={rests ? "Resume" : "Pause"} act={() => put(rests ? "resume" : "pause")} />
      {state !== "STOPPED" && <button type="button" onClick={() => setAsked("stop")}>Stop…</button>}
      {state !== "STOPPED" && (
        <button type="button" onClick={() => setAsked("restart")}>Restart…</button>
      )}
      <button type="button" class="danger" onClick={() => setAsked("delete")}>Delete…</button>
      {asked === "stop" && (
        <Dialog title="Stop the connector" onClose={close}>
          <Form action="Stop" onSubmit={() => put("stop")}>
            <p>Its tasks end. Then its offsets can be set, and “Resume” begins it again.</p>
          </Form>
        </Dialog>
      )}
      {asked === "restart" && <Restart name={name} onClose={close} onDone={onDone} />}
      {asked === "delete" && (
        <Dialog title="Delete the connector" onClose={close}>
          <TypedConfirmation
            name={name}
            action="Delete"
            onConfirm={async () => {
              await askConnect("DELETE", connectAt(["connectors", name]));
              navigate("/connectors");
            }}
          >
            <p>
              Its tasks end, and its config is gone. Where it has come to stays: a connector of the
              same name goes on there.
            </p>
          </TypedConfirmation>
        </Dialog>
      )}
    </div>
  );
}

/** A button that does something at once, and says what went wrong. */
export function Act({ name, act, isSmall = false }: {
  name: string;
  act: () => Promise<void>;
  isSmall?: boolean;
}) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const run = async () => {
    setBusy(true);
    setProblem("");
    try {
      await act();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <button
        type="button"
        class={isSmall ? "small" : ""}
        disabled={isBusy}
        onClick={() => void run()}
      >
        {name}
      </button>
      {problem !== "" && <span class="bad" role="alert">{problem}</span>}
    </>
  );
}

function Restart({ name, onClose, onDone }: {
  name: string;
  onClose: () => void;
  onDone: () => void;
}) {
  const [onlyFailed, setOnlyFailed] = useState(false);
  const [includeTasks, setIncludeTasks] = useState(true);
  const restart = async () => {
    const url = connectAt(["connectors", name, "restart"], { includeTasks, onlyFailed });
    await askConnect("POST", url);
    onClose();
    onDone();
  };
  const check = (words: string, value: boolean, set: (value: boolean) => void) => (
    <label class="check">
      <input
        type="checkbox"
        checked={value}
        onChange={(event) => set(event.currentTarget.checked)}
      />
      {words}
    </label>
  );
  return (
    <Dialog title="Restart the connector" onClose={onClose}>
      <Form action="Restart" onSubmit={restart}>
        {check("Its tasks, too", includeTasks, setIncludeTasks)}
        {check("Only what has failed", onlyFailed, setOnlyFailed)}
      </Form>
    </Dialog>
  );
}
