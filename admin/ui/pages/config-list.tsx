/** The configs of a topic or a broker: what is in force, who has set it, what it means. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { FilterBar } from "../components/filter.tsx";
import { Field, Form } from "../components/form.tsx";
import { Badge, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { send, type Url } from "../data/api.ts";
import { count } from "../data/format.ts";
import type { ConfigView } from "../data/model.ts";
import { useResource } from "../data/use-resource.ts";

const COLUMNS: readonly Column<ConfigView>[] = [
  { name: "Config", show: ({ name }) => <span class="mono">{name}</span>, by: ({ name }) => name },
  {
    name: "Value",
    show: ({ value, sensitive }) =>
      sensitive ? <Badge text="secret" /> : <span class="mono">{value ?? "–"}</span>,
  },
  {
    name: "Set by",
    show: ({ source }) =>
      source === "topic" || source === "broker" ? <Badge tone="good" text={source} /> : source,
    by: ({ source }) => source,
    isMinor: true,
  },
  { name: "Meaning", show: ({ documentation }) => documentation ?? "", isMinor: true },
];

/** The configs of a topic or of a broker. */
export type ConfigUrl = Url<"/v1/topics/:topic/configs"> | Url<"/v1/brokers/:broker/configs">;

/** `url`: of the configs, as `/v1/topics/orders/configs`. */
export function ConfigList({ url, own }: { url: ConfigUrl; own: string }) {
  const { data, problem, reload } = useResource(url);
  const [filter, setFilter] = useState("");
  const [edited, setEdited] = useState<ConfigView | null>(null);
  const all = data?.configs ?? [];
  const shown = all.filter(({ name }) => name.includes(filter.toLowerCase()));
  return (
    <>
      <FilterBar
        label="Filter configs"
        placeholder="A part of the name"
        value={filter}
        onChange={setFilter}
        count={data === null ? "" : `${count(shown.length)} of ${count(all.length)}`}
      />
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {shown.length > 0 && (
        <Table
          label="Configs"
          items={shown}
          columns={COLUMNS}
          keyOf={({ name }) => name}
          onOpen={setEdited}
        />
      )}
      {edited !== null && (
        <EditConfig
          url={url}
          own={own}
          config={edited}
          onClose={() => setEdited(null)}
          onDone={() => {
            setEdited(null);
            reload();
          }}
        />
      )}
    </>
  );
}

function EditConfig({ url, own, config, onClose, onDone }: {
  url: ConfigUrl;
  own: string;
  config: ConfigView;
  onClose: () => void;
  onDone: () => void;
}) {
  const { name, source, readOnly, documentation } = config;
  const [value, setValue] = useState(config.value ?? "");
  const change = async (to: string | null) => {
    await send("PATCH", url, { [name]: to });
    onDone();
  };
  return (
    <Dialog title={name} onClose={onClose}>
      {documentation !== null && <p>{documentation}</p>}
      <Form action="Set" isDisabled={readOnly} onSubmit={() => change(value)}>
        <Field name={readOnly ? "Value: it cannot be changed while the broker runs" : "Value"}>
          <input
            class="mono"
            value={value}
            readOnly={readOnly}
            onInput={(event) => setValue(event.currentTarget.value)}
          />
        </Field>
      </Form>
      {source === own && (
        <Form action="Back to the default" onSubmit={() => change(null)}>
          <p class="muted">It is set for this {own} itself.</p>
        </Form>
      )}
    </Dialog>
  );
}
