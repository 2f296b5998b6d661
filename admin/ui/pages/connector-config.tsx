/** The config of a connector that is there, and the page for a new one. */
import { useState } from "preact/hooks";
import { Field, Select } from "../components/form.tsx";
import { Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { path } from "../data/api.ts";
import {
  askConnect,
  connectAt,
  type ConnectConfig,
  type PluginView,
  statusIsTold,
  useConnect,
} from "../data/connect.ts";
import { href, navigate, useRoute } from "../router.ts";
import { ConnectorForm } from "./connector-form.tsx";

export function EditConfig({ name, mayChange }: { name: string; mayChange: boolean }) {
  const url = connectAt(["connectors", name, "config"]);
  const { data, problem, reload } = useConnect<ConnectConfig>(url);
  const [saved, setSaved] = useState(0);
  if (data === null) {
    return problem === null ? <Loading /> : <ProblemNote problem={problem} onRetry={reload} />;
  }
  return (
    <>
      {saved > 0 && <p class="done" role="status">It is saved: its tasks begin anew with it.</p>}
      {mayChange
        ? (
          <ConnectorForm
            key={saved}
            plugin={data["connector.class"] ?? ""}
            before={data}
            action="Save"
            onSave={async (config) => {
              await askConnect("PUT", url, config);
              reload();
              setSaved(saved + 1);
            }}
          />
        )
        : <ReadConfig config={data} />}
    </>
  );
}

/** For who may not change it, and so not have it validated. Secrets are told apart by their names. */
function ReadConfig({ config }: { config: ConnectConfig }) {
  return (
    <dl class="facts panel">
      {Object.entries(config).map(([name, value]) => (
        <div key={name} class="contents">
          <dt class="mono">{name}</dt>
          <dd class="mono">{/pass|secret|token|key\.id/i.test(name) ? "not shown" : value}</dd>
        </div>
      ))}
    </dl>
  );
}

const STATES = [
  ["RUNNING", "It runs at once"],
  ["PAUSED", "It is paused"],
  ["STOPPED", "It is stopped, so that offsets can be set"],
] as const;
type First = typeof STATES[number][0];

const PLUGINS: readonly Column<PluginView>[] = [
  {
    name: "Connector",
    show: (each) => <a href={href(linkOf(each))} tabIndex={-1}>{each.class}</a>,
    by: (each) => each.class,
  },
  { name: "Kind", show: ({ type }) => type, by: ({ type }) => type },
  { name: "Version", show: ({ version }) => version ?? "", isMinor: true },
];

function linkOf(plugin: PluginView): string {
  return path(["new-connector", plugin.class]);
}

export function NewConnectorPage() {
  const plugin = useRoute().params["plugin"] ?? "";
  return (
    <>
      <p class="crumbs">
        <a href={href("/connectors")}>Connectors</a>
      </p>
      <h1>{plugin === "" ? "New connector: which?" : `New connector: ${plugin}`}</h1>
      {plugin === "" ? <ChoosePlugin /> : <NewConnector plugin={plugin} />}
    </>
  );
}

function ChoosePlugin() {
  const url = connectAt(["connector-plugins"]);
  const { data, problem, reload } = useConnect<readonly PluginView[]>(url);
  return (
    <>
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data !== null && (
        <Table
          label="Plugins"
          items={data}
          columns={PLUGINS}
          keyOf={(each) => each.class}
          linkOf={linkOf}
        />
      )}
    </>
  );
}

function NewConnector({ plugin }: { plugin: string }) {
  const [name, setName] = useState("");
  const [state, setState] = useState<First>("RUNNING");
  return (
    <ConnectorForm
      plugin={plugin}
      before={{}}
      action="Create"
      onSave={async (config) => {
        await askConnect("POST", connectAt(["connectors"]), {
          name,
          config: { ...config, "connector.class": plugin },
          initial_state: state,
        });
        await statusIsTold(name);
        navigate(path(["connectors", name]));
      }}
    >
      <div class="pair">
        <Field name="Name">
          <input
            required
            data-autofocus
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </Field>
        <Select name="At first" value={state} options={STATES} onChange={setState} />
      </div>
    </ConnectorForm>
  );
}
